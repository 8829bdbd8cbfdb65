"""A server whose tools have schemas and names that others do not: `python odd_mcp_server.py` speaks over its pipes."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import ListToolsResult, Tool

PLAIN = {"type": "object", "properties": {}}
TOOLS = {
    "book": PLAIN,
    "definitions": {"type": "object", "$defs": ["x"]},
    "kind": {"type": "object", "properties": {"city": {"type": "town"}}},
    "": PLAIN,
    "rooms.free": PLAIN,
    "rooms/free": PLAIN,
    "x" * 70: PLAIN,
    "x" * 80: PLAIN,
    "last": PLAIN,
}


async def list_tools(context: Any, parameters: Any) -> ListToolsResult:
    return ListToolsResult(tools=[Tool(name=name, input_schema=schema) for name, schema in TOOLS.items()])


async def main() -> None:
    server = Server("odd", on_list_tools=list_tools)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
