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


def bounded(bounds: Bounds, visit: Any, answering: Any = app) -> None:
    async def main():
        server = serve(answering, loop=asyncio.get_running_loop(), bounds=bounds)
        try:
            await asyncio.wait_for(visit(server), 20)
        finally:
            await server.stop()

    asyncio.run(main())


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """Answers when all has come."""
    message = {"type": "http.request"}
    while scope["type"] == "http" and (message := await receive()).get("more_body"):
        pass
    if message["type"] != "http.disconnect":
        await app(scope, receive, send)


async def pause(seconds: float) -> None:
    await asyncio.wait((asyncio.get_running_loop().create_future(),), timeout=seconds)


async def until(seen: Any) -> None:
    async with asyncio.timeout(10):
        while not seen():
            await pause(0.01)


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


SLOW = {
    "another request that never ends": b"GET / HTTP/1.1\r\nhost: here\r\n\r\n",
    "a body nobody reads, after its answer": b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 1000000\r\n\r\n",
    "a body in chunks": b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\nfffff\r\n",
}


@pytest.mark.parametrize("name", SLOW)
def test_a_request_that_goes_on_and_on_is_cut_off(name):
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(SLOW[name])
        assert b"200" in await reader.readline()
        ended = asyncio.create_task(closed(reader))
        while not ended.done():
            writer.write(b"x")
            await asyncio.wait((ended,), timeout=0.02)
        writer.close()

    bounded(Bounds(request_seconds=0.3, idle_seconds=1.0), visit)


def test_a_request_that_came_in_part_behind_another_one_is_cut_off():
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\nPOST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\nx")
        assert (await closed(reader)).count(b"200") == 1
        writer.close()

    bounded(Bounds(request_seconds=0.3), visit, reading)


def test_requests_that_come_whole_are_answered_one_after_the_other_for_as_long_as_it_takes():
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        for number in range(10):
            writer.write(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 3\r\n\r\nab")
            await writer.drain()
            writer.write(b"c")
            answer = await reader.readuntil(b"\r\n\r\nok")
            assert answer.startswith(b"HTTP/1.1 200"), number
            await pause(0.05)
        writer.close()

    bounded(Bounds(request_seconds=0.3, idle_seconds=2.0), visit)


def test_an_answer_that_is_not_read_is_not_kept_for_ever():
    gone = []

    async def talking(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):  # more than anybody keeps for whoever reads nothing
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        gone.append((await receive())["type"])

    async def visit(server):
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.transport.pause_reading()
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        await until(lambda: gone)
        writer.transport.abort()

    bounded(Bounds(request_seconds=0.3), visit, talking)
    assert gone == ["http.disconnect"]


CHUNKED = b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("answering", ["app", "reading"])
@pytest.mark.parametrize("waits", [True, False])
def test_a_body_that_stops_being_one_ends_its_socket_and_says_nothing(answering, waits, caplog):
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(CHUNKED + b"1\r\na\r\n")
        if waits:
            await pause(0.1)
        writer.write(b"zz\r\n")
        assert (await closed(reader)).count(b"HTTP/1.1") == 1
        writer.close()
        async with connect(server.url.replace("http", "ws")) as line:
            await line.send("four")
            assert await line.recv() == "4"

    bounded(Bounds(), visit, {"app": app, "reading": reading}[answering])
    assert caplog.records == []


UPGRADES = {
    "by POST": b"POST / HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 4\r\n\r\nabcd",
    "without a key": b"GET / HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "of another version": (
        b"GET / HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 7\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ),
    "by an older protocol": b"GET / HTTP/1.0\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("name", UPGRADES)
def test_a_handshake_that_is_none_ends_its_socket(name, caplog):
    async def visit(server):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(UPGRADES[name])
        assert not (await closed(reader)).startswith(b"HTTP/1.1 101")
        writer.close()

    bounded(Bounds(request_seconds=0.3), visit)
    assert caplog.records == []


MANY = {
    "pings": b"\x89\xfd" + bytes(4) + bytes(125),
    "parts of a message": b"\x00\x80" + bytes(4),
}


@pytest.mark.parametrize("name", MANY)
def test_a_socket_that_asks_for_work_and_says_nothing_is_cut_off(name):
    async def visit(server):
        async with connect(server.url.replace("http", "ws"), compression=None, close_timeout=0.1) as line:
            line.transport.write(b"\x01\x80" + bytes(4) if name != "pings" else b"")
            line.transport.write(MANY[name] * 100)
            await pause(0.05)
            assert not line.transport.is_closing()
            line.transport.write(MANY[name] * 500)
            await until(lambda: not server._server.server_state.connections)

    bounded(Bounds(), visit)


def test_a_far_end_that_is_not_there_any_more_is_noticed_and_its_application_is_told():
    over = []

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "x" * 5_000_000})  # more than anybody keeps for whoever reads nothing
        over.append((await receive())["type"])

    async def visit(server):
        line = await connect(server.url.replace("http", "ws"), compression=None, max_size=None)
        line.transport.pause_reading()
        await until(lambda: over)
        line.transport.abort()

    bounded(Bounds(ping_seconds=0.2), visit, waiting)
    assert over == ["websocket.disconnect"]


def test_what_is_written_last_is_not_kept_for_ever_for_whoever_does_not_read_it():
    async def parting(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "x" * 5_000_000})

    async def visit(server):
        line = await connect(server.url.replace("http", "ws"), compression=None, max_size=None)
        line.transport.pause_reading()
        await until(lambda: not server._server.server_state.connections)
        line.transport.abort()

    bounded(Bounds(request_seconds=0.5), visit, parting)


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
