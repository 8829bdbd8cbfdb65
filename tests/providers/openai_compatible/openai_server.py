"""A server of chat completions on loopback that answers what it is told and remembers what it was sent.

HTTP/1.1 by hand on asyncio's streams: what a client does to a connection (keeping it, closing it in the middle) is part of what
is tested, and a web framework would hide it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

DONE = "data: [DONE]\n\n"
HANGING = object()
"""A piece of an answer after which nothing comes, until the client closes."""
ABORTED = object()
"""A piece of an answer: the connection is cut."""


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int
    """Which of the server's connections it came through, counted from 0."""


@dataclass
class Answer:
    """What the server says. `pieces` are sent one by one, a chunk of HTTP each."""

    pieces: Iterable[Any] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    stays_open: bool = True
    """Whether the end of the answer is said; else it is left open like a connection that was forgotten."""


@dataclass
class Server:
    """`answers` are given one by one to POST requests, the last one for good; a function gets the request."""

    answers: list[Answer | Callable[[Request], Answer]]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    heads: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)
    """Requests without a body either way, which warm a connection."""
    connections: int = 0
    open_connections: int = 0
    sent: int = 0
    """Pieces of the last answer that were sent."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """A client closed the connection in the middle of an answer."""
    drops_idle: bool = False
    """Close each connection without a word at the second request that comes through it."""

    @property
    def bodies(self) -> list[Any]:
        return [request.body for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, served = self.connections, 0
        self.connections += 1
        self.open_connections += 1
        try:
            while (request := await _read(reader, number)) is not None:
                if self.drops_idle and served:
                    self.requests.append(request)
                    break
                served += 1
                if request.method == "HEAD":
                    self.heads.put_nowait(request)
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                    continue
                self.requests.append(request)
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed.set()
        finally:
            self.open_connections -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send an answer; False when the connection is over with it."""
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = given(request) if callable(given) else given
        self.sent = 0
        lines = [f"HTTP/1.1 {answer.status} Told", *(f"{name}: {value}" for name, value in answer.headers.items())]
        writer.write("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode())
        gone = asyncio.ensure_future(reader.read(1))  # a client sends nothing while it reads
        try:
            for piece in answer.pieces:
                if piece is HANGING:
                    await gone
                    self.closed.set()
                    return False
                if piece is ABORTED:
                    writer.transport.abort()
                    return False
                if gone.done():
                    self.closed.set()
                    return False
                data = piece if isinstance(piece, bytes) else str(piece).encode()
                writer.write(b"%x\r\n%s\r\n" % (len(data), data))
                await writer.drain()
                self.sent += 1
                await asyncio.sleep(0)
            if not answer.stays_open:
                await gone
                return False
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        finally:
            gone.cancel()
            await asyncio.wait({gone})


@asynccontextmanager
async def serving(*answers: Answer | Callable[[Request], Answer], drops_idle: bool = False) -> AsyncIterator[Server]:
    """A server on a free port of loopback, gone at the end of the block."""
    server = Server(list(answers), drops_idle=drops_idle)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(server.serve(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _read(reader: asyncio.StreamReader, number: int) -> Request | None:
    """A request; None when the client has closed instead."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(content) if content else None, number)


# What a server of chat completions says.


def chunk(delta: dict[str, Any] | None = None, finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk in OpenAI's shape."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "told-1"}
    return {**base, "choices": choices, **more}


def event(data: Any) -> str:
    return f"data: {json.dumps(data)}\n\n"


def tool_piece(index: int, *, id: str | None = None, name: str | None = None, arguments: str | None = None) -> dict[str, Any]:
    """A part of a request for a tool: the first one brings id and name."""
    piece: dict[str, Any] = {"index": index}
    if id is not None:
        piece |= {"id": id, "type": "function"}
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return piece | {"function": function}


def usage(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return counts | {"prompt_tokens_details": {"cached_tokens": cached}}


def text_chunks(*words: str, finish_reason: str = "stop", counted: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A whole answer of text."""
    said = [chunk({"content": word}) for word in words]
    end = [chunk({}, finish_reason), chunk(usage=counted or usage(10, len(words)))]
    return [chunk({"role": "assistant", "content": ""}), *said, *end]


def tool_chunks(*pieces: dict[str, Any], finish_reason: str = "tool_calls") -> list[dict[str, Any]]:
    """A whole answer that asks for tools."""
    asked = [chunk({"tool_calls": [piece]}) for piece in pieces]
    return [chunk({"role": "assistant", "content": None}), *asked, chunk({}, finish_reason), chunk(usage=usage(20, 5))]


def stream(chunks: Iterable[dict[str, Any]]) -> Answer:
    return Answer([*(event(each) for each in chunks), DONE])


def says(*words: str) -> Answer:
    return stream(text_chunks(*words))


def refuses(status: int, body: Any, content_type: str = "application/json") -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer([text], status=status, headers={"content-type": content_type})
