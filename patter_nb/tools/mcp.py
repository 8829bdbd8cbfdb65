"""Tools of servers that speak the Model Context Protocol, by the protocol's official client (`pip install` the extra `mcp`).

A server is a process (standard input and output) or an address (streamable HTTP). It is connected when a call begins and kept for
the call; the client runs in a task of its own, since what it opens must be closed where it was opened.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from patter_nb.errors import ConfigError, ConfigTypeError, need
from patter_nb.tools.tool import Tool, ToolError

CLOSING_SECONDS = 2.0
CALL_SECONDS = 30.0
MOST_PAGES = 20
"""Pages of a server's list of tools that are read."""


@dataclass(frozen=True, kw_only=True)
class McpServer:
    """Where a server is: a `url`, or a `command` with its arguments."""

    url: str = ""
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] | None = field(default=None, repr=False)
    name: str = ""
    allow_private: bool = False
    """Let `url` lead to this machine or its networks, for development."""
    timeout_s: float = CALL_SECONDS
    """How long one of its tools may take."""

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.command):
            raise ConfigError("an MCP server needs exactly one of url and command.")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ConfigError("url of an MCP server must begin with https:// or http://.")
        object.__setattr__(self, "args", tuple(map(str, self.args)))

    @property
    def shown(self) -> str:
        """Its name, or where it is, without credentials."""
        return self.name or self.command or self.url.partition("?")[0]


def read_servers(given: Any) -> list[McpServer]:
    """`mcp_servers=` as a list of `McpServer`. `ConfigError` for what is none; `MissingExtra` without the client."""
    if not isinstance(given, list | tuple):
        raise ConfigTypeError(f"mcp_servers is {type(given).__name__}; it must be a list of URLs or dictionaries.")
    need("mcp", extra="mcp", what="mcp_servers=")
    return [_server(each) for each in given]


def _server(given: Any) -> McpServer:
    if isinstance(given, McpServer):
        return given
    if isinstance(given, str):
        return McpServer(url=given)
    if isinstance(given, Mapping):
        if unknown := sorted(set(given) - set(McpServer.__dataclass_fields__)):
            known = ", ".join(McpServer.__dataclass_fields__)
            raise ConfigError(f"an MCP server has the key {unknown[0]!r}; it takes {known}.")
        return McpServer(**given)
    raise ConfigTypeError(f"mcp_servers holds {type(given).__name__}; it takes URLs, dictionaries and McpServer objects.")


class McpConnection:
    """A server that is connected, and its tools."""

    def __init__(self, server: McpServer, client: Any) -> None:
        self._server = server
        self._client = client
        self.tools: tuple[Tool, ...] = ()

    async def load(self) -> None:
        """Ask the server for its tools."""
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            found += [self._tool(each) for each in page.tools]
            cursor = page.next_cursor
            if not cursor:
                break
        self.tools = tuple(found)

    def _tool(self, told: Any) -> Tool:
        schema = {"type": "object", "properties": {}, **(told.input_schema or {}), "additionalProperties": True}
        return Tool(
            name=told.name,
            description=told.description or "",
            parameters=schema,
            handler=partial(self._call, told.name),
            timeout_s=self._server.timeout_s,
        )

    async def _call(self, name: str, arguments: dict[str, Any]) -> str:
        result = await self._client.call_tool(name, arguments)
        text = "\n".join(each.text for each in result.content if getattr(each, "type", "") == "text")
        if result.is_error:
            raise ToolError(text or f"{name} of the MCP server {self._server.shown} failed.")
        return text


@asynccontextmanager
async def connect(server: McpServer) -> AsyncIterator[McpConnection]:
    """Connect to a server; it is closed with the block, within two seconds. `ToolError` when it cannot be reached."""
    ready: asyncio.Future[McpConnection] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()
    task = asyncio.create_task(_hold(server, ready, over), name=f"MCP server {server.shown}")
    try:
        waits: set[asyncio.Future[Any]] = {task, ready}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            error = task.exception()
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise ToolError(f"The MCP server {server.shown} cannot be reached: {error or 'it closed at once'}.") from error
        yield ready.result()
    finally:
        over.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await asyncio.wait({task})
        task.cancel()
        await asyncio.wait({task}, timeout=CLOSING_SECONDS)
        if task.done() and not task.cancelled():
            task.exception()  # it was looked at


async def _hold(server: McpServer, ready: asyncio.Future[McpConnection], over: asyncio.Event) -> None:
    mcp = need("mcp", extra="mcp", what="mcp_servers=")
    async with AsyncExitStack() as opened:
        transport = await _transport(server, opened)
        client = await opened.enter_async_context(mcp.Client(transport, read_timeout_seconds=server.timeout_s))
        connection = McpConnection(server, client)
        await connection.load()
        if not ready.done():
            ready.set_result(connection)
        await over.wait()


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


async def _transport(server: McpServer, opened: AsyncExitStack) -> Any:
    if server.command:
        from mcp import StdioServerParameters, stdio_client

        nowhere = opened.enter_context(_nowhere())  # its log must not stand under a user's cell
        env = None if server.env is None else {**os.environ, **server.env}
        return stdio_client(StdioServerParameters(command=server.command, args=list(server.args), env=env), errlog=nowhere)
    from mcp.client.streamable_http import streamable_http_client

    from patter_nb.tools.pinned import pinned_client
    from patter_nb.web.address import checked

    target = await checked(server.url, allow_private=server.allow_private)
    client = await opened.enter_async_context(pinned_client(target, server.headers, server.timeout_s))
    return streamable_http_client(server.url, http_client=client)
