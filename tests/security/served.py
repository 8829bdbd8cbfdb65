"""A served phone, a caller on it in real time, and what an attack must not touch: the caller's turns, and the loop's peace."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests_of_telephony_wires import (
    ACCOUNT,
    ANSWER,
    CALLER,
    HOST,
    NUMBER,
    TOKEN,
    Answer,
    Pairs,
    ask,
    calling,
    parameters,
    post,
    sid,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, Static, Twilio
from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.audio.vad import EnergyModel
from patter_nb.call import Call
from patter_nb.carriers.simulated import FarEndReport, SpokenLine
from patter_nb.carriers.simulated.far_end import FarEnd
from patter_nb.carriers.simulated.hearing import Ear
from patter_nb.carriers.simulated.lines import on_the_telephone
from patter_nb.carriers.simulated.script import Script
from patter_nb.carriers.simulated.wire import CarrierWire
from patter_nb.clock import CallClock
from patter_nb.server import Bounds, serve
from patter_nb.telephony import server as server_module

GREETING = "Good evening."
SAYS = "My next line"
SILENCE = bytes([0xFF]) * 160
DESCRIPTORS = Path("/proc/self/fd")


class Socket:
    """A client's WebSocket as a connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def receive(self) -> str | None:
        try:
            return str(await self._socket.recv())
        except ConnectionClosed:
            return None

    async def send(self, text: str) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(text)

    async def close(self) -> None:
        await self._socket.close()


@dataclass
class Ringing:
    """A call that was answered with a stream, and whose audio has not come yet."""

    served: Served
    call_sid: str
    path: str
    token: str

    @property
    def wire(self) -> CarrierWire:
        return CarrierWire(account_sid=ACCOUNT, call_sid=self.call_sid)

    def open(self, path: str | None = None) -> connect:
        url = f"ws://127.0.0.1:{self.served.port}{self.path if path is None else path}"
        return connect(url, compression=None, max_size=None, close_timeout=1, ping_interval=None)


@dataclass
class Caller:
    """Somebody who talks with the agent while other things happen."""

    call: Call
    far_end: FarEnd
    work: asyncio.Task[None]
    lines: Sequence[str]

    async def hang_up(self) -> FarEndReport:
        self.far_end.hang_up()
        await asyncio.wait_for(self.work, 10)
        await self.call.ended(10)
        return self.far_end.report()

    async def says(self, exchanges: int) -> None:
        """Wait until so many lines more were answered."""
        wanted = self._answered + exchanges
        while self._answered < wanted:
            await asyncio.wait((self.work,), timeout=0.05)
            assert not self.work.done(), "the caller was cut off"

    @property
    def _answered(self) -> int:
        return len(self.call._log.facts(self.call.id))


@dataclass
class Served:
    phone: Patter
    server: Any
    said: list[str]
    records: list[logging.LogRecord]
    troubles: list[dict[str, Any]] = field(default_factory=list)
    """What the loop's exception handler got."""
    calls: int = 0

    @property
    def port(self) -> int:
        port: int = self.server.port
        return port

    async def ask(self, request: bytes) -> Answer:
        return await ask(self.port, request)

    async def tell(self, path: str, pairs: Pairs) -> Answer:
        """A webhook as Twilio sends it."""
        return await self.ask(post(f"/webhooks/twilio/{path}", pairs))

    async def ring(self) -> Ringing:
        """Let a call come in."""
        self.calls += 1
        call_sid = sid("CA", self.calls)
        answer = await self.ask(post(ANSWER, calling(call_sid)))
        assert answer.status == 200, answer
        told = parameters(answer.body)
        return Ringing(self, call_sid, told["path"], told["token"])

    def form(self, ringing: Ringing) -> Pairs:
        """With what it came in."""
        return calling(ringing.call_sid)

    @contextlib.asynccontextmanager
    async def talking(self, lines: int = 40) -> AsyncIterator[Caller]:
        """A call with somebody who says so many lines, or until they hang up."""
        ringing = await self.ring()
        call = self.phone.last_call
        assert call is not None
        async with ringing.open() as socket:
            voice, hz = synthetic_voice(SAYS)
            spoken = [on_the_telephone(SpokenLine(f"{SAYS} {number}", voice, hz, 0.2)) for number in range(lines)]
            ear = Ear()
            script = Script(spoken, ear, expects_greeting=True, no_reply_seconds=8.0, hang_up_seconds=0.5)
            far_end = FarEnd(
                Socket(socket), CallClock(), lines=spoken, script=script, ear=ear, noise=None,
                parameters={"token": ringing.token}, max_seconds=600, wire=ringing.wire,
            )  # fmt: skip
            work = asyncio.create_task(far_end.run())
            try:
                yield Caller(call, far_end, work, [line.line.text for line in spoken])
            finally:
                far_end.hang_up()
                await asyncio.wait((work,), timeout=10)
        await call.over()

    def unharmed(self, caller: Caller, report: FarEndReport) -> None:
        """The caller was heard and answered line by line, and every mark came back."""
        turns = self.phone._log.facts(caller.call.id)
        assert [turn.heard_text for turn in turns[:1]] == [GREETING]
        answered = turns[1:]
        if answered and answered[-1].interrupted:  # by the hang-up
            answered.pop()
        assert answered
        assert [turn.caller_text for turn in answered] == [f"{SAYS} {number}" for number in range(len(answered))]
        assert [turn.heard_text for turn in answered] == [f"Answer {number}." for number in range(len(answered))]
        assert not any(turn.interrupted or turn.error for turn in answered)
        assert report.ended_by == "caller"
        assert caller.call.end_reason == "caller hung up"
        errors = [event.data["error"] for event in self.phone._log.event_rows(caller.call.id) if event.kind == "carrier_error"]
        assert [error for error in errors if "look up the call" not in error] == []  # nobody is there to tell its price
        assert [mark for mark in report.marks if mark.cleared] == []

    @property
    def calls_begun(self) -> int:
        return len(self.phone._calls)

    def call_of(self, ringing: Ringing) -> Call:
        """The call, by the carrier's id of it."""
        return next(call for call in self.phone._calls if call.carrier_call_id == ringing.call_sid)

    def kinds(self, call: Call) -> list[str]:
        return [event.kind for event in self.phone._log.event_rows(call.id)]

    async def answers(self) -> None:
        """Whether calls still come in: one does, and leaves before its audio."""
        ringing = await self.ring()
        told = await self.tell("status", [("CallSid", ringing.call_sid), ("CallStatus", "completed")])
        assert told.status == 204

    def held(self) -> tuple[int, int, int]:
        """What is open: tasks of the loop, sockets of the server, file descriptors of the process."""
        connections = self.server._listening._server.server_state.connections
        return len(asyncio.all_tasks()), len(connections), sum(1 for _ in DESCRIPTORS.iterdir())

    async def lets_go(self, before: tuple[int, int, int]) -> None:
        """Wait until no more is open than before, calls that wait for their audio ended."""
        for call in self.phone._calls:
            call.stop()
        async with asyncio.timeout(15):
            while any(now > then for now, then in zip(self.held(), before, strict=True)):
                await asyncio.wait((asyncio.get_running_loop().create_future(),), timeout=0.05)

    def quiet(self) -> None:
        """Nothing was logged, nothing printed but what belongs there, and no secret or number anywhere."""
        assert self.troubles == []
        assert [record.getMessage() for record in self.records] == []
        for line in self.said:
            assert TOKEN not in line
            assert CALLER not in line
            assert NUMBER not in line


class _Records(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__(logging.WARNING)
        self.emit = records.append  # type: ignore[method-assign,assignment]


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """A carrier's REST that knows nothing."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class _Lines(io.StringIO):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.append(text)
        return len(text)


@contextlib.asynccontextmanager
async def serving(bounds: Bounds | None = None, **callbacks: Any) -> AsyncIterator[Served]:
    """A phone that answers calls, watched: what it logs, what its loop reports. `bounds` in the place of its port's own."""
    said: list[str] = []
    records: list[logging.LogRecord] = []
    rest = serve(_nothing, loop=asyncio.get_running_loop())
    carrier = Twilio(ACCOUNT, TOKEN, base_url=rest.url)
    phone = Patter(carrier=carrier, phone_number=NUMBER, webhook_url=HOST, store=False, show=False)
    agent = phone.agent(
        "A test.",
        stt=ScriptedSTT([f"{SAYS} {number}" for number in range(1_000)], final_seconds=0.02),
        llm=ScriptedLLM(lambda messages: f"Answer {sum(message.role == 'user' for message in messages) - 1}.",
                        first_token_seconds=0.02),
        tts=ScriptedTTS(first_byte_seconds=0.02, seconds_per_character=0.03),
        vad=EnergyModel(), first_message=GREETING,
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    handler, before = _Records(records), loop.get_exception_handler()
    logging.getLogger().addHandler(handler)
    usual = server_module.BOUNDS
    server_module.BOUNDS = bounds or usual
    with contextlib.redirect_stdout(_Lines(said)):
        try:
            server = await phone.serve(agent, port=0, tunnel=Static(HOST), manage_webhook=False, block=False, **callbacks)
        finally:
            server_module.BOUNDS = usual
    server.afterwards._price_after = (0.0,)
    served = Served(phone, server, said, records)
    loop.set_exception_handler(lambda _, trouble: served.troubles.append(trouble))
    try:
        yield served
    finally:
        await server.stop()
        await rest.stop()
        loop.set_exception_handler(before)
        logging.getLogger().removeHandler(handler)
