"""The voice of one reply: its segments synthesised one ahead, played in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

from patter_nb.audio.convert import Converter, decode, encode
from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import ProviderError
from patter_nb.providers.base import Alignment, AudioChunk, TTSEvent, TTSStream, closing
from patter_nb.session.boundary import guard
from patter_nb.session.chains import AudioChain
from patter_nb.session.patience import timely
from patter_nb.session.playout import Playout
from patter_nb.turns.events import Event, InstantRecorded, ReplyFailed, SegmentAligned, SegmentReady, SegmentSynthesized
from patter_nb.turns.usage import Usage

AHEAD = 2
"""Segments in synthesis at once: one that is needed now and the next."""

SILENCE_SECONDS = 10.0
"""How long a synthesiser may bring no audio before it counts as failed."""


class Speech:
    """Speaks one reply. Segments count from 0; `say` never waits.

    `voice` opens the voice's stream, or gives the open one, with the format it speaks in; `after_synthesize` gives the hook that
    sees audio of a format, if there is one.
    """

    def __init__(
        self,
        reply: int,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        voice: Callable[[], Awaitable[tuple[TTSStream, AudioFormat]]],
        provider: str,
        heard_as: AudioFormat,
        chain: AudioChain,
        after_synthesize: Callable[[AudioFormat], Callable[[bytes, str], Awaitable[bytes]] | None],
        playout: Playout,
        post: Callable[[Event], None],
        meter: Callable[[Usage, int | None], None],
        now: Callable[[], float],
    ) -> None:
        self._reply = reply
        self._spawn = spawn
        self._voice = voice
        self._provider = provider
        self._heard_as = heard_as
        self._chain = chain
        self._after_synthesize = after_synthesize
        self._playout = playout
        self._post = post
        self._meter = meter
        self._now = now
        self._slots = asyncio.Semaphore(AHEAD)
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: dict[int, list[tuple[bytes, bool]]] = {}
        self._sizes: dict[int, int] = {}
        self._open = 0
        self._broken = False
        self._cancelled = False

    def say(self, text: str) -> None:
        """Order the next segment; nothing once one has failed, or all of it was cancelled."""
        if self._broken or self._cancelled:
            return
        segment = len(self._tasks)
        self._post(SegmentReady(self._reply, segment, text))
        self._tasks.append(self._spawn(self._work(segment, text), f"segment {self._reply}.{segment}"))

    async def finished(self) -> None:
        """Return when all segments ordered so far are synthesised, or were given up."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        """Stop synthesising. What is queued for the ear is the playout's; nothing is added to it, whoever goes on working."""
        self._cancelled = True
        for task in self._tasks:
            task.cancel()

    async def _work(self, segment: int, text: str) -> None:
        with guard(lambda error: self._failed(segment, error), who=self._provider):
            await self._synthesise(segment, text)

    async def _synthesise(self, segment: int, text: str) -> None:
        tts, made_as = await self._voice()
        hook, silenced = self._after_synthesize(made_as), False
        convert = Converter(made_as, self._heard_as)
        if segment == 0:
            self._stamp("tts_requested_at")
        async with self._slots, closing(self._when_wanted(tts, segment, text)) as events:
            async for event in events:
                if isinstance(event, AudioChunk):
                    if event.audio and segment == 0 and not self._sizes.get(segment):
                        self._stamp("tts_first_byte_at")
                    audio = event.audio if hook is None else await hook(event.audio, text)
                    silenced = silenced or (bool(event.audio) and not audio)
                    self._play(segment, convert.feed(audio), last=False)
                elif isinstance(event, Alignment):
                    self._post(SegmentAligned(self._reply, segment, event.points))
                else:
                    self._meter(event, self._reply)
        rest = convert.flush()
        if not (rest or silenced or self._sizes.get(segment)) and any(map(str.isalnum, text)):
            raise ProviderError(f"{self._provider} made no audio of a segment that has words.", provider=self._provider)
        self._play(segment, rest, last=True)
        self._post(SegmentSynthesized(self._reply, segment, self._seconds(segment)))

    async def _when_wanted(self, tts: TTSStream, segment: int, text: str) -> AsyncIterator[TTSEvent]:
        if segment:
            await self._playout.room()
        async with closing(timely(tts.speak(text), SILENCE_SECONDS, provider=self._provider, what="audio")) as events:
            async for event in events:
                yield event

    def _seconds(self, segment: int) -> float:
        return self._heard_as.seconds(self._sizes.get(segment, 0))

    def _play(self, segment: int, audio: bytes, *, last: bool) -> None:
        if self._cancelled:
            return
        if self._chain and audio:
            audio = encode(self._chain.run(decode(audio, self._heard_as)), self._heard_as)
        self._sizes[segment] = self._sizes.get(segment, 0) + len(audio)
        self._waiting.setdefault(segment, []).append((audio, last))
        while pieces := self._waiting.get(self._open):
            del self._waiting[self._open]
            for piece, ends in pieces:
                self._playout.append(self._reply, self._open, piece, last=ends)
            if pieces[-1][1]:
                self._open += 1

    def _failed(self, segment: int, error: str) -> None:
        """What was made of a failed segment is still played; nothing after it is."""
        self._broken = True
        for task in self._tasks[segment + 1 :]:
            task.cancel()
        self._waiting = {number: pieces for number, pieces in self._waiting.items() if number <= segment}
        self._play(segment, b"", last=True)
        self._post(ReplyFailed(self._reply, "tts", error, segment, self._seconds(segment)))

    def _stamp(self, name: str) -> None:
        self._post(InstantRecorded(self._reply, name, self._now()))
