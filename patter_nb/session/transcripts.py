"""The door between the recogniser and everything else: what the caller said passes `after_transcribe` first, in its order.

What that hook returns is all that the engine, the rows, the model, the callbacks and the widgets ever see. Barge-in strategies,
which are the user's own, judge the same words. Where there is neither, words pass at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from patter_nb.barge_in import BargeInStrategy
from patter_nb.session.boundary import guard
from patter_nb.session.copies import own_copy
from patter_nb.session.hooks import HOOK_SECONDS, Hooks
from patter_nb.session.user_code import UserCode
from patter_nb.turns.ear import middle
from patter_nb.turns.events import BargeInConfirmed, Event, FinalReceived, InterimReceived, SpeechStarted

HeardEvent = FinalReceived | InterimReceived


class Transcripts:
    """Takes transcripts as the recogniser gives them and posts them on. `put` never waits.

    `hooks()` are the caller's side of the agent that is live, `strategies()` its barge-in strategies, `speaking()` says whether
    the agent is heard at this moment; `told(text, final)` is called with words that passed.
    """

    def __init__(
        self,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        hooks: Callable[[], Hooks],
        strategies: Callable[[], Sequence[BargeInStrategy]],
        speaking: Callable[[], bool],
        user_code: UserCode,
        post: Callable[[Event], None],
        told: Callable[[str, bool], None],
        now: Callable[[], float],
        failed: Callable[[str, str], None],
    ) -> None:
        self._spawn = spawn
        self._hooks = hooks
        self._strategies = strategies
        self._speaking = speaking
        self._user_code = user_code
        self._post = post
        self._told = told
        self._now = now
        self._failed = failed
        self._queue: asyncio.Queue[tuple[HeardEvent | SpeechStarted, float]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._busy = 0
        self._copies: list[tuple[BargeInStrategy, BargeInStrategy]] = []
        self._said = ""
        """What was finally transcribed of the present stretch of speech."""

    def put(self, event: HeardEvent) -> None:
        """Something was transcribed."""
        if self._busy or self._hooks().given.after_transcribe is not None or self._strategies():
            self._enqueue(event)
        else:
            self._pass(event)

    def speech_started(self, event: SpeechStarted) -> None:
        """The caller begins to speak: strategies begin anew."""
        if self._strategies():
            self._enqueue(event)

    async def drained(self) -> None:
        """Return when everything that was put has been posted."""
        await self._queue.join()

    def _enqueue(self, event: HeardEvent | SpeechStarted) -> None:
        self._busy += 1
        self._queue.put_nowait((event, self._now()))
        if self._worker is None:
            self._worker = self._spawn(self._work(), "transcripts")

    async def _work(self) -> None:
        while True:
            event, arrived_at = await self._queue.get()
            try:
                with guard(partial(self._failed, "transcripts"), who="a transcript"):
                    await self._through(event, arrived_at)
            finally:
                self._busy -= 1
                self._queue.task_done()

    async def _through(self, event: HeardEvent | SpeechStarted, arrived_at: float) -> None:
        if isinstance(event, SpeechStarted):
            self._said = ""
            for strategy in self._own_strategies():
                await self._reset(strategy)
            return
        hooks = self._hooks()
        if isinstance(event, InterimReceived):
            await self._judge(event)
            if hooks.given.after_transcribe is None:
                self._pass(event)  # else its words might be what the hook takes out of the final ones
            return
        await self._judge(event)
        if hooks.given.after_transcribe is None or not event.text.strip():
            self._pass(event)
            return
        text = await hooks.after_transcribe(event.text)
        self._pass(FinalReceived(text, event.started_at, event.ended_at, arrived_at))

    def _pass(self, event: HeardEvent) -> None:
        if event.text.strip():
            self._told(event.text, isinstance(event, FinalReceived))
        self._post(event)

    async def _judge(self, event: HeardEvent) -> None:
        """Whether what was said over the agent interrupts it."""
        words, final = event.text, isinstance(event, FinalReceived)
        said = f"{self._said} {words}".strip()
        if final:
            self._said = said
        strategies = self._own_strategies()
        if not strategies or not words.strip() or not self._speaking():
            return
        for strategy in strategies:
            if await self._confirms(strategy, said, final):
                self._post(BargeInConfirmed(middle(event) if isinstance(event, FinalReceived) else None, final))
                return

    async def _confirms(self, strategy: BargeInStrategy, said: str, final: bool) -> bool:
        async def evaluate() -> bool:
            return bool(await strategy.evaluate(transcript=said, is_interim=not final, agent_speaking=True))

        return await self._ask(evaluate, name=f"{type(strategy).__name__}.evaluate") is True

    async def _reset(self, strategy: BargeInStrategy) -> None:
        async def reset() -> None:
            await strategy.reset()

        await self._ask(reset, name=f"{type(strategy).__name__}.reset")

    async def _ask(self, function: Callable[[], Awaitable[object]], *, name: str) -> Any:
        """What it returns; None where it fails."""
        outcome = await self._user_code.call(function, deadline_seconds=HOOK_SECONDS, quick=True, name=name)
        if outcome.error is not None:
            self._failed("barge_in_strategies", outcome.error)
        return outcome.value

    def _own_strategies(self) -> list[BargeInStrategy]:
        """This call's copies of the strategies that are live."""
        given = self._strategies()
        known = {id(each): copied for each, copied in self._copies}
        self._copies = [
            (each, known[id(each)] if id(each) in known else own_copy("barge_in_strategies", each)) for each in given
        ]
        return [copied for _, copied in self._copies]
