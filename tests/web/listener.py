"""A server on loopback that remembers who reached it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Listener:
    port: int
    answers: Sequence[bytes | Serve]
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader, writer):
        """Read one request, then write the next answer (the last one from then on), or do what it does."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        self.requests.append(head + await reader.readexactly(length))
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if callable(answer):
            await answer(reader, writer)
        else:
            writer.write(answer)
            await writer.drain()


@asynccontextmanager
async def listening(*answers: bytes | Serve, ssl=None) -> AsyncIterator[Listener]:
    """Serve on a free port; all connections are closed with the block."""
    listener = Listener(0, answers or (OK,))
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await listener.serve(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError, OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
