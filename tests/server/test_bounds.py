"""What a server takes from whoever connects."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from patter_nb.server import Bounds, serve

pytestmark = pytest.mark.slow  # sockets that are waited for


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": str(len(message.get("text") or ""))})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def bounded(bounds: Bounds, visit: Any) -> None:
    async def main():
        server = serve(app, loop=asyncio.get_running_loop(), bounds=bounds)
        try:
            await asyncio.wait_for(visit(server), 20)
        finally:
            await server.stop()

    asyncio.run(main())


async def closed(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side closes."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_one_socket_more_than_there_may_be_is_closed_and_the_others_stay():
    async def visit(server):
        lines = [await connect(server.url.replace("http", "ws")) for _ in range(3)]
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert await closed(reader) == b""
        for line in lines:
            await line.send("four")
            assert await line.recv() == "4"
            await line.close()
        writer.close()

    bounded(Bounds(sockets=3), visit)


def test_a_socket_that_asks_nothing_is_closed():
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTT")
        assert await closed(reader) == b""
        writer.close()

    bounded(Bounds(request_seconds=0.2), visit)


def test_a_socket_that_asked_is_not_closed_for_that():
    async def visit(server):
        async with connect(server.url.replace("http", "ws")) as line:
            await line.send("four")
            assert await line.recv() == "4"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(line.recv(), 0.3)
            await line.send("seven77")
            assert await line.recv() == "7"

    bounded(Bounds(request_seconds=0.1), visit)


def test_a_socket_that_asks_nothing_more_is_closed():
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await closed(reader)).endswith(b"ok")
        writer.close()

    bounded(Bounds(idle_seconds=1.0), visit)


def test_a_message_that_is_too_long_closes_its_socket():
    async def visit(server):
        async with connect(server.url.replace("http", "ws"), compression=None) as line:
            await line.send("x" * 1000)
            assert await line.recv() == "1000"
            with pytest.raises(ConnectionClosed) as told:
                await line.send("x" * 1001)
                await line.recv()
            assert told.value.rcvd.code == 1009

    bounded(Bounds(message_bytes=1000), visit)


def test_headers_without_an_end_are_refused():
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTTP/1.1\r\nx: " + b"x" * 40_000)
        assert b"400" in (await closed(reader)).split(b"\r\n")[0]
        writer.close()

    bounded(Bounds(header_bytes=16_384), visit)
