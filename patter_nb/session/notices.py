"""Tells users what happens in a call, in its order: their callbacks, and whoever reads the call's stream of events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from patter_nb.callbacks import Callbacks
from patter_nb.session.user_code import UserCode
from patter_nb.told import MachineDetectionResult

CALLBACK_SECONDS = 10.0
"""How long a callback may take before the next one is called; what it does after that is its own affair."""

BACKLOG_SECONDS = 30.0
"""How long the end of a call waits for the callbacks that are behind, all together. `on_call_end` has its own time after that."""

MOST_EVENTS = 20_000
"""Events of a call that are kept for its readers. Of what comes after so many they are told the end of the call alone."""

LAST = "on_call_end"


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened in a call, as `call.stream()` yields it."""

    kind: str
    """"call_started", "answered", "interim", "transcript", "user_speech_started", "user_speech_ended", "user_speech_eos",
    "llm_token", "segment" (a piece of the reply goes to the voice), "audio_out", "agent_speech_started", "agent_speech_ended",
    "tool_called", "tool_progress", "tool_returned", "guardrail", "revision", "dtmf", "muted", "unmuted", "machine_detected",
    "stall" (the loop of the call could not run), "metrics", "call_ended"."""
    at: float
    """Seconds of the call's clock."""
    data: Mapping[str, Any] = field(default_factory=dict)


Notice = tuple[str, dict[str, Any]]
"""A callback's name, and what it is told."""


def to_come() -> Future[None]:
    """Something that `come` can wait for on any loop, and that none of those who wait can cancel."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


async def come(future: Future[None], timeout_seconds: float | None = None) -> bool:
    """Wait for it on the running loop, whichever that is; False when it has not come in time."""
    waiting = asyncio.wrap_future(future)
    try:
        done, _ = await asyncio.wait((waiting,), timeout=timeout_seconds)
    finally:
        waiting.cancel()  # nobody asks any more, also when the loop is closed by then
    return bool(done)


class Notices:
    """`tell` may be called from any thread; callbacks run one after the other, on the user's loop; readers read on any loop.

    `failed(callback, error)` is told of a callback that raised or took too long, or was given up.
    """

    def __init__(
        self, callbacks: Callbacks, user_code: UserCode, loop: asyncio.AbstractEventLoop, failed: Callable[[str, str], None]
    ) -> None:
        self._callbacks = callbacks
        self._user_code = user_code
        self._loop = loop
        self._failed = failed
        self._events: list[CallEvent] = []
        self._changed = to_come()
        """Comes with the next event, or with the end."""
        self._over = False
        self._queue: deque[Notice] = deque()
        self._last: Notice | None = None
        """`on_call_end`, which waits for no other one for ever."""
        self._current: Notice | None = None
        self._worker: asyncio.Task[None] | None = None

    def tell(self, kind: str, at: float, data: Mapping[str, Any], *, callback: str = "") -> None:
        """Something happened; `callback` names who is told of it besides the readers."""
        event = CallEvent(kind, at, data)
        with contextlib.suppress(RuntimeError):  # the user's loop is closed: nobody can be told
            self._loop.call_soon_threadsafe(self._take, event, callback)

    def finish(self) -> None:
        """Nothing more will happen."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end)

    async def drained(self, timeout_seconds: float = BACKLOG_SECONDS) -> None:
        """Wait, on the user's loop, until every callback has been called, `on_call_end` last.

        Those that are not over after `timeout_seconds` are given up, and `failed` is told of how many; `on_call_end` is called
        all the same, also when this wait is cancelled.
        """
        try:
            await asyncio.sleep(0)  # what was told from another thread is taken first
            if self._worker is not None:
                await asyncio.wait((self._worker,), timeout=timeout_seconds)
        finally:
            self._give_up(timeout_seconds)
            if self._last is not None:
                (name, data), self._last = self._last, None
                await self._call(name, data)

    async def stream(self) -> AsyncIterator[CallEvent]:
        """Every event of the call from its beginning; ends with the call. On any loop."""
        read = 0
        while True:
            changed, over = self._changed, self._over  # first: what comes while the events are read is not missed then
            while read < len(self._events):
                yield self._events[read]
                read += 1
            if over:
                return
            await come(changed)

    def _take(self, event: CallEvent, callback: str) -> None:
        if len(self._events) < MOST_EVENTS or event.kind == "call_ended":
            self._events.append(event)
            self._wake()
        if not callback or self._callbacks.named(callback) is None:
            return
        notice = callback, dict(event.data)
        if callback == LAST:
            self._last = notice
            return
        self._queue.append(notice)
        if self._worker is None or self._worker.done():
            self._worker = self._loop.create_task(self._work(), name="callbacks")

    def _end(self) -> None:
        self._over = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, to_come()
        changed.set_result(None)

    async def _work(self) -> None:
        while self._queue:
            self._current = self._queue.popleft()
            await self._call(*self._current)
            self._current = None

    async def _call(self, name: str, data: dict[str, Any]) -> None:
        function = self._callbacks.named(name)
        if function is not None:
            if "history" in data:  # its lines are those of other events, too, and a callback may change what it is given
                data["history"] = [dict(line) for line in data["history"]]
            told = MachineDetectionResult(**data) if name == "on_machine_detection" else data
            outcome = await self._user_code.call(function, told, deadline_seconds=CALLBACK_SECONDS, name=name)
            if outcome.error is not None:
                self._failed(name, outcome.error)

    def _give_up(self, after_seconds: float) -> None:
        """Drop the callbacks that are not over, and say so."""
        if self._worker is not None:
            self._worker.cancel()
        behind = [*(() if self._current is None else (self._current,)), *self._queue]
        for name, count in Counter(name for name, _ in behind).items():
            calls = f"{count} calls of {name} were" if count > 1 else f"1 call of {name} was"
            self._failed(name, f"{calls} given up when the call was over: callbacks have {after_seconds:g} s to catch up then.")
        self._queue.clear()
        self._current = None


def timestamp_ms() -> float:
    """Now, in milliseconds since 1970."""
    return time.time() * 1000
