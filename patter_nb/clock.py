"""The one clock of a call: what time it is, and how to wait until a later time.

Everything that measures or waits is handed a `Clock`, so the same code runs in real time and in virtual time. Instants are seconds
of the event loop's monotonic clock; `CallClock` shifts them so that 0.0 is the moment the call was answered.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Seconds that only go forward, and the way to wait for one of them."""

    def now(self) -> float:
        """The present instant, in seconds."""

    async def sleep_until(self, at: float) -> None:
        """Return when the instant `at` has come; at once if it lies in the past."""


class CallClock:
    """The running loop's time, counted from the answer of one call (0.0 = answered, or created until then)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()

    @property
    def zero(self) -> float:
        """The loop time (on CPython: `time.monotonic()`) of the clock's 0.0."""
        return self._zero

    def start(self) -> None:
        """Make this moment 0.0."""
        self._zero = self._loop.time()

    def now(self) -> float:
        return self._loop.time() - self._zero

    async def sleep_until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self.now()))


class _NoWaitSelector(selectors.DefaultSelector):
    """Never blocks; the time it was asked to wait is put on the loop's virtual clock instead."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            # Nothing is scheduled: only another thread can wake the loop, so here it really waits.
            return super().select(None)
        if not ready and timeout:
            self.skipped += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    Sockets and threads know nothing of virtual time; nothing that waits for them belongs on this loop.
    """

    def __init__(self) -> None:
        self._jump = _NoWaitSelector()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.skipped


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a new `VirtualTimeLoop` in this thread, which must have no running loop."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
