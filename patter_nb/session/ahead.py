"""What was opened or asked for before its call wanted it: a recogniser that waits, and lines that a voice has spoken already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from patter_nb.errors import PatterError, ProviderError
from patter_nb.providers.base import TTS, STTEvent, STTStream, TTSEvent, TTSStream, closing
from patter_nb.session.boundary import guard, naming
from patter_nb.turns.usage import Usage

LAST_WORDS_SECONDS = 1.0
"""How long a closed recogniser may take to report what it used."""


class WaitingEar:
    """A recogniser that waits for its call. It is read meanwhile, so that one that ends by itself is noticed."""

    def __init__(self, stream: STTStream, provider: str) -> None:
        self._stream = stream
        self._provider = provider
        self._events: asyncio.Queue[STTEvent | None] = asyncio.Queue()
        self.error = ""
        self.taken = False
        """Whether its call listens to it."""
        self.reading = asyncio.create_task(self._read(), name=f"read {provider}")
        """Done when it has no more to say."""

    def push(self, audio: bytes, at: float) -> None:
        self._stream.push(audio, at)

    def speech_started(self, at: float) -> None:
        self._stream.speech_started(at)

    def finalize(self) -> None:
        self._stream.finalize()

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        while (event := await self._events.get()) is not None:
            yield event
        if self.error:
            raise ProviderError(self.error, provider=self._provider)

    async def end(self) -> list[Usage]:
        """Hear its last words; what it reports of its use when no call has taken it."""
        await asyncio.wait((self.reading,), timeout=LAST_WORDS_SECONDS)
        self.reading.cancel()
        await asyncio.wait((self.reading,))
        left = [] if self.taken else [self._events.get_nowait() for _ in range(self._events.qsize())]
        return [event for event in left if isinstance(event, Usage)]

    async def _read(self) -> None:
        try:
            with guard(self._fail, who=self._provider):
                async for event in self._stream:
                    self._events.put_nowait(event)
        finally:
            self._events.put_nowait(None)

    def _fail(self, error: str) -> None:
        self.error = error


@asynccontextmanager
async def waiting_ear(
    opening: AbstractAsyncContextManager[STTStream], provider: str, unused: Callable[[Usage], None]
) -> AsyncIterator[WaitingEar]:
    """`opening` as an ear that waits; `unused` is told what it cost when no call has taken it."""
    ear: WaitingEar | None = None
    try:
        async with opening as stream:
            ear = WaitingEar(stream, provider)
            yield ear
    finally:
        if ear is not None:
            for usage in await ear.end():
                unused(usage)


class Rendering:
    """One segment of a voice, spoken before it is wanted. Whoever plays it follows what is still being made."""

    def __init__(self, tts: TTS, text: str) -> None:
        self.tts = tts
        self.text = text
        self._events: list[TTSEvent] = []
        self._more = asyncio.Event()
        self._error = ""
        self._task: asyncio.Task[object] | None = None
        self._over = self._played = False
        self.is_whole = False
        """Whether all of it is at hand."""

    @property
    def waits(self) -> bool:
        """Whether it can be played: nobody has, and it is there or will be."""
        return not self._played and (self.is_whole or not self._over)

    @property
    def unused(self) -> list[Usage]:
        """What it cost in vain. A voice that was cut off before it reported is taken to have spoken the whole text; one that
        failed before anything came, none of it."""
        asked = self._task is not None and not (self._error and not self._events)
        if self._played or not asked:
            return []
        told = [event for event in self._events if isinstance(event, Usage)]
        return told or [Usage("tts", self.tts.provider, self.tts.model, characters=len(self.text))]

    async def read(self, voice: TTSStream) -> None:
        """Let `voice` speak it. Raises what that raises."""
        self._task = asyncio.current_task()
        try:
            with naming(self.tts.provider):
                async with closing(aiter(voice.speak(self.text))) as events:
                    async for event in events:
                        self._events.append(event)
                        self._more.set()
            self.is_whole = True
        except PatterError as error:
            self._error = str(error)
            raise
        finally:
            self.end()

    def end(self) -> None:
        """No more of it will come."""
        self._over = True
        self._more.set()

    async def play(self) -> AsyncIterator[TTSEvent]:
        """What was made and what is still to come; what it cost first, since whoever listens may not do so to the end. Closing
        this ends the synthesis."""
        self._played = True
        try:
            known = list(self._events)
            for event in sorted(known, key=lambda event: not isinstance(event, Usage)):
                yield event
            told = len(known)
            while True:
                self._more.clear()
                for event in self._events[told:]:
                    told += 1
                    yield event
                if self._over and told == len(self._events):
                    break
                await self._more.wait()
            if not self.is_whole:
                raise ProviderError(self._error or f"{self.tts.provider} was cut off.", provider=self.tts.provider)
        finally:
            if not self._over and self._task is not None:
                self._task.cancel()


class ReadyVoice:
    """A voice that speaks what was rendered ahead as it is, and all else as it comes."""

    def __init__(self, voice: TTSStream, rendered: Sequence[Rendering]) -> None:
        self._voice = voice
        self._rendered = rendered

    def speak(self, text: str) -> AsyncIterator[TTSEvent]:
        for each in self._rendered:
            if each.waits and each.text.strip() == text.strip():
                return each.play()
        return self._voice.speak(text)
