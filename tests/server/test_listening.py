"""A server in a running loop: what it takes from the notebook (nothing), and how it begins, is replaced and ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from patter_nb.errors import ConfigError
from patter_nb.server import LoopServer, serve

pytestmark = pytest.mark.slow  # servers that start and stop


def saying(text: str) -> Any:
    """An application that answers this, and keeps a WebSocket open until it is closed."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                await send({"type": "websocket.send", "text": text})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


async def answer(server: LoopServer) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(server.url, timeout=10)).text


@contextlib.asynccontextmanager
async def serving(app: Any, **settings: Any) -> AsyncIterator[LoopServer]:
    server = serve(app, loop=asyncio.get_running_loop(), **settings)
    try:
        yield server
    finally:
        await server.stop()


def run(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, 30))


def test_it_answers_on_a_free_port_of_this_machine_alone():
    async def main():
        async with serving(saying("hello")) as server:
            assert server.host == "127.0.0.1"
            assert server.port > 0
            assert repr(server) == f"<LoopServer http://127.0.0.1:{server.port}>"
            return await answer(server)

    assert run(main()) == "hello"


def test_whoever_comes_before_the_loop_has_turned_waits_and_is_answered():
    async def main():
        async with serving(saying("hello")) as server:
            with socket.create_connection((server.host, server.port), timeout=5):
                pass
            return await answer(server)

    assert run(main()) == "hello"


def test_a_port_that_is_taken_is_an_error_of_whoever_asked_and_names_the_remedy():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match=rf"Port {port} of 127.0.0.1 is taken: .* another port \(0 takes a free one\)"):
                serve(saying("hello"), loop=asyncio.get_running_loop(), port=port)

    run(main())


@pytest.mark.parametrize("port", [-1, 65_536, "8000", True, None, 80.0])
def test_a_port_that_is_none_is_refused(port):
    async def main():
        with pytest.raises(ConfigError, match=r"port is .* it must be a whole number from 0"):
            serve(saying("hello"), loop=asyncio.get_running_loop(), port=port)

    run(main())


def test_serving_a_port_again_gives_back_the_server_which_answers_anew():
    async def main():
        async with serving(saying("one")) as server:
            assert await answer(server) == "one"
            again = serve(saying("two"), loop=asyncio.get_running_loop(), port=server.port)
            assert again is server
            assert await answer(server) == "two"

    run(main())


def test_what_is_open_when_it_is_replaced_goes_on():
    async def main():
        async with serving(saying("one")) as server, connect(server.url.replace("http", "ws")) as line:
            await line.send("?")
            assert await line.recv() == "one"
            serve(saying("two"), loop=asyncio.get_running_loop(), port=server.port)
            await line.send("?")
            assert await line.recv() == "one"

    run(main())


def test_a_stop_frees_the_port_at_once_and_a_second_one_is_harmless():
    async def main():
        async with serving(saying("one")) as server:
            await server.stop()
            assert server.stopped
            async with serving(saying("two"), port=server.port) as second:
                assert second is not server
                assert await answer(second) == "two"
            await server.stop()

    run(main())


def test_a_stop_closes_what_is_open_and_does_not_wait_for_it():
    async def main():
        async with serving(saying("one")) as server, connect(server.url.replace("http", "ws")) as line:
            loop = asyncio.get_running_loop()
            since = loop.time()
            await server.stop()
            assert loop.time() - since < 3
            with pytest.raises(ConnectionClosed) as closed:
                await line.recv()
            assert closed.value.rcvd.code == 1012

    run(main())


def test_a_loop_that_ends_leaves_no_port_behind_and_says_nothing(capfd, caplog):
    async def main():
        server = serve(saying("one"), loop=asyncio.get_running_loop())
        await answer(server)
        line = await connect(server.url.replace("http", "ws"))
        await line.send("?")
        assert await line.recv() == "one"
        return server, line  # which is still open

    server, _ = run(main())
    with socket.create_server(("127.0.0.1", server.port)):
        assert server.stopped
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_server_whose_loop_never_turned_again_is_replaced():
    loop = asyncio.new_event_loop()
    left = serve(saying("left"), loop=loop)
    loop.close()

    async def main():
        async with serving(saying("new"), port=left.port) as server:
            assert server is not left
            return await answer(server)

    assert run(main()) == "new"


def test_signals_stay_as_they_are():
    names = (signal.SIGINT, signal.SIGTERM)

    async def main():
        before = [signal.getsignal(name) for name in names]
        async with serving(saying("one")) as server:
            await answer(server)
            assert [signal.getsignal(name) for name in names] == before
        assert [signal.getsignal(name) for name in names] == before

    run(main())


def test_the_application_is_made_once_in_a_thread_and_only_when_it_is_wanted():
    made: list[int] = []

    def make() -> Any:
        made.append(threading.get_ident())
        return saying("made")

    async def main():
        async with serving(make, lazy=True) as server:
            assert made == []
            assert [await answer(server), await answer(server)] == ["made", "made"]

    run(main())
    assert len(made) == 1
    assert made[0] != threading.get_ident()


def test_it_can_be_started_and_closed_from_another_thread():
    async def main():
        loop = asyncio.get_running_loop()
        server = await asyncio.to_thread(serve, saying("here"), loop=loop)
        assert await answer(server) == "here"
        await asyncio.to_thread(server.close)
        await server.stop()
        assert server.stopped

    run(main())


def test_nothing_is_logged_below_an_error_and_addresses_never(caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "uvicorn.error")  # as a user's own configuration might

    async def main():
        async with serving(saying("one")) as server, httpx.AsyncClient() as client:
            await client.get(f"{server.url}/?token=secret", timeout=10)

    run(main())
    ours = [record for record in caplog.records if record.name.startswith("uvicorn")]
    assert [record for record in ours if record.levelno > logging.INFO or "secret" in record.getMessage()] == []


STILL_THERE = """
import asyncio, os, signal, httpx
from patter_nb.server import serve
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"still here"})
async def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a kernel that is idle does
    server = serve(app, loop=asyncio.get_running_loop())
    async with httpx.AsyncClient() as client:
        await client.get(server.url)
        os.kill(os.getpid(), signal.SIGINT)
        print((await client.get(server.url)).text)
    await server.stop()
asyncio.run(main())
"""


def test_an_interrupt_leaves_it_up():
    done = subprocess.run([sys.executable, "-c", STILL_THERE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("still here\n", "")
