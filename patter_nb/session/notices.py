"""Tells users what happens in a call, in its order: their callbacks, and whoever reads the call's stream of events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from patter_nb.callbacks import Callbacks
from patter_nb.session.user_code import UserCode

CALLBACK_SECONDS = 10.0
"""How long a callback may take before the next one is called; what it does after that is its own affair."""

MOST_EVENTS = 20_000
"""Events of a call that are kept for readers who come late."""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened in a call, as `call.stream()` yields it."""

    kind: str
    """"call_started", "interim", "transcript", "user_speech_started", "user_speech_ended", "user_speech_eos", "llm_token",
    "audio_out", "agent_speech_started", "agent_speech_ended", "tool_called", "tool_progress", "tool_returned", "guardrail",
    "revision", "dtmf", "metrics", "call_ended"."""
    at: float
    """Seconds of the call's clock."""
    data: Mapping[str, Any] = field(default_factory=dict)


class Notices:
    """`tell` may be called from any thread; callbacks run one after the other, readers read on the user's loop.

    `failed(callback, error)` is told of a callback that raised or took too long.
    """

    def __init__(
        self, callbacks: Callbacks, user_code: UserCode, loop: asyncio.AbstractEventLoop, failed: Callable[[str, str], None]
    ) -> None:
        self._callbacks = callbacks
        self._user_code = user_code
        self._loop = loop
        self._failed = failed
        self._events: list[CallEvent] = []
        self._changed = asyncio.Event()
        self._over = False
        self._queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
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

    async def drained(self, timeout_seconds: float = CALLBACK_SECONDS) -> None:
        """Wait, on the user's loop, until every callback has been called."""
        await asyncio.sleep(0)  # what was told from another thread is taken first
        if self._worker is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await self._queue.join()
            self._worker.cancel()

    async def stream(self) -> AsyncIterator[CallEvent]:
        """Every event of the call from its beginning; ends with the call."""
        read = 0
        while True:
            while read < len(self._events):
                yield self._events[read]
                read += 1
            if self._over:
                return
            self._changed.clear()
            await self._changed.wait()

    def _take(self, event: CallEvent, callback: str) -> None:
        if len(self._events) < MOST_EVENTS:
            self._events.append(event)
        self._changed.set()
        if callback and self._callbacks.named(callback) is not None:
            self._queue.put_nowait((callback, dict(event.data)))
            if self._worker is None:
                self._worker = self._loop.create_task(self._call(), name="callbacks")

    def _end(self) -> None:
        self._over = True
        self._changed.set()

    async def _call(self) -> None:
        while True:
            name, data = await self._queue.get()
            try:
                function = self._callbacks.named(name)
                if function is not None:
                    outcome = await self._user_code.call(function, data, deadline_seconds=CALLBACK_SECONDS, name=name)
                    if outcome.error is not None:
                        self._failed(name, outcome.error)
            finally:
                self._queue.task_done()


def timestamp_ms() -> float:
    """Now, in milliseconds since 1970."""
    return time.time() * 1000
