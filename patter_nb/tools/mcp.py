"""Tools of servers that speak the Model Context Protocol, by the protocol's official client (the extra `mcp`).

A server is a process (its standard input and output) or an address (streamable HTTP). It is connected when a call begins and kept
for the call; the client runs in a task of its own, since what it opens must be closed where it was opened.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from patter_nb.clock import at_real_pace
from patter_nb.errors import ConfigError, ConfigTypeError, brief, need, scrub
from patter_nb.tools.schema import plain_schema
from patter_nb.tools.tool import LONGEST_SECONDS, SHORTEST_SECONDS, Tool, ToolError
from patter_nb.web.address import AddressError, check_form, checked, shown_url

CLOSING_SECONDS = 2.0
"""How long the end of a call waits for a server to close; what takes longer is closed beside it."""

CALL_SECONDS = 30.0
LONGEST_NAME = 64
MOST_PAGES = 20
"""Pages of a server's list of tools that are read."""

_closing: set[asyncio.Task[None]] = set()
"""What is still being closed: a task that nothing refers to may vanish."""


@dataclass(frozen=True, kw_only=True, repr=False)
class McpServer:
    """Where a server is: a `url`, or a `command` with its arguments."""

    url: str = ""
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    """Sent with every request, such as its credentials. Never shown."""
    command: str = ""
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] | None = field(default=None, repr=False)
    """Environment of the process, beside the few names that it needs to run (PATH, HOME). Keys of yours are not handed on."""
    name: str = ""
    """What errors call it."""
    allow_private: bool = False
    """Let `url` lead to this machine or its networks, for development."""
    timeout_s: float = CALL_SECONDS
    """How long one of its tools may take."""

    def __post_init__(self) -> None:
        for name in ("url", "command", "name"):
            if not isinstance(getattr(self, name), str):
                raise ConfigTypeError(f"{name} of an MCP server is {type(getattr(self, name)).__name__}; it must be a string.")
        if bool(self.url) == bool(self.command):
            raise ConfigError("an MCP server needs exactly one of url and command.")
        for name in ("headers", "allow_private") if self.command else ("args", "env"):
            if getattr(self, name):
                raise ConfigError(f"{name} of an MCP server is for a {'url' if self.command else 'command'}; take it away.")
        if self.url:
            try:
                check_form(self.url)
            except AddressError as error:
                raise ConfigError(f"url of an MCP server cannot be used: {error}") from None
        if not isinstance(self.args, list | tuple) or not all(isinstance(each, str) for each in self.args):
            raise ConfigTypeError("args of an MCP server must be a list of strings.")
        object.__setattr__(self, "args", tuple(self.args))
        for name in ("headers", "env"):
            self._check_texts(name, getattr(self, name))
        seconds = self.timeout_s
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ConfigTypeError(f"timeout_s of an MCP server is {type(seconds).__name__}; it must be a number of seconds.")
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            raise ConfigError(f"timeout_s of an MCP server is {seconds}; it must lie from 0.1 to 300.")

    @staticmethod
    def _check_texts(name: str, given: object) -> None:
        if given is not None and not (
            isinstance(given, Mapping) and all(isinstance(each, str) for pair in given.items() for each in pair)
        ):
            raise ConfigTypeError(f"{name} of an MCP server must map strings to strings.")

    @classmethod
    def of(cls, given: Any) -> McpServer:
        """A server as users write one: its URL, a dictionary of settings, or an `McpServer`."""
        if isinstance(given, McpServer):
            return given
        if isinstance(given, str):
            return cls(url=given)
        if isinstance(given, Mapping):
            if unknown := sorted(set(map(str, given)) - set(cls.__dataclass_fields__)):
                known = ", ".join(cls.__dataclass_fields__)
                raise ConfigError(f"an MCP server has the key {brief(unknown[0])}; it takes {known}.")
            return cls(**given)
        raise ConfigTypeError(f"mcp_servers holds {type(given).__name__}; it takes URLs, dictionaries and McpServer objects.")

    @property
    def shown(self) -> str:
        """Its name, or where it is, without credentials."""
        return scrub(self.name or self.command) or shown_url(self.url)

    def __repr__(self) -> str:
        return f"McpServer({self.shown!r})"


def read_servers(given: Any) -> list[McpServer]:
    """`mcp_servers=` as a list of `McpServer`. `ConfigError` for what is none; `MissingExtra` without the client."""
    if not isinstance(given, list | tuple):
        raise ConfigTypeError(f"mcp_servers is {type(given).__name__}; it must be a list of URLs or dictionaries.")
    servers = [McpServer.of(each) for each in given]
    need("mcp", extra="mcp", what="mcp_servers=")
    return servers


class McpConnection:
    """A server that is connected, and its tools. They may be called from any loop; the server is spoken to on its own."""

    def __init__(self, server: McpServer, client: Any) -> None:
        self._server = server
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.tools: tuple[Tool, ...] = ()
        self.left_out: tuple[str, ...] = ()
        """A sentence for each tool of the server that cannot be used."""

    async def load(self) -> None:
        """Ask the server for its tools. One that cannot be used costs only itself."""
        found: dict[str, Tool] = {}
        left_out: list[str] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            for told in page.tools:
                try:
                    tool = self._tool(told)
                except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
                    # What a schema is made of is the server's affair: it may hold anything that JSON can.
                    reason = scrub(str(error)).rstrip(".") if isinstance(error, ConfigError) else "its schema is none"
                    left_out.append(self._told(told.name, f"cannot be used: {reason}"))
                    continue
                if found.setdefault(tool.name, tool) is not tool:
                    left_out.append(self._told(told.name, f"is called {tool.name!r} here, like another one, and is left out"))
            cursor = page.next_cursor
            if not cursor:
                break
        self.tools, self.left_out = tuple(found.values()), tuple(left_out)

    def _told(self, name: str, what: str) -> str:
        return f"The tool {name[:LONGEST_NAME]!r} of the MCP server {self._server.shown} {what}."

    def _tool(self, told: Any) -> Tool:
        given = told.input_schema or {}
        schema = {"type": "object", **plain_schema(given)}
        if "additionalProperties" in given:
            schema["additionalProperties"] = given["additionalProperties"]
        return Tool(
            # MCP allows dots and slashes, which models' interfaces do not.
            name=re.sub(r"[^A-Za-z0-9_-]", "_", told.name)[:LONGEST_NAME],
            description=told.description or "",
            parameters=schema,
            handler=partial(self._call, told.name),
            timeout_s=self._server.timeout_s,
        )

    async def _call(self, name: str, arguments: dict[str, Any], /) -> Any:
        if self._loop is asyncio.get_running_loop():
            with at_real_pace():  # in virtual time the deadline would come at once
                return await self._ask(name, arguments)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._ask(name, arguments), self._loop))

    async def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """What the tool answers: its text, or where there is none its structured content. `ToolError` for an error of its own."""
        result = await self._client.call_tool(name, arguments)
        text = "\n".join(each.text for each in result.content if each.type == "text")
        if result.is_error:
            raise ToolError(text or f"{name} of the MCP server {self._server.shown} failed.")
        return text if text or result.structured_content is None else result.structured_content


@asynccontextmanager
async def connect(server: McpServer) -> AsyncIterator[McpConnection]:
    """Connect to a server; the end of the block closes it, within `CLOSING_SECONDS`. `ToolError` when it cannot be used."""
    ready: asyncio.Future[McpConnection] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()
    task = _kept(_hold(server, ready, over), name=f"MCP server {server.shown}")
    try:
        with at_real_pace():  # virtual time knows nothing of processes and sockets
            await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            error = _first(task.exception())
            reason = _told(error, server).rstrip(".") if error is not None else "it closed at once"
            raise ToolError(f"The MCP server {server.shown} cannot be used: {reason}.") from error
        yield ready.result()
    finally:
        over.set()
        if not ready.done():
            task.cancel()
        with at_real_pace():
            await asyncio.wait({task}, timeout=CLOSING_SECONDS)
        if not server.command:  # a process is still being ended, which must not be cut off
            task.cancel()


def _told(error: BaseException, server: McpServer) -> str:
    text = str(error)
    return scrub(text.replace(server.url, shown_url(server.url)) if server.url else text)


def _kept(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """A task that lives until it is done, and whose error was looked at."""
    task = asyncio.create_task(coroutine, name=name)
    _closing.add(task)

    def done(task: asyncio.Task[None]) -> None:
        _closing.discard(task)
        if not task.cancelled():
            task.exception()

    task.add_done_callback(done)
    return task


def _first(error: BaseException | None) -> BaseException | None:
    """The first error within groups of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _hold(server: McpServer, ready: asyncio.Future[McpConnection], over: asyncio.Event) -> None:
    """Open the connection, tell of it, and close it in the same task when it is over."""
    mcp = await asyncio.to_thread(official_client)
    log = logging.getLogger("mcp")
    if not log.handlers:  # what it logs goes where the user sends it, and without that nowhere: not under a cell
        log.addHandler(logging.NullHandler())
    async with AsyncExitStack() as opened:
        transport = await _transport(server, opened)
        client = await opened.enter_async_context(mcp.Client(transport, read_timeout_seconds=server.timeout_s))
        connection = McpConnection(server, client)
        await connection.load()
        if not ready.done():
            ready.set_result(connection)
        await over.wait()


def official_client() -> ModuleType:
    """The official client, with what it would import on the loop at the first call of a tool: jsonschema takes seconds where its
    formats are installed, as JupyterLab installs them."""
    for module in ("mcp.client.stdio", "mcp.client.streamable_http", "jsonschema"):
        need(module, extra="mcp", what="mcp_servers=")
    return need("mcp", extra="mcp", what="mcp_servers=")


async def _transport(server: McpServer, opened: AsyncExitStack) -> Any:
    if server.command:
        from mcp import StdioServerParameters, stdio_client

        nowhere = opened.enter_context(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: ASYNC230, SIM115 (closed with the rest)
        env = None if server.env is None else dict(server.env)
        return stdio_client(StdioServerParameters(command=server.command, args=list(server.args), env=env), errlog=nowhere)
    from mcp.client.streamable_http import streamable_http_client

    from patter_nb.tools.pinned import pinned_client
    from patter_nb.web.post import tls

    target = await checked(server.url, allow_private=server.allow_private)
    await asyncio.to_thread(tls)  # the first time it would hold up the loop
    client = await opened.enter_async_context(pinned_client(target, server.headers, server.timeout_s))
    return streamable_http_client(server.url, http_client=client)
