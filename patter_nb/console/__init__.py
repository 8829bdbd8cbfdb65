"""A call that is typed: the whole of an agent but its ears and voice, in a terminal."""

from patter_nb.console.call import ConsoleTest

__all__ = ["ConsoleTest"]
