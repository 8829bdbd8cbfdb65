"""The recogniser of one call: opened, read, and opened again when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from patter_nb.agent import Agent
from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import ProviderError
from patter_nb.providers.base import STTEvent, STTStream, Transcript, TurnEnded, choose_format
from patter_nb.session.ahead import LAST_WORDS_SECONDS
from patter_nb.session.boundary import guard, guarded
from patter_nb.session.inbound import Inbound, Recogniser
from patter_nb.session.meter import Meter
from patter_nb.session.patience import opened
from patter_nb.turns.events import (
    Event,
    FinalReceived,
    HangUpRequested,
    InterimReceived,
    ProviderTurnEnded,
    TranscriptionFailed,
)

REOPEN_AFTER_SECONDS = (0.1, 0.3, 1.0)
"""Waits before a recogniser that failed is opened again, one for each failure without words between; then the call ends."""

BACKLOG_FRAMES = 500
"""What the caller says while a recogniser is being opened is kept for it: the last 10 s."""


class Listening:
    """Feeds a call's audio to its recogniser, which `opens()` gives each time it is wanted, and posts what that hears.

    `front(recogniser, format)` may put something between the line and the recogniser, which passes on what it is told.
    """

    def __init__(
        self,
        agent: Agent,
        opens: Callable[[], AbstractAsyncContextManager[STTStream]],
        *,
        audio: AudioFormat,
        inbound: Inbound,
        post: Callable[[Event], None],
        meter: Meter,
        front: Callable[[Recogniser, AudioFormat], Recogniser] = lambda recogniser, _: recogniser,
    ) -> None:
        assert agent.stt is not None
        self._agent = agent
        self._stt = agent.stt
        self._opens = opens
        self._wanted = choose_format(self._stt.formats, audio)
        self._post = post
        self._meter = meter
        self._stream: STTStream | None = None
        self._backlog: deque[tuple[bytes, float]] = deque(maxlen=BACKLOG_FRAMES)
        self._speech_at: float | None = None
        self._asked = False
        self._final_wanted = False
        self.tried = asyncio.Event()
        """Set once the recogniser was opened, or failed to be, for the first time."""
        self._breakage = ""
        self._broken = asyncio.Event()
        self._over = asyncio.Event()
        self._failures = 0
        inbound.listen(front(self, self._wanted), self._wanted)

    # What the recogniser is told. A class out of a notebook cell may raise where the protocol says that nothing is raised.

    def push(self, audio: bytes, at: float) -> None:
        """Audio of the caller whose last sample was heard at `at`."""
        if self._stream is None:
            self._backlog.append((audio, at))
            return
        with guard(self._break, who=self._stt.provider):
            self._stream.push(audio, at)

    def speech_started(self, at: float) -> None:
        """The caller began to speak at `at`."""
        self._speech_at, self._final_wanted, self._asked = at, False, False
        if self._stream is not None:
            with guard(self._break, who=self._stt.provider):
                self._stream.speech_started(at)

    def finalize(self) -> None:
        """Ask for the final transcript of what was said so far; once for each stretch of speech, however often it is wanted.

        A recogniser that ends turns itself is not asked.
        """
        if self._asked or self._stt.ends_turns == "provider":
            return
        self._asked = True
        if self._stream is not None:
            self._ask(self._stream)
        elif self.tried.is_set():
            self._speech_at = None
            self._post(FinalReceived(""))  # it broke, and what was said is lost: no words will come
        else:
            self._final_wanted = True

    def _ask(self, stream: STTStream) -> None:
        self._speech_at, self._final_wanted, self._asked = None, False, True
        with guard(self._break, who=self._stt.provider):
            stream.finalize()

    def finish(self) -> None:
        """The call is over: close the recogniser, and hear its last words about what it used."""
        self._over.set()

    async def run(self) -> None:
        """Listen until `finish`; a recogniser that keeps failing ends the call politely."""
        while not self._over.is_set():
            self._broken.clear()
            await guarded(self._listen(), self._failed, who=self._stt.provider)
            self._stream = None
            self.tried.set()
            if self._failures > len(REOPEN_AFTER_SECONDS):
                self._post(HangUpRequested("speech recognition failed", self._agent.policy().goodbye))
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REOPEN_AFTER_SECONDS[self._failures - 1]):
                    await self._over.wait()

    async def _listen(self) -> None:
        ends = (self._over, self._broken)
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(event.wait(), name="listen") for event in ends]
        try:
            async with contextlib.AsyncExitStack() as streams:
                stream = await opened(streams, self._opens(), provider=self._stt.provider)
                self._catch_up(stream)
                self.tried.set()
                reading = asyncio.create_task(self._read(stream), name="transcripts")
                waits.append(reading)
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                self._stream = None
            await asyncio.wait((reading,), timeout=LAST_WORDS_SECONDS)
            if self._broken.is_set():
                raise ProviderError(self._breakage, provider=self._stt.provider)
            if reading.done():
                reading.result()
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _catch_up(self, stream: STTStream) -> None:
        """Tell a recogniser that was just opened what it missed."""
        missed, wanted = list(self._backlog), self._final_wanted
        self._backlog.clear()
        self._stream = stream
        if self._speech_at is not None:
            self.speech_started(max(self._speech_at, missed[0][1] if missed else self._speech_at))
        for audio, at in missed:
            self.push(audio, at)
        if wanted:
            self._ask(stream)

    async def _read(self, stream: STTStream) -> None:
        async for event in stream:
            self._heard(event)
        if not (self._over.is_set() or self._broken.is_set()):
            raise EOFError("its transcripts ended before the call did")

    def _heard(self, event: STTEvent) -> None:
        if isinstance(event, Transcript):
            if event.final:
                self._failures = 0 if event.text.strip() else self._failures
                self._post(FinalReceived(event.text, event.started_at, event.ended_at))
            else:
                self._post(InterimReceived(event.text))
        elif isinstance(event, TurnEnded):
            self._post(ProviderTurnEnded(event.at))
        else:
            self._meter(event, None)

    def _break(self, error: str) -> None:
        """The recogniser raised where it was told something."""
        self._stream, self._breakage = None, error
        self._broken.set()

    def _failed(self, error: str) -> None:
        if not self._over.is_set():
            self._failures += 1
            self._post(TranscriptionFailed(error))
