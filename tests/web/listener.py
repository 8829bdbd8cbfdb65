"""A server on loopback that remembers who reached it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Listener:
    port: int
    answers: Sequence[bytes]
    requests: list[bytes] = field(default_factory=list)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


@asynccontextmanager
async def listening(*answers: bytes, ssl=None) -> AsyncIterator[Listener]:
    """Answers each connection with the next of `answers`, the last one from then on."""
    seen = Listener(0, answers or (OK,))

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        seen.requests.append(head + await reader.readexactly(length))
        writer.write(seen.answers[min(len(seen.requests), len(seen.answers)) - 1])
        try:
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen
