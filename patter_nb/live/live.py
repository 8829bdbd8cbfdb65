"""What one call runs, and the edit that waits for its next reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from patter_nb.agent import APPLIES, Agent
from patter_nb.errors import ConfigError
from patter_nb.live.edit import Applied, Edit
from patter_nb.live.revision import Revision

if TYPE_CHECKING:
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
        self,
        revision: Revision,
        line: RevisionLine,
        call_id: str = "",
        fits: Callable[[Agent], None] = lambda _: None,
        tell: Callable[[Callable[[], None]], None] = lambda listener: listener(),
    ) -> None:
        self.call_id = call_id
        self.line = line
        self.fits = fits
        """Raises `ConfigError` for an agent that this call cannot be held with."""
        self.kept: Mapping[str, Any] = {}
        """Fields that stay as they are in this call, whatever is edited."""
        self._tell = tell
        self._opened: Agent | None = None
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
    def taken(self) -> Taken:
        """What the last reply was begun with, and since which turn."""
        return self._taken

    @property
    def newest(self) -> Revision:
        """The revision that the next reply will begin with."""
        with self.line.lock:
            return self.current if self._staged is None else self._staged.revision

    def held(self, agent: Agent) -> Agent:
        """The agent as this call is held with it: what is opened with a call stays what it was when it began."""
        if self._opened is None:
            return agent
        return agent.edited(**{name: getattr(self._opened, name) for name, when in APPLIES.items() if when == "next call"})

    def clock(self, now: Callable[[], float]) -> None:
        """The call's clock, by which edits are dated; until it is known they are dated 0.0."""
        self._now = now

    def propose(self, *, note: str = "", **changes: Any) -> Edit:
        """Change the agent of this call alone, from its next reply on. `ConfigError` when the changes make no agent, or name a
        field that stays as it is while a call is on; nothing has changed then."""
        return self.line.propose_for(self, changes, note)

    def refuse_kept(self, changes: Mapping[str, Any]) -> None:
        """`ConfigError` for changes of fields that stay as they are in this call."""
        if kept := [name for name in changes if name in self.kept]:
            raise ConfigError(f"{kept[0]} stays as it is in this call: phone.edit(...) changes it for others.")

    # The call's side.

    def keep(self, note: str, **fields: Any) -> None:
        """Give the call these fields for good, before anything of it is open."""
        self.kept = fields
        self._vary(fields, note)

    def begin_with(self, changes: Mapping[str, Any], note: str = "") -> None:
        """Change the agent of this call before anything of it is open, so any field but its name may change."""
        self.refuse_kept(changes)
        self._vary(changes, note)

    def _vary(self, changes: Mapping[str, Any], note: str) -> None:
        with self.line.lock:
            revision = self.line.vary(self, changes, note)
            told = self._take(0)
            self._taken = replace(self._taken, revision=revision)
        self._tell_all(told)

    def begin(self) -> None:
        """The call begins: what was staged since it was ordered is part of what it begins with."""
        with self.line.lock:
            told = self._take(0)
            self._opened = self.current.agent
        self._tell_all(told)

    def take(self, turn: int) -> Taken:
        """The revision for the reply that is ordered now, in `turn`; what was staged is in force from here on."""
        with self.line.lock:
            told, taken = self._take(turn), self._taken
        self._tell_all(told)
        return taken

    def _take(self, turn: int) -> list[Callable[[], None]]:
        staged, self._staged = self._staged, None
        if staged is None:
            return []
        self._taken = Taken(staged.revision, staged.requested_at, turn)
        return staged.edit.take_effect(Applied(self.call_id, turn, self._now(), staged.requested_at))

    def _tell_all(self, listeners: Sequence[Callable[[], None]]) -> None:
        for listener in listeners:
            self._tell(listener)

    def end(self) -> None:
        """The call is over: what waits will not take effect in it."""
        with self.line.lock:
            staged, self._staged, self._ended = self._staged, None, True
            over_at = self._now()
            self._now = lambda: over_at  # a clock keeps its session, and with it everything that the call needed
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
