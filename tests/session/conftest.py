"""Whole calls in virtual time: a session with scripted providers, and the simulated caller at the other end of the line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from patter_nb.agent import Agent
from patter_nb.audio.vad import EnergyModel
from patter_nb.callers import Line, read_caller, render
from patter_nb.carriers.base import Connection
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import FarEndReport, SimulatedCaller
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.clock import CallClock, run_virtual
from patter_nb.live import Live, RevisionLine
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.session.call_start import start_call
from patter_nb.session.notices import Notices
from patter_nb.session.session import Session
from patter_nb.session.setup import CallSetup
from patter_nb.session.user_code import UserCode
from patter_nb.turns.facts import TurnFacts

CALL = "call_1"
GREETING = "Hello there, good evening!"
"""26 characters: 1.56 s of a scripted voice at its default pace."""

Meanwhile = Callable[["Tap", Session], Awaitable[None]]
Before = Callable[[Session], None]


class Tap:
    """The session's end of the line: notes what passes, and lets a test say something in the carrier's name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._clock = CallClock()
        self._more: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self._pump = asyncio.create_task(self._read())
        self.stream = ""
        self.zero = 0.0
        self.started = asyncio.Event()
        self.sent: list[tuple[float, dict[str, Any]]] = []
        """What the session sent, each with its second of the stream."""
        self.fails_to_send: BaseException | None = None

    async def _read(self) -> None:
        while (text := await self._connection.receive()) is not None:
            self._note(json.loads(text))
            self._more.put_nowait(text)
        self._more.put_nowait(None)

    def _note(self, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            self.stream, self.zero = message["streamSid"], self._clock.now()
            self.started.set()

    async def receive(self) -> str | None:
        text = await self._more.get()
        if isinstance(text, BaseException):
            raise text
        return text

    async def send(self, text: str) -> None:
        if self.fails_to_send is not None:
            raise self.fails_to_send
        self.sent.append((self._clock.now() - self.zero, json.loads(text)))
        await self._connection.send(text)

    async def close(self) -> None:
        await self._connection.close()

    async def at(self, seconds: float) -> None:
        """Wait until this second of the stream."""
        await self.started.wait()
        await self._clock.sleep_until(self.zero + seconds)

    def post(self, message: str | BaseException | dict[str, Any]) -> None:
        """Let the session receive this, or its socket raise it; a dictionary becomes a message of this stream."""
        if isinstance(message, dict):
            message = json.dumps({"streamSid": self.stream, **message})
        self._more.put_nowait(message)

    def of(self, event: str) -> list[float]:
        """When messages of this kind were sent."""
        return [at for at, message in self.sent if message["event"] == event]


@dataclass
class Held:
    """A call that is over, and everything that can be known of it."""

    log: CallLog
    session: Session
    tap: Tap
    report: FarEndReport
    error: BaseException | None
    tasks_left: list[str] = field(default_factory=list)

    @property
    def turns(self) -> list[TurnFacts]:
        return self.log.facts(CALL)

    @property
    def rows(self) -> pd.DataFrame:
        return self.log.call_turns(CALL)

    def turn(self, number: int) -> TurnFacts:
        (facts,) = [turn for turn in self.turns if turn.turn == number]
        return facts

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [dict(event.data) for event in self.log.event_rows(CALL) if event.kind == kind]

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.log.event_rows(CALL)]


def make_agent(**settings: Any) -> Agent:
    given: dict[str, Any] = {
        "system_prompt": "You are a test.", "first_message": GREETING, "stt": ScriptedSTT(["one", "two", "three", "four"]),
        "llm": ScriptedLLM(["First answer.", "Second answer.", "Third answer.", "Fourth answer."]), "tts": ScriptedTTS(),
    }  # fmt: skip
    return Agent(**{**given, **settings})


def facts(agent: Agent) -> CallFacts:
    return CallFacts(
        call_id=CALL, agent=agent.name, revision=1, direction="test", speed="max", started_at=datetime(2020, 1, 1, tzinfo=UTC),
        stt_provider=agent.stt.provider, stt_model=agent.stt.model,
        llm_provider=agent.llm.provider if agent.llm else "on_message", llm_model=agent.llm.model if agent.llm else "",
        tts_provider=agent.tts.provider, tts_model=agent.tts.model,
    )  # fmt: skip


def failed(log: CallLog, name: str, error: str) -> None:
    log.event(CALL, 0.0, "callback_failed", {"callback": name, "error": error})


async def _hold(
    agent: Agent,
    lines: Sequence[str | Line],
    *,
    meanwhile: Meanwhile | None,
    before: Before | None,
    cancel_at: float | None,
    no_reply_seconds: float | None,
    **setup: Any,
) -> Held:
    log = CallLog(None)
    log.begin(facts(agent))
    near, far = connection_pair()
    tap = Tap(near)
    given = {"codec": TwilioMediaCodec(), "voice_model": EnergyModel(), "real_time": False, **setup}
    if "callbacks" in given:
        user_code = UserCode(asyncio.get_running_loop())
        notices = Notices(given["callbacks"], user_code, asyncio.get_running_loop(), lambda name, error: failed(log, name, error))
        given |= {"user_code": user_code, "notices": notices}
    line = RevisionLine(agent.name)
    live = Live(line.stage(agent)[0], line, CALL)
    setup = CallSetup(call_id=CALL, live=live, connection=tap, log=log, **given)
    await start_call(setup)
    session = Session(setup)
    caller = SimulatedCaller(
        await render(read_caller(list(lines)), synthetic=True),
        expects_greeting=bool(live.current.agent.greeting),
        no_reply_seconds=no_reply_seconds or 8.0,
        max_seconds=agent.max_duration_seconds + 60,
    )
    others = asyncio.all_tasks()
    if before is not None:
        before(session)
    far_end = asyncio.create_task(caller.run(far, CallClock()))
    running = asyncio.create_task(session.run())
    acting = asyncio.create_task(meanwhile(tap, session)) if meanwhile else None
    if cancel_at is not None:
        await tap.at(cancel_at)
        running.cancel()
    await asyncio.wait((running,))
    await near.close()
    report = await far_end
    if acting is not None:
        await acting
    if "notices" in given:
        await given["notices"].drained()
    error = asyncio.CancelledError() if running.cancelled() else running.exception()
    left = [task.get_name() for task in asyncio.all_tasks() - others - {tap._pump}]
    return Held(log, session, tap, report, error, left)


@pytest.fixture
def hold() -> Callable[..., Held]:
    """`hold(lines, **agent settings, **fields of CallSetup)`: a call that is over.

    `meanwhile(tap, session)` acts during the call, `before(session)` ahead of it; `cancel_at`: the second at which the session's
    task is cancelled; `no_reply_seconds`: how long the caller waits for a reply that does not come.
    """

    def run(lines: Sequence[str | Line] = ("One?", "Two?"), **given: Any) -> Held:
        setup = {name: given.pop(name) for name in list(given) if name in CallSetup.__dataclass_fields__}
        control = {name: given.pop(name, None) for name in ("meanwhile", "before", "cancel_at", "no_reply_seconds")}
        return run_virtual(_hold(make_agent(**given), lines, **control, **setup))

    return run
