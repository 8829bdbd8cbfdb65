"""A call that is typed: the whole of an agent but its ears and voice, in a terminal.

Guardrails, hooks, tools, the model, callbacks and the rows are those of a spoken call; a keyboard stands in for the recogniser
and the screen for the voice, and each row says so (`stand_in`).
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from patter_nb.audio.formats import MULAW_8K, AudioFormat
from patter_nb.audio.vad import EnergyModel
from patter_nb.call import Call
from patter_nb.callbacks import Callbacks
from patter_nb.carriers.base import Connection
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated.wire import CarrierWire, Mark
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.errors import ConfigError
from patter_nb.live import Live
from patter_nb.providers.base import AudioChunk, CallContext, STTEvent, Transcript, TTSEvent
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.masking import mask_text
from patter_nb.session.call_start import start_call
from patter_nb.session.notices import CallEvent, Notices
from patter_nb.session.session import Session
from patter_nb.session.setup import CallSetup, CallTerms
from patter_nb.session.user_code import UserCode
from patter_nb.simulation import TEST_CALLEE, TEST_CALLER
from patter_nb.turns.usage import Price, Usage

HANGOVER_MS = 150
"""A typed line is complete when it comes, so the least silence is granted."""

KEYS = re.compile(r"[0-9*#]+")
HELP = """/quit or /hangup end the call, /transfer NUMBER hands it over, /history shows it so far.
A line of digits, * and # is pressed on the telephone; anything else is said."""

_SILENCE = b"\xff" * MULAW_8K.frame_bytes
"""What a segment sounds like that is read: 20 ms."""


@dataclass(eq=False)
class Keyboard:
    """A recogniser that hears what is typed."""

    provider: str = "keyboard"
    model: str = "typed"
    formats: tuple[AudioFormat, ...] = (MULAW_8K,)
    ends_turns: Literal["session"] = "session"
    virtual_time: bool = True
    price: Price | None = field(default_factory=Price)
    _typed: asyncio.Queue[str] = field(default_factory=asyncio.Queue, repr=False)

    def ready(self) -> None:
        """Always ready."""

    def say(self, text: str) -> None:
        """Somebody typed this. On the call's loop."""
        self._typed.put_nowait(text)

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[Keyboard]:  # noqa: ARG002 (the protocol's)
        yield self

    def push(self, audio: bytes, at: float) -> None:
        """Nobody speaks."""

    def speech_started(self, at: float) -> None:
        """Nobody speaks."""

    def finalize(self) -> None:
        self._typed.put_nowait("")

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        while True:
            yield Transcript(await self._typed.get(), final=True)


@dataclass(eq=False)
class Screen:
    """A voice that is read: each segment is shown when it would be spoken."""

    show: Callable[[str], None]
    provider: str = "screen"
    model: str = "printed"
    voice: str = "text"
    formats: tuple[AudioFormat, ...] = (MULAW_8K,)
    virtual_time: bool = True
    price: Price | None = field(default_factory=Price)

    def ready(self) -> None:
        """Always ready."""

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[Screen]:  # noqa: ARG002 (the protocol's)
        yield self

    async def speak(self, text: str) -> AsyncIterator[TTSEvent]:
        yield Usage("tts", self.provider, self.model, characters=len(text))
        self.show(text)
        yield AudioChunk(_SILENCE)


class QuietPhone:
    """The caller's end of a line on which nothing sounds: what it is sent has played as soon as it is there."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._wire = CarrierWire()

    async def run(self) -> None:
        """Hold the line until the other side hangs up."""
        await self._line.send(self._wire.connected())
        await self._line.send(self._wire.start({"caller": TEST_CALLER, "callee": TEST_CALLEE}))
        while (text := await self._line.receive()) is not None:
            order = self._wire.read(text)
            if isinstance(order, Mark):
                await self._line.send(self._wire.mark(order.name))

    async def press(self, keys: str) -> None:
        for key in keys:
            await self._line.send(self._wire.dtmf(key))

    async def hang_up(self) -> None:
        await self._line.send(self._wire.stop())


class ConsoleTest:
    """One typed call as it was ordered. `read` and `write` are the terminal."""

    def __init__(
        self,
        log: CallLog,
        live: Live,
        *,
        user_code: UserCode,
        callbacks: Callbacks,
        notices: Notices,
        read: TextIO | None = None,
        write: Callable[[str], None] | None = None,
    ) -> None:
        self._log = log
        self._live = live
        self._user_code = user_code
        self._callbacks = callbacks
        self._notices = notices
        self._read = read or sys.stdin
        self._write = write or _print
        self._keyboard = Keyboard()
        screen = Screen(lambda text: self._write(f" agent  {text}"))
        live.keep("typed in a terminal", stt=self._keyboard, tts=screen, hangover_ms=HANGOVER_MS)

    def facts(self, call_id: str) -> CallFacts:
        """The call's row as it begins."""
        agent = self._live.current.agent
        llm = None if self._callbacks.on_message is not None else agent.llm
        return CallFacts(
            call_id=call_id,
            agent=agent.name,
            revision=self._live.current.number,
            direction="test",
            source="typed",
            carrier="console",
            caller=TEST_CALLER,
            callee=TEST_CALLEE,
            started_at=datetime.now(UTC),
            stt_provider=self._keyboard.provider,
            stt_model=self._keyboard.model,
            llm_provider="on_message" if llm is None else llm.provider,
            llm_model="" if llm is None else llm.model,
            tts_provider="screen",
            tts_model="printed",
            stand_in=("stt", "tts"),
        )

    async def hold(self, call: Call) -> None:
        """Hold the call until one side ends it."""
        terms = self._terms(call)
        await start_call(terms)
        self._log.amend(self.facts(call.id))
        near, far = connection_pair()
        phone = QuietPhone(far)
        session = Session(self._setup(call, terms, near))
        call.attach(session)
        self._write(HELP)
        works = (phone.run(), self._listen(call, phone), self._follow(call))
        beside = [asyncio.create_task(work, name="console") for work in works]
        try:
            await session.run()
        finally:
            await near.close()
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            self._write(f"        call over: {session.end_reason}")

    def _terms(self, call: Call) -> CallTerms:
        return CallTerms(
            call_id=call.id,
            live=self._live,
            log=self._log,
            caller=TEST_CALLER,
            callee=TEST_CALLEE,
            carrier="console",
            user_code=self._user_code,
            callbacks=self._callbacks,
            notices=self._notices,
        )

    def _setup(self, call: Call, terms: CallTerms, connection: Connection) -> CallSetup:
        return CallSetup(
            **vars(terms),
            connection=connection,
            codec=TwilioMediaCodec(),
            voice_model=EnergyModel("Voice activity is not needed: the call is typed"),
            record=False,
            turn_closed=call.refresh,
        )

    async def _listen(self, call: Call, phone: QuietPhone) -> None:
        """Do what is typed, line by line."""
        lines: asyncio.Queue[str] = asyncio.Queue()
        _read_in_thread(self._read, lines)
        while line := await lines.get():
            await self._obey(call, phone, line.strip())
        await phone.hang_up()

    async def _obey(self, call: Call, phone: QuietPhone, line: str) -> None:
        command, _, rest = line.partition(" ")
        if command in ("/quit", "/hangup"):
            await phone.hang_up()
        elif command == "/transfer":
            try:
                call.transfer(rest)
            except ConfigError as error:
                self._write(f"        {error}")
        elif command == "/history":
            for said in call.transcript:
                self._write(f"        {said['role']:>9}  {said['text']}")
        elif command.startswith("/"):
            self._write(HELP)
        elif KEYS.fullmatch(line):
            await phone.press(line)
        elif line:
            self._keyboard.say(line)

    async def _follow(self, call: Call) -> None:
        """Show what happens besides talking."""
        async for event in call.stream():
            for line in told(event):
                self._write(f"        {line}")


def told(event: CallEvent) -> list[str]:
    """What a terminal shows of an event, numbers masked."""
    data = event.data
    if event.kind == "tool_called":
        return [mask_text(f"tool {data['name']} {data['arguments']}")]
    if event.kind == "tool_progress":
        return [mask_text(f"tool {data['name']}: {data['text']}")]
    if event.kind == "tool_returned":
        return [mask_text(f"tool {data['name']} -> {data['result'] if data['error'] is None else data['error']}")]
    if event.kind == "guardrail":
        return [f"guardrail {data['name']} replaced the rest of the answer"]
    if event.kind == "revision":
        return [f"revision {data['revision']} answers from here on"]
    if event.kind == "metrics" and data["llm_ttft_ms"] is not None:
        return [f"first token after {data['llm_ttft_ms']:.0f} ms"]
    return []


def _read_in_thread(source: TextIO, lines: asyncio.Queue[str]) -> None:
    """Read lines for as long as there are any; an empty one at the end. The thread may outlive the call, waiting for a line."""
    loop = asyncio.get_running_loop()

    def work() -> None:
        for line in iter(source.readline, ""):
            if not _hand(loop, lines, line):
                return
        _hand(loop, lines, "")

    threading.Thread(target=work, name="console input", daemon=True).start()


def _hand(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str], line: str) -> bool:
    try:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    except RuntimeError:  # the loop is closed
        return False
    return True


def _print(text: Any) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
