"""What an agent can do besides talking."""

from patter_nb.tools.schema import ToolArgumentsError
from patter_nb.tools.tool import Bound, Reassurance, Tool, ToolError, ToolSettings, tool

__all__ = ["Bound", "Reassurance", "Tool", "ToolArgumentsError", "ToolError", "ToolSettings", "tool"]
