"""The hook `before_send_to_stt` on the way of the caller's audio to the recogniser.

The line never waits: audio and what is told beside it go through one queue, so that the recogniser hears of everything in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from patter_nb.audio.formats import AudioFormat
from patter_nb.session.hooks import Hooks
from patter_nb.session.inbound import Recogniser


class HookedRecogniser:
    """A recogniser behind a hook; `hooks(told)` are those of the agent that is live. Without the hook everything passes at once.

    What goes wrong is told once for each stretch of speech: `told` remembers it.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        audio: AudioFormat,
        hooks: Callable[[set[tuple[str, str]]], Hooks],
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
    ) -> None:
        self._recogniser = recogniser
        self._audio = audio
        self._make_hooks = hooks
        self._told: set[tuple[str, str]] = set()
        self._spawn = spawn
        self._queue: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._busy = 0
        self._worker: asyncio.Task[None] | None = None

    def _hooks(self) -> Hooks:
        return self._make_hooks(self._told)

    def push(self, audio: bytes, at: float) -> None:
        async def pass_on() -> None:
            passed = await self._hooks().before_send_to_stt(audio, self._audio)
            if passed:
                self._recogniser.push(passed, at)

        if self._busy or self._hooks().given.before_send_to_stt is not None:
            self._enqueue(pass_on)
        else:
            self._recogniser.push(audio, at)

    def speech_started(self, at: float) -> None:
        def begin() -> None:
            self._told.clear()
            self._recogniser.speech_started(at)

        async def pass_on() -> None:
            begin()

        if self._busy:
            self._enqueue(pass_on)
        else:
            begin()

    def finalize(self) -> None:
        async def pass_on() -> None:
            self._recogniser.finalize()

        if self._busy:
            self._enqueue(pass_on)
        else:
            self._recogniser.finalize()

    def _enqueue(self, work: Callable[[], Awaitable[None]]) -> None:
        self._busy += 1
        self._queue.put_nowait(work)
        if self._worker is None:
            self._worker = self._spawn(self._work(), "caller audio")

    async def _work(self) -> None:
        while True:
            work = await self._queue.get()
            try:
                await work()
            finally:
                self._busy -= 1
