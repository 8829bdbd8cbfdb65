"""What an agent can do besides talking."""

from patter_nb.tools.schema import ToolArgumentsError
from patter_nb.tools.tool import Bound, Reassurance, Tool, ToolError, tool

__all__ = ["Bound", "Reassurance", "Tool", "ToolArgumentsError", "ToolError", "tool"]
