"""Which agent speaks next: numbered revisions of one name, and the one a call is running."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from patter_nb.agent import Agent


@dataclass(frozen=True, slots=True)
class Revision:
    """An immutable agent configuration. Its id is made of its content, its number counts within the agent's name."""

    number: int
    content_id: str
    agent: Agent
    parent: int | None
    note: str
    created_at: datetime


class RevisionLine:
    """The revisions of one agent name, oldest first. Safe to use from any thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._revisions: list[Revision] = []

    @property
    def revisions(self) -> Sequence[Revision]:
        return tuple(self._revisions)

    @property
    def newest(self) -> Revision:
        """The revision the next call starts with; `IndexError` before the first `stage`."""
        return self._revisions[-1]

    def stage(self, agent: Agent, note: str = "") -> tuple[Revision, bool]:
        """Make `agent` the newest revision; content equal to the newest keeps its number, with this very object.

        Returns the revision, and whether it is new.
        """
        content_id = agent.content_id()
        with self._lock:
            last = self._revisions[-1] if self._revisions else None
            if last is not None and last.content_id == content_id:
                self._revisions[-1] = replace(last, agent=agent)
                return self._revisions[-1], False
            revision = Revision(
                number=1 if last is None else last.number + 1,
                content_id=content_id,
                agent=agent,
                parent=None if last is None else last.number,
                note=note,
                created_at=datetime.now(UTC),
            )
            self._revisions.append(revision)
            return revision, True

    def exact(self, agent: Agent) -> Revision:
        """The revision with this content, holding this very object; `LookupError` when there is none."""
        revision = self.find(agent)
        if revision is None:
            raise LookupError(f"{self.name!r} has no such revision.")
        return replace(revision, agent=agent)

    def find(self, agent: Agent) -> Revision | None:
        """The newest revision with this content, or None."""
        content_id = agent.content_id()
        return next((r for r in reversed(self._revisions) if r.content_id == content_id), None)


class Live:
    """What one call runs. `current` is read when the turn engine orders a reply, so no reply mixes two revisions."""

    def __init__(self, revision: Revision) -> None:
        self._current = revision

    @property
    def current(self) -> Revision:
        return self._current
