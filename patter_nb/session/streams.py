"""The model, the voice and the recogniser of one call, and the model and the voice of each revision that brings another: opened
once, when first wanted or before, closed with the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal

from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import PatterError
from patter_nb.providers.base import CLOSING_SECONDS, LLM, STT, TTS, CallContext, LLMStream, STTStream, TTSStream, choose_format
from patter_nb.session.ahead import ReadyVoice, Rendering, WaitingEar, waiting_ear
from patter_nb.session.boundary import guard
from patter_nb.session.held import Held
from patter_nb.turns.usage import Usage

Kind = Literal["llm", "tts", "stt"]


class Streams:
    """Open streams by the provider they belong to. `failed`, which may be set anew, is told what goes wrong while they are
    closed."""

    def __init__(self, context: CallContext, audio: AudioFormat, failed: Callable[[str], None]) -> None:
        self.failed = failed
        self._context = context
        self._audio = audio
        self._closed = False
        self._open: list[Held] = []
        self._at_work: dict[asyncio.Task[None], Held] = {}
        self._renderings: list[Rendering] = []
        self._rendering: set[asyncio.Task[None]] = set()
        self._unused: list[Usage] = []

    async def llm(self, llm: LLM) -> LLMStream:
        """The call's stream of this model. `PatterError` when it cannot be opened."""
        stream: LLMStream = await self._stream("llm", llm)
        return stream

    async def tts(self, tts: TTS) -> tuple[TTSStream, AudioFormat]:
        """The call's stream of this voice, and the format in which it speaks there."""
        stream: TTSStream = await self._stream("tts", tts)
        rendered = [each for each in self._renderings if each.tts is tts and each.waits]
        return ReadyVoice(stream, rendered) if rendered else stream, choose_format(tts.formats, self._audio)

    @asynccontextmanager
    async def stt(self, stt: STT) -> AsyncIterator[STTStream]:
        """A stream of this recogniser, closed by whoever takes it: the one that waits for the call, if there is one; else, and
        each time after that, a new one."""
        held = self._find(stt)
        ear = None if held is None else await self._waiting(held)
        if held is None or ear is None:
            async with stt.open(self._context, choose_format(stt.formats, self._audio)) as stream:
                yield stream
            return
        try:
            yield ear
        finally:
            held.release()
            await asyncio.wait((held.task,))

    async def close(self) -> None:
        """Close what was opened; no longer than a provider may take for it."""
        self._closed = True
        for task in self._rendering:
            task.cancel()
        for held in self._at_work.values():
            held.release()
        if working := [*self._at_work, *self._rendering]:
            _, late = await asyncio.wait(working, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            if late:
                self.failed(f"The model or the voice was not closed within {CLOSING_SECONDS:g} s.")
                await asyncio.wait(late, timeout=CLOSING_SECONDS)
        self._unused += [usage for each in self._renderings for usage in each.unused]
        self._renderings.clear()

    # Before the call.

    def ahead(self, kind: Kind, provider: Any) -> Held:
        """Begin to open it before the call wants it. Should that fail, the call tries again."""
        return self._begin(kind, provider, ahead=True)

    def render(
        self, tts: TTS, voice: TTSStream, segments: Sequence[str], failed: Callable[[str], None]
    ) -> asyncio.Task[None]:
        """Let `voice`, the open stream of `tts`, speak these segments now, to be played when the call says them. `failed` is told
        why one could not be."""
        renderings = [Rendering(tts, segment) for segment in segments]
        self._renderings += renderings
        task = asyncio.create_task(_render(tts, voice, renderings, failed), name="render ahead")
        self._rendering.add(task)
        task.add_done_callback(self._rendering.discard)
        return task

    def has_rendered(self, tts: TTS | None, segments: Sequence[str]) -> bool:
        """Whether all of these segments are at hand."""
        ready = [each.text for each in self._renderings if each.tts is tts and each.is_whole]
        return bool(segments) and all(segment in ready for segment in segments)

    def drop(self, provider: Any) -> None:
        """Close what is open of it: it is not wanted now. What it has rendered stays."""
        if (held := self._find(provider)) is not None:
            held.release()

    def keep(self, providers: Collection[Any]) -> None:
        """Close all that is open of others."""
        for held in self._open:
            if not any(held.provider is each for each in providers):
                held.release()

    def take_unused(self) -> list[Usage]:
        """What was paid for and not used, as far as it is known; each usage once."""
        unused, self._unused = self._unused, []
        return unused

    # How it is done.

    async def _stream(self, kind: Kind, provider: Any) -> Any:
        held = self._find(provider) or self._begin(kind, provider)
        if held.ahead:
            with suppress(PatterError):
                return await asyncio.shield(held.stream)
            held = self._find(provider) or self._begin(kind, provider)
        return await asyncio.shield(held.stream)

    def _find(self, provider: Any) -> Held | None:
        self._open = [held for held in self._open if held.usable]
        return next((held for held in self._open if held.provider is provider), None)

    def _begin(self, kind: Kind, provider: Any, *, ahead: bool = False) -> Held:
        if self._closed:
            raise PatterError(f"{provider.provider} is not opened: the call is over.")
        opening = partial(self._opening, kind, provider)
        held = Held(provider, opening, self._not_closed, ahead=ahead)
        self._open.append(held)
        self._at_work[held.task] = held
        held.task.add_done_callback(lambda done: self._at_work.pop(done, None))
        return held

    def _opening(self, kind: Kind, provider: Any) -> AbstractAsyncContextManager[Any]:
        if kind == "llm":
            stream: AbstractAsyncContextManager[Any] = provider.open(self._context)
            return stream
        stream = provider.open(self._context, choose_format(provider.formats, self._audio))
        return stream if kind == "tts" else waiting_ear(stream, provider.provider, self._unused.append)

    async def _waiting(self, held: Held) -> WaitingEar | None:
        """The recogniser that waits, once it is open; None when it cannot be opened, or has ended by itself."""
        with suppress(PatterError):
            ear: WaitingEar = await asyncio.shield(held.stream)
            if not ear.reading.done():
                ear.taken = True
                return ear
        held.release()
        return None

    def _not_closed(self, error: str) -> None:
        self.failed(error)


async def _render(tts: TTS, voice: TTSStream, renderings: Sequence[Rendering], failed: Callable[[str], None]) -> None:
    try:
        with guard(failed, who=tts.provider):
            for each in renderings:
                await each.read(voice)
    finally:
        for each in renderings:
            each.end()
