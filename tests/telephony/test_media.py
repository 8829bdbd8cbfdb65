"""The socket of a call's audio: it opens for the call's own token, once, and what a session sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect
from tests_of_telephony_wires import ORIGIN, TOKEN, sid
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from patter_nb.carriers.simulated.wire import CarrierWire
from patter_nb.server import Bounds, serve
from patter_nb.telephony import media as media_module
from patter_nb.telephony.door import Door
from patter_nb.telephony.media import BEFORE_START, FLOOD_MESSAGES, FLOODED, REFUSED, TURN_MESSAGES, MediaSocket
from patter_nb.telephony.routes import make_app

SECRET, OURS, OTHERS = "the-token-of-this-call", sid("CA", 1), sid("CA", 2)
SILENCE = bytes([0xFF]) * 160


@dataclass
class Waiting:
    """A call: it reads what its socket brings."""

    token: str = SECRET
    is_spent: bool = False
    socket: MediaSocket | None = None
    heard: list[str] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def admits(self, token: str, carrier_call_id: str) -> bool:
        admitted = not self.is_spent and (token, carrier_call_id) == (self.token, OURS)
        self.is_spent = self.is_spent or admitted
        return admitted

    def connected(self, socket: MediaSocket) -> None:
        self.socket = socket
        self.reading = asyncio.create_task(self._read(socket))
        self.opened.set()

    async def _read(self, socket: MediaSocket) -> None:
        while (text := await socket.receive()) is not None:
            self.heard.append(text)

    async def read(self) -> MediaSocket:
        """Wait until its socket is over."""
        async with asyncio.timeout(5):
            await self.opened.wait()
            await self.reading
        assert self.socket is not None
        return self.socket


class Desk:
    def __init__(self, **calls: Waiting) -> None:
        self.calls = calls

    def waiting(self, call_id: str) -> Waiting | None:
        return self.calls.get(call_id)


class Line:
    """The carrier's end of a socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.wire = CarrierWire(call_sid=OURS)

    async def send(self, *messages: str | bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in messages:
                await self.socket.send(message)

    async def begin(self, token: str = SECRET) -> None:
        await self.send(self.wire.connected(), self.wire.start({"token": token}))

    async def code(self) -> int | None:
        """What it is closed with."""
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(5):
                while True:
                    await self.socket.recv()
        return self.socket.close_code


@contextlib.asynccontextmanager
async def served(bounds: Bounds | None = None, **calls: Waiting) -> AsyncIterator[Any]:
    desk = Desk(**calls)
    app = make_app(desk, Door(lambda: TOKEN, lambda: ORIGIN))
    server = serve(app, loop=asyncio.get_running_loop(), bounds=bounds or Bounds())

    @contextlib.asynccontextmanager
    async def dial(call_id: str = "ours") -> AsyncIterator[Line]:
        async with connect(f"ws://127.0.0.1:{server.port}/ws/stream/{call_id}", compression=None, close_timeout=1) as socket:
            yield Line(socket)

    try:
        yield dial
    finally:
        await server.stop()


def start(**changes: Any) -> str:
    """A start message with these fields of its `start` changed; None: left out."""
    message = json.loads(CarrierWire(call_sid=OURS).start({"token": SECRET}))
    message["start"] = {name: value for name, value in (message["start"] | changes).items() if value is not None}
    return json.dumps(message)


def stranger(event: str) -> str:
    wire = CarrierWire(call_sid=OURS)
    return {"media": wire.media(SILENCE, 0), "mark": wire.mark("r1.s1.1"), "dtmf": wire.dtmf("1"), "stop": wire.stop()}[event]


CONNECTED = CarrierWire().connected()

REFUSALS = {
    "no token": [CONNECTED, start(customParameters={})],
    "no parameters": [CONNECTED, start(customParameters=None)],
    "an empty token": [CONNECTED, start(customParameters={"token": ""})],
    "a wrong token": [CONNECTED, start(customParameters={"token": "x" * len(SECRET)})],
    "a token under another name": [CONNECTED, start(customParameters={"Token": SECRET})],
    "a token that is half a character": [CONNECTED, start(customParameters={"token": "\ud800"})],
    "a token that is no text": [CONNECTED, start(customParameters={"token": 1})],
    "the token of another call": [CONNECTED, start(customParameters={"token": "the-token-of-another"})],
    "the right token with another call's id": [CONNECTED, start(callSid=OTHERS)],
    "the right token without the call's id": [CONNECTED, start(callSid=None)],
    "another format": [CONNECTED, start(mediaFormat={"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1})],
    "another track": [CONNECTED, start(tracks=["outbound"])],
    "media before the start": [CONNECTED, stranger("media"), start()],
    "a mark before the start": [CONNECTED, stranger("mark"), start()],
    "a key before the start": [CONNECTED, stranger("dtmf"), start()],
    "a stop before the start": [CONNECTED, stranger("stop"), start()],
    "a start after too many words": [*[CONNECTED] * BEFORE_START, start()],
    "bytes": [CONNECTED, start().encode()],
    "an empty text": [""],
    "no JSON": ["connected"],
    "half of it": [start()[:-1]],
    "no object": ["[]"],
    "nothing": ["null"],
    "a number of ten thousand digits": ["1" * 10_000],
    "thirty thousand brackets": ["[" * 30_000],
    "an event that is none": ['{"event": {}}'],
}


@pytest.fixture(scope="module")
def refusals() -> dict[str, tuple[int | None, bool]]:
    """What each of them is closed with, and whether the call still waits for its own socket after it."""

    async def main() -> dict[str, tuple[int | None, bool]]:
        found, call = {}, Waiting()
        async with served(ours=call, another=Waiting("the-token-of-another")) as dial:
            for name, messages in REFUSALS.items():
                async with dial() as line:
                    await line.send(*messages)
                    found[name] = await line.code(), call.socket is None and not call.is_spent
            async with dial() as line:
                await line.begin()
                await line.send(line.wire.stop())
                await line.socket.close()
            assert call.socket is not None
        return found

    return asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_socket_that_does_not_prove_itself_is_closed_and_the_call_waits_on(name, refusals, caplog):
    assert refusals[name] == (REFUSED, True)
    assert caplog.records == []


def test_a_socket_that_says_nothing_is_not_waited_for(run, monkeypatch):
    monkeypatch.setattr(media_module, "START_SECONDS", 0.1)

    async def main():
        async with served(ours=Waiting()) as dial, dial() as line:
            return await line.code()

    assert run(main()) == REFUSED


@pytest.mark.parametrize("call_id", ["over", "unknown", "ou%00rs", "..%2fours", "ours/x", ""])
def test_a_socket_of_no_call_that_waits_is_refused_before_it_opens(call_id, run):
    async def main():
        async with served(ours=Waiting(), over=Waiting(is_spent=True)) as dial:
            with pytest.raises(InvalidStatus) as refused:
                async with dial(call_id):
                    pass
            return refused.value.response.status_code

    assert run(main()) == 403


def test_the_call_reads_its_socket_from_the_first_message_on(run):
    async def main():
        call = Waiting()
        async with served(ours=call) as dial:
            async with dial() as line:
                await line.begin()
                await line.send(line.wire.media(SILENCE, 0), b"bytes", line.wire.stop())
            await call.read()
        return call.heard

    heard = run(main())
    assert [json.loads(text)["event"] if text else text for text in heard] == ["connected", "start", "media", "", "stop"]


def test_a_token_is_good_for_one_socket(run):
    async def main():
        call = Waiting()
        async with served(ours=call) as dial, dial() as first, dial() as second:
            await first.begin()
            await first.send(first.wire.mark("r1.s1.1"))
            await second.begin()
            assert await second.code() == REFUSED
            with pytest.raises(InvalidStatus):
                async with dial():
                    pass
            await first.send(first.wire.stop())
            await first.socket.close()
            await call.read()
            return len(call.heard)

    assert run(main()) == 4


def test_what_is_sent_arrives_and_a_hang_up_closes_it_once(run):
    async def main():
        call = Waiting()
        async with served(ours=call) as dial, dial() as line:
            await line.begin()
            await line.send(line.wire.mark("r1.s1.1"))
            await call.opened.wait()
            await call.socket.send("to the carrier")
            assert await line.socket.recv() == "to the carrier"
            await call.socket.close()
            await call.socket.close()
            await call.socket.send("to nobody")
            assert await call.socket.receive() is None
            return await line.code()

    assert run(main()) == 1000


@pytest.mark.parametrize("way", ["close", "abort"])
def test_a_carrier_that_leaves_ends_the_reading_and_what_is_sent_then_is_dropped(way, run, caplog):
    async def main():
        call = Waiting()
        async with served(ours=call) as dial, dial() as line:
            await line.begin()
            await call.opened.wait()
            if way == "close":
                await line.socket.close()
            else:
                line.socket.transport.abort()
            socket = await call.read()
            await socket.send("too late")
            assert socket.closed.is_set()
            return socket.flooded

    assert run(main()) is False
    assert caplog.records == []


def test_a_carrier_that_is_not_there_any_more_is_noticed_by_a_ping(run):
    async def main():
        call = Waiting()
        async with served(Bounds(ping_seconds=0.1), ours=call) as dial, dial() as line:
            await line.begin()
            await call.opened.wait()
            line.socket.transport.pause_reading()  # it answers no ping, and closes nothing
            await call.read()
            line.socket.transport.abort()
            return call.heard[-1]

    assert json.loads(run(main()))["event"] == "start"


def test_a_message_that_is_too_long_closes_the_socket(run):
    async def main():
        call = Waiting()
        async with served(ours=call) as dial, dial() as line:
            await line.begin()
            await call.opened.wait()
            await line.send("x" * 65_537)
            code = await line.code()
            await call.read()
            return code, len(call.heard)

    assert run(main()) == (1009, 2)


FLOODS = {"short ones": ("{}", FLOOD_MESSAGES), "long ones": ("x" * 51_200, FLOOD_MESSAGES // 100)}


@pytest.mark.parametrize("name", FLOODS)
def test_more_messages_than_a_call_has_end_it(name, run):
    message, most = FLOODS[name]

    async def main():
        call = Waiting()
        async with served(ours=call) as dial, dial() as line:
            await line.begin()
            await line.send(*[message] * (2 * most))
            code = await line.code()
            return code, (await call.read()).flooded, len(call.heard)

    code, flooded, heard = run(main())
    assert flooded
    assert code in (FLOODED, 1006)  # what it still sent is not read, so the reason may not reach it
    assert most * 0.9 < heard <= most + 2


HANDSHAKE = (
    b"GET /ws/stream/%s HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.mark.parametrize("call_id", [b"ours", b"unknown"])
def test_a_carrier_that_leaves_during_the_handshake_leaves_nothing_behind(call_id, run, caplog):
    async def main():
        async with served(ours=Waiting()) as dial:
            async with dial() as line:  # the application is there
                port = line.socket.remote_address[1]
            others = asyncio.all_tasks()
            for _ in range(50):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(HANDSHAKE % call_id)
                await asyncio.sleep(0)
                writer.transport.abort()
            async with asyncio.timeout(5):
                while left := asyncio.all_tasks() - others:
                    await asyncio.wait(left, timeout=0.05)

    run(main())
    assert caplog.records == []


class Gone:
    """A WebSocket whose other side has left, which nobody was told yet."""

    async def send_text(self, text: str) -> None:
        raise WebSocketDisconnect(1006)

    async def close(self, code: int) -> None:
        raise WebSocketDisconnect(1006)


def test_what_is_sent_to_a_carrier_that_has_left_is_dropped(run):
    async def main():
        socket = MediaSocket(Gone(), [])
        await socket.send("too late")
        await socket.close()
        return await socket.receive()

    assert run(main()) is None


class Full:
    """A WebSocket on which the next message is always there."""

    async def receive(self) -> dict[str, str]:
        return {"type": "websocket.receive", "text": "{}"}


def test_whoever_has_much_to_say_lets_others_speak_in_between():
    async def main():
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        socket = MediaSocket(Full(), [])
        for _ in range(10 * TURN_MESSAGES):
            assert await socket.receive() == "{}"
        task.cancel()
        return turns

    assert asyncio.run(main()) >= 9


def test_what_waited_for_a_busy_notebook_is_no_flood(monkeypatch):
    """A minute of a call's messages at once, and its usual ones after that."""

    async def main():
        loop, now = asyncio.get_running_loop(), [0.0]
        monkeypatch.setattr(loop, "time", lambda: now[0])
        socket = MediaSocket(Full(), [])
        floods = [socket._floods("x" * 350) for _ in range(60 * 50)]
        for _ in range(60 * 50):
            now[0] += 0.02
            floods.append(socket._floods("x" * 350))
        return any(floods)

    assert asyncio.run(main()) is False
