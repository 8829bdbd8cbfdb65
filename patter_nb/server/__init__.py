"""A server in the notebook's event loop that cannot hurt the notebook."""

from patter_nb.server.bounds import Bounds
from patter_nb.server.listening import LoopServer, serve

__all__ = ["Bounds", "LoopServer", "serve"]
