"""The MCP servers of one call: connected when it begins, kept until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from patter_nb.agent import Agent
from patter_nb.clock import at_real_pace
from patter_nb.session.boundary import guard
from patter_nb.tools import Tool

CONNECTING_SECONDS = 10.0
"""How long a server may take to be there; the call goes on without one that takes longer."""


class Servers:
    """`failed` is told of each server that could not be reached, of tools that cannot be used, and of names that are taken; the
    call goes on without them."""

    def __init__(self, agent: Agent, failed: Callable[[str], None]) -> None:
        self._agent = agent
        self._failed = failed
        self._tools: list[Tool] = []
        self._stack = AsyncExitStack()

    def tools(self) -> Sequence[Tool]:
        """The tools of all servers that are connected."""
        return self._tools

    async def open(self) -> None:
        """Connect to all of them side by side."""
        if not self._agent.mcp_servers:
            return
        from patter_nb.tools.mcp import official_client

        with guard(self._failed, who="mcp_servers"), at_real_pace():
            await asyncio.to_thread(official_client)  # may take seconds, which are not the servers'
        await asyncio.gather(*(self._connect(server) for server in self._agent.mcp_servers))

    async def close(self) -> None:
        with guard(self._failed, who="an MCP server"):
            await self._stack.aclose()

    async def _connect(self, server: Any) -> None:
        from patter_nb.tools.mcp import connect

        with guard(self._failed, who="an MCP server"):
            async with asyncio.timeout(CONNECTING_SECONDS):
                connection = await self._stack.enter_async_context(connect(server))
            for problem in connection.left_out:
                self._failed(problem)
            taken = {tool.name for tool in (*(self._agent.tools or ()), *self._tools)}
            for tool in connection.tools:
                if tool.name in taken:
                    self._failed(f"The tool {tool.name!r} of an MCP server has the name of another tool and is left out.")
                else:
                    self._tools.append(tool)
