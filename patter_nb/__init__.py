"""Prototype phone voice agents in a notebook: talk to them, and see every turn's latency and cost in pandas."""

__version__ = "0.1.0"
