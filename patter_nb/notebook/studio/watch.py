"""Who is told when something of a phone has changed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from patter_nb.notebook.loops import on_loop

TELLING = frozenset({"answered", "revision", "tool_returned", "guardrail", "metrics", "call_ended"})
"""Events of a call after which a table of the phone reads otherwise than before."""

SETTLING_SECONDS = 0.05
"""Changes that come so close together are told once."""


class Told(Protocol):
    """A call that tells what happens in it."""

    def stream(self) -> AsyncIterator[Any]: ...


class Watch:
    """Tells whoever looks at a phone that something of it changed. Safe to use from any thread; costs nothing while nobody
    looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lookers: list[_Looker] = []
        self._followed: dict[Told, asyncio.Task[None]] = {}

    @property
    def lookers(self) -> int:
        """How many look."""
        return len(self._lookers)

    def look(self, loop: asyncio.AbstractEventLoop, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` on `loop` from now on; what is returned ends that."""
        looker = _Looker(loop, changed)
        with self._lock:
            self._lookers.append(looker)

        def stop() -> None:
            looker.over = True
            with self._lock:
                if looker in self._lookers:
                    self._lookers.remove(looker)

        return stop

    def changed(self) -> None:
        """Something has changed."""
        with self._lock:
            lookers = list(self._lookers)
        for looker in lookers:
            on_loop(looker.loop, looker.tell)

    def follow(self, call: Told) -> None:
        """Tell of what happens in this call until its end, as long as somebody looks. On any loop."""
        if self._lookers and call not in self._followed:
            self._followed[call] = asyncio.get_running_loop().create_task(self._follow(call), name="changes of a call")
            self._followed[call].add_done_callback(lambda _: self._followed.pop(call, None))
        self.changed()

    async def _follow(self, call: Told) -> None:
        async for event in call.stream():
            if event.kind in TELLING:
                self.changed()


class _Looker:
    def __init__(self, loop: asyncio.AbstractEventLoop, changed: Callable[[], None]) -> None:
        self.loop = loop
        self.over = False
        self._changed = changed
        self._soon = False

    def tell(self) -> None:
        if not self._soon:
            self._soon = True
            self.loop.call_later(SETTLING_SECONDS, self._now)

    def _now(self) -> None:
        self._soon = False
        if not self.over:
            self._changed()
