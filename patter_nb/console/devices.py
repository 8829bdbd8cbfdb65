"""What a keyboard and a screen are in a typed call: its ears, its voice, and a telephone on which nothing sounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from patter_nb.audio.formats import MULAW_8K, AudioFormat
from patter_nb.carriers.base import Connection
from patter_nb.carriers.simulated.wire import CarrierWire, Mark
from patter_nb.providers.base import AudioChunk, CallContext, STTEvent, Transcript, TTSEvent
from patter_nb.spoken import TEST_CALLEE, TEST_CALLER
from patter_nb.turns.usage import Price, Usage

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
    _typed: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue, repr=False)
    """None at the end."""

    def ready(self) -> None:
        """Always ready."""

    def say(self, text: str) -> None:
        """Somebody typed this. On the call's loop."""
        self._typed.put_nowait(text)

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[Keyboard]:  # noqa: ARG002 (the protocol's)
        try:
            yield self
        finally:
            self._typed.put_nowait(None)

    def push(self, audio: bytes, at: float) -> None:
        """Nobody speaks."""

    def speech_started(self, at: float) -> None:
        """Nobody speaks."""

    def finalize(self) -> None:
        self._typed.put_nowait("")

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        while (typed := await self._typed.get()) is not None:
            yield Transcript(typed, final=True)


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
