"""The server that a carrier calls: its port, its public name, its end. No call is needed for any of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import httpx
import pytest

from patter_nb.carriers.twilio import Twilio
from patter_nb.errors import ConfigError, PatterError
from patter_nb.telephony.readiness import Readiness
from patter_nb.telephony.server import REOPENINGS, PhoneServer, need_tunnel, served
from patter_nb.tunnels import OpenTunnel, Static

NUMBER = "+15550001234"
CARRIER = Twilio(account_sid="AC" + "1" * 32, auth_token="2" * 32)


class Webhook:
    """What points a number somewhere, as far as a server asks it."""

    def __init__(self, origin: str, done: list[str], refuses: bool = False) -> None:
        self.origin, self.done, self.refuses = origin, done, refuses

    async def begin(self) -> None:
        if self.refuses:
            raise PatterError("The account does not own the number.")
        self.done.append(f"begin {self.origin}")

    async def end(self) -> None:
        self.done.append(f"end {self.origin}")

    async def again(self, manage: bool | None) -> None:
        self.done.append(f"again {manage}")


class Ways:
    """A tunnel whose names are given one by one; `lose()` loses the one that stands."""

    def __init__(self, *hosts: str, done: list[str] | None = None) -> None:
        self.hosts, self.done = list(hosts), [] if done is None else done
        self.lost: asyncio.Future[str]

    @contextlib.asynccontextmanager
    async def open(self, port: int, tell: Any) -> Any:
        host = self.hosts.pop(0)
        self.lost = asyncio.get_running_loop().create_future()
        self.done.append(f"open {host}")
        try:
            yield OpenTunnel(host, self.lost)
        finally:
            self.done.append(f"close {host}")


@contextlib.asynccontextmanager
async def started(tunnel: Any = None, *, done: list[str] | None = None, tell: Any = lambda _: None) -> Any:
    server = PhoneServer(CARRIER, NUMBER, tunnel or Static("calls.example.com"), port=0, tell=tell)
    happened = [] if done is None else done
    try:
        await server.start(Readiness(), lambda origin: Webhook(origin, happened))  # type: ignore[arg-type, return-value]
        yield server
    finally:
        await server.stop()


def test_a_server_that_has_started_listens_and_is_known_by_its_port_until_it_stops(run):
    async def main():
        async with started() as server:
            port = server.port
            assert served(port) is server
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"http://127.0.0.1:{port}/health")
            assert (answer.status_code, server.origin, server.stopped) == (200, "https://calls.example.com", False)
            assert await server.readiness.ready == await server.readiness.tunnel == "calls.example.com"
        assert (served(port), server.stopped) == (None, True)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
        await server.stop()
        await server.closed()

    run(main())


def test_what_was_begun_is_ended_in_the_reverse_order(run):
    done: list[str] = []

    async def main():
        async with started(Ways("one.example.com", done=done), done=done) as server:
            await server.point(None)

    run(main())
    origin = "https://one.example.com"
    assert done == ["open one.example.com", f"begin {origin}", "again None", f"end {origin}", "close one.example.com"]


def test_a_number_that_cannot_be_pointed_here_closes_all_again_and_says_why(run):
    done: list[str] = []

    async def main():
        ways = Ways("one.example.com", done=done)
        server = PhoneServer(CARRIER, NUMBER, ways, port=0, tell=done.append)
        readiness = Readiness()
        with pytest.raises(PatterError, match="does not own"):
            await server.start(readiness, lambda origin: Webhook(origin, done, refuses=True))  # type: ignore[arg-type, return-value]
        with pytest.raises(PatterError, match="does not own"):
            await readiness.ready
        with pytest.raises(PatterError, match="does not own"):
            await server.closed()
        return server.stopped, served(server.port)

    assert run(main()) == (True, None)
    assert done[-1] == "close one.example.com"


def test_a_tunnel_that_is_lost_is_opened_again_a_few_times(run):
    hosts = [f"{number}.example.com" for number in range(1 + REOPENINGS)]
    done: list[str] = []
    said: list[str] = []

    async def main():
        ways, told = Ways(*hosts), asyncio.Event()

        def tell(line: str) -> None:
            said.append(line)
            told.set()

        async with started(ways, done=done, tell=tell) as server:
            for host in hosts:
                assert await server.readiness.ready == server.host == host
                ways.lost.set_result("cut")
                if host != hosts[-1]:
                    await told.wait()
                    told.clear()
            with pytest.raises(PatterError, match=f"lost {1 + REOPENINGS} times"):
                await server.closed()
            return server.stopped

    assert run(main())
    assert [line for line in done if line.startswith("begin")] == [f"begin https://{host}" for host in hosts]
    assert said[0] == "The tunnel was lost (cut); another one is opened."


def test_an_interrupt_while_the_tunnel_opens_closes_all(run):
    class Slow:
        def __init__(self) -> None:
            self.opening = asyncio.Event()

        @contextlib.asynccontextmanager
        async def open(self, port: int, tell: Any) -> Any:
            self.opening.set()
            await asyncio.Event().wait()
            yield

    async def main():
        slow = Slow()
        server = PhoneServer(CARRIER, NUMBER, slow, port=0, tell=print)  # type: ignore[arg-type]
        starting = asyncio.create_task(server.start(Readiness(), lambda origin: Webhook(origin, [])))  # type: ignore[arg-type, return-value]
        await slow.opening.wait()
        port = server.port
        starting.cancel()
        await asyncio.wait((starting,))
        return starting.cancelled(), server.stopped, served(port)

    assert run(main()) == (True, True, None)


def test_a_server_fits_what_it_was_made_with_while_it_runs(run):
    async def main():
        async with started(way := Static("calls.example.com")) as server:
            fits = [
                server.fits(CARRIER, NUMBER, way),
                server.fits(CARRIER, NUMBER, Static("calls.example.com")),
                server.fits(CARRIER, "+15550009999", way),
                server.fits(Twilio(account_sid="AC" + "3" * 32, auth_token="2" * 32), NUMBER, way),
                server.fits(CARRIER, NUMBER, Static("other.example.com")),
            ]
        return fits, server.fits(CARRIER, NUMBER, way)

    assert run(main()) == ([True, True, False, False, False], False)


def test_what_a_server_shows_masks_its_number(run):
    async def main():
        async with started() as server:
            shown = repr(server)
        return shown, repr(server)

    on, off = run(main())
    assert "https://calls.example.com -> port" in on
    assert on.endswith(", 0 calls>")
    assert off.endswith(", stopped>")
    assert NUMBER not in on + off


def test_without_a_tunnel_it_is_said_how_to_get_one():
    with pytest.raises(ConfigError, match=r"tunnel is missing: .* tunnel=True opens one"):
        need_tunnel(None)
    way = Static("calls.example.com")
    assert need_tunnel(way) is way
