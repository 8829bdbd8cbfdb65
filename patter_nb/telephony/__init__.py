"""Calls on real telephone lines: the server that a carrier calls, and everything that goes in and out through it."""

from patter_nb.telephony.server import PhoneServer

__all__ = ["PhoneServer"]
