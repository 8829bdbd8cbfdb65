"""The one clock of a call: what time it is, and how to wait until a later time.

Everything that measures or waits is handed a `Clock`, so the same code runs in real time and in virtual time. Instants are
seconds of the event loop's monotonic clock; `CallClock` shifts them so that 0.0 is the moment the call was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

LEAST_WAIT_SECONDS = 1e-6
"""Far above the rounding of a loop's clock, far below anything audible: a wait that is certain to move the clock on."""


class Clock(Protocol):
    """Seconds that only go forward, and the way to wait for one of them."""

    def now(self) -> float:
        """The present instant, in seconds."""

    async def sleep_until(self, at: float) -> None:
        """Return when the instant `at` has come, so that `now() >= at`; at once if it lies in the past."""


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
        left = at - self.now()
        if left <= 0:
            await asyncio.sleep(0)  # others get their turn even if every instant asked for is past
        while left > 0:
            # A timer may fire a rounding error early, and a wait smaller than that error would never end on a virtual clock.
            await asyncio.sleep(max(left, LEAST_WAIT_SECONDS))
            left = at - self.now()


class _NoWaitSelector(selectors.DefaultSelector):
    """Never blocks for a timer; the time it was asked to wait is put on the loop's virtual clock instead."""

    skipped = 0.0
    outside = 0
    """How many waits for something outside of virtual time are under way."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # Nothing is scheduled: only another thread or a socket can wake the loop, so here it really waits.
            return super().select(None)
        if self.outside and timeout:
            began = time.monotonic()
            ready = super().select(timeout)
            self.skipped += time.monotonic() - began
            return ready
        ready = super().select(0)
        if not ready:
            self.skipped += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    Sockets, other threads and other loops know nothing of virtual time: whoever waits for one does so inside `at_real_pace()`,
    or the next timer (a deadline, for one) comes at once. Functions run by `asyncio.to_thread` are waited for like that anyway.
    """

    def __init__(self) -> None:
        self._jump = _NoWaitSelector()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.skipped

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """See `at_real_pace`."""
        self._jump.outside += 1
        try:
            yield
        finally:
            self._jump.outside -= 1

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self._jump.outside += 1
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: asyncio.Future[Any]) -> None:
        self._jump.outside -= 1

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        with self.outside():
            await super().shutdown_default_executor(*timeout)


@contextlib.contextmanager
def at_real_pace() -> Iterator[None]:
    """In here the running loop's clock goes no faster than a real one, so that something outside the loop can be waited for.

    On a loop with real time it changes nothing.
    """
    loop = asyncio.get_running_loop()
    with loop.outside() if isinstance(loop, VirtualTimeLoop) else contextlib.nullcontext():
        yield


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a new `VirtualTimeLoop` in this thread, which must have no running loop (else: `RuntimeError`)."""
    if asyncio._get_running_loop() is not None:
        main.close()
        raise RuntimeError("run_virtual() was called where a loop is running; call it in a thread: await asyncio.to_thread(...)")
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
