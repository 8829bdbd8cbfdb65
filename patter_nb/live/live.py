"""What one call runs, and the edit that waits for its next reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patter_nb.live.edit import Applied, Edit
from patter_nb.live.revision import Revision

if TYPE_CHECKING:
    from patter_nb.agent import Agent
    from patter_nb.live.line import RevisionLine


@dataclass(frozen=True, slots=True)
class Taken:
    """The revision a reply begins with, and the edit of this call that brought it; None where the call began with it."""

    revision: Revision
    edit_requested_at: float | None = None
    """By the call's clock, in seconds."""
    edit_effective_turn: int | None = None
    """The turn whose reply was the first to be ordered after that edit."""


@dataclass(frozen=True, slots=True)
class _Staged:
    revision: Revision
    requested_at: float
    edit: Edit


class Live:
    """The agent of one call. `take` is called when the turn engine orders a reply, so no reply mixes two revisions.

    Safe to use from any thread: what is proposed and what is taken go through the lock of the agent's line, so the first reply
    that is ordered after `propose` has returned is answered by the new revision.
    """

    def __init__(
        self, revision: Revision, line: RevisionLine, call_id: str = "", fits: Callable[[Agent], None] = lambda _: None
    ) -> None:
        self.call_id = call_id
        self.line = line
        self.fits = fits
        """Raises `ConfigError` for an agent that this call cannot be held with."""
        self.kept: Mapping[str, Any] = {}
        """Fields that stay as they are in this call, whatever is edited."""
        self._taken = Taken(revision)
        self._staged: _Staged | None = None
        self._now: Callable[[], float] = lambda: 0.0
        self._ended = False
        line.join(self)

    @property
    def current(self) -> Revision:
        """The revision that the last reply was begun with."""
        return self._taken.revision

    @property
    def newest(self) -> Revision:
        """The revision that the next reply will begin with."""
        with self.line.lock:
            return self.current if self._staged is None else self._staged.revision

    def clock(self, now: Callable[[], float]) -> None:
        """The call's clock, by which edits are dated; until it is known they are dated 0.0."""
        self._now = now

    def propose(self, *, note: str = "", **changes: Any) -> Edit:
        """Change the agent of this call alone, from its next reply on. `ConfigError` when the changes make no agent, or name a
        field that stays as it is while a call is on; nothing has changed then."""
        return self.line.propose_for(self, changes, note)

    def keep(self, note: str = "", **fields: Any) -> None:
        """Give the call these fields for good, before anything of it is open."""
        self.begin_with(note, **fields)
        self.kept = fields

    def begin_with(self, note: str = "", **changes: Any) -> Revision:
        """Change the agent of this call before anything of it is open, so any field but its name may change."""
        with self.line.lock:
            revision = self.line.vary(self, changes, note)
            staged, self._staged = self._staged, None
            self._taken = Taken(revision) if staged is None else Taken(revision, staged.requested_at, 0)
        if staged is not None:  # it is part of what the call begins with
            staged.edit.take_effect(Applied(self.call_id, 0, self._now(), staged.requested_at))
        return revision

    def take(self, turn: int) -> Taken:
        """The revision for the reply that is ordered now, in `turn`; what was staged is in force from here on."""
        with self.line.lock:
            staged, self._staged = self._staged, None
            if staged is None:
                return self._taken
            self._taken = Taken(staged.revision, staged.requested_at, turn)
            applied = Applied(self.call_id, turn, self._now(), staged.requested_at)
        staged.edit.take_effect(applied)
        return self._taken

    def end(self) -> None:
        """The call is over: what waits will not take effect in it."""
        with self.line.lock:
            staged, self._staged, self._ended = self._staged, None, True
            self.line.leave(self)
        if staged is not None:
            staged.edit.give_up(self.call_id, superseded=False)

    def stage(self, revision: Revision, edit: Edit) -> None:
        """Put a revision where the next reply finds it. Called by the line, under its lock."""
        if self._ended:
            return
        if self._staged is not None and self._staged.edit is not edit:
            self._staged.edit.give_up(self.call_id, superseded=True)
        self._staged = _Staged(revision, self._now(), edit)
        edit.waits(self.call_id)
