"""The one queue of a call: any producer puts, one consumer takes."""

from __future__ import annotations

import asyncio
from collections import deque

from patter_nb.clock import LEAST_WAIT_SECONDS, Clock
from patter_nb.turns.events import Event


class Mailbox:
    """Events in the order they came. `put` never waits; it must run on the consumer's loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        self._events.append(event)
        self._wake()

    async def take(self, until: float | None) -> Event | None:
        """The next event, or None once the instant `until` has come without one (`now() >= until`)."""
        while not self._events:
            left = None if until is None else until - self._clock.now()
            if left is not None and left <= 0:
                await asyncio.sleep(0)  # others get their turn even if every instant asked for is past
                break
            await self._wait(left)
        return self._events.popleft() if self._events else None

    def left(self) -> list[Event]:
        """Take the events that nobody took."""
        events, self._events = list(self._events), deque()
        return events

    async def _wait(self, seconds: float | None) -> None:
        """Until an event comes, or so many seconds."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        # A timer may fire a rounding error early, and a wait shorter than that would never end on a virtual clock.
        alarm = None if seconds is None else loop.call_later(max(seconds, LEAST_WAIT_SECONDS), self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if alarm is not None:
                alarm.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
