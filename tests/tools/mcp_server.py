"""A server made with the official package: `python mcp_server.py [port]` speaks HTTP there, or without one over its pipes."""

from __future__ import annotations

import os
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("desk")


@server.tool()
def book(city: str, days: int = 1) -> str:
    """Book a room."""
    return f"{city} for {days}"


@server.tool(name="rooms.free")
def rooms() -> list[str]:
    """Which rooms are free."""
    return ["one", "two"]


@server.tool()
def refuse() -> str:
    raise ToolError("There is no room left.")


@server.tool()
def environment(name: str) -> str:
    return os.environ.get(name, "unset")


@server.tool()
def header(name: str, context: Context) -> str:
    request = context.request_context.request
    return request.headers.get(name, "unset") if request is not None else "no request"


@server.tool()
def leave() -> str:
    os._exit(1)


print("a line on standard error", file=sys.stderr, flush=True)
if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
