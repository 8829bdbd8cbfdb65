"""The one queue of a call: any producer puts, one consumer takes."""

from __future__ import annotations

import asyncio
from collections import deque

from patter_nb.clock import Clock
from patter_nb.turns.events import Event, UsageReported
from patter_nb.turns.usage import Usage


class Mailbox:
    """Events in the order they came. `put` never waits; it must run on the consumer's loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def take(self, until: float | None) -> Event | None:
        """The next event, or None once the instant `until` has come without one."""
        if self._events:
            return self._events.popleft()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        alarm = None if until is None else loop.call_later(max(0.0, until - self._clock.now()), self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if alarm is not None:
                alarm.cancel()
        return self._events.popleft() if self._events else None

    def usage_left(self) -> list[Usage]:
        """Usage among the events that nobody took."""
        return [event.usage for event in self._events if isinstance(event, UsageReported)]
