"""An edit: a change of an agent that was asked for, and where and when it took effect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from patter_nb.agent.modes import When
from patter_nb.live.revision import Revision, Scope

State = Literal["staged", "applied", "superseded", "unused"]


@dataclass(frozen=True, slots=True)
class Applied:
    """An edit took effect in a call: the reply of `turn` is the first that was ordered after it."""

    call_id: str
    turn: int
    at: float
    """When, in seconds of the call's clock."""
    requested_at: float
    """When it was asked for, by the same clock."""


class Edit:
    """A change that was asked for. Safe to use from any thread.

    `revision` is what it made of the agent (of the line's newest, for edits of all calls); an edit that changed nothing has the
    revision it began with. `applies`: for each field that was changed, when it takes effect.
    """

    def __init__(self, revision: Revision, scope: Scope, applies: Mapping[str, When], requested_at: datetime) -> None:
        self.revision = revision
        self.scope = scope
        self.applies = applies
        self.requested_at = requested_at
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._superseded = False
        self._applied: list[Applied] = []
        self._listeners: list[Callable[[Applied], None]] = []

    @property
    def applied(self) -> tuple[Applied, ...]:
        """Where it took effect so far."""
        with self._lock:
            return tuple(self._applied)

    @property
    def state(self) -> State:
        """"staged": waits in a call for its next reply; "applied": took effect wherever it waited; "superseded": a later edit of
        the same call took its place, and holds its changes as well; "unused": no call was on, or it ended before its next reply.
        """
        with self._lock:
            if self._waiting:
                return "staged"
            if self._applied:
                return "applied"
            return "superseded" if self._superseded else "unused"

    def on_applied(self, listener: Callable[[Applied], None]) -> None:
        """Call `listener` when it takes effect in a call: on the call's thread, from the swap itself, so it must be quick. What
        it raises is an event of the call. Where it already did, it is called at once."""
        with self._lock:
            self._listeners.append(listener)
            applied = list(self._applied)
        for each in applied:
            listener(each)

    # Told by `Live`.

    def waits(self, call_id: str) -> None:
        with self._lock:
            self._waiting.add(call_id)

    def take_effect(self, applied: Applied) -> list[Callable[[], None]]:
        """What is to be called now."""
        with self._lock:
            self._waiting.discard(applied.call_id)
            self._applied.append(applied)
            return [partial(listener, applied) for listener in self._listeners]

    def give_up(self, call_id: str, *, superseded: bool) -> None:
        with self._lock:
            self._waiting.discard(call_id)
            self._superseded = self._superseded or superseded

    def __repr__(self) -> str:
        return f"<Edit of {', '.join(self.applies) or 'nothing'}, revision {self.revision.number}, {self.scope}, {self.state}>"
