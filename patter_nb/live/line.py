"""The revisions of one agent name: how they are made, kept and handed to the calls that are on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from patter_nb.agent import APPLIES, Agent
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.live.difference import Difference, alike, difference, differing
from patter_nb.live.edit import Edit
from patter_nb.live.live import Live
from patter_nb.live.revision import Revision, Scope


class RevisionLine:
    """The revisions of one agent name, oldest first, and the calls that run one of them. Safe to use from any thread.

    `keep` is told each new revision, in order; `read` makes settings of what users wrote for them. Two edits at once
    are both kept: the later one is made from the earlier one.
    """

    def __init__(
        self,
        name: str,
        keep: Callable[[Revision], None] = lambda _: None,
        lock: threading.RLock | None = None,
        read: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:
        self.name = name
        self.lock = lock or threading.RLock()
        """Held while anything of the line changes; lines of one phone share it."""
        self._keep = keep
        self._read = read
        self._revisions: list[Revision] = []
        self._head = 0
        self._lives: list[Live] = []

    @property
    def revisions(self) -> Sequence[Revision]:
        """All of them, those made for one call included."""
        with self.lock:
            return tuple(self._revisions)

    @property
    def newest(self) -> Revision:
        """The revision the next call starts with; `IndexError` before the first `stage`."""
        with self.lock:
            return self._revisions[self._head - 1 if self._head else 0]

    def revision(self, number: int) -> Revision:
        """The revision of this number; `ConfigError` when there is none."""
        with self.lock:
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(self._revisions):
                raise ConfigError(f"revision is {number!r}; {self.name!r} has the revisions 1 to {len(self._revisions)}.")
            return self._revisions[number - 1]

    def diff(self, before: int, after: int | None = None) -> Difference:
        """What differs between two revisions; `after`: by default the newest."""
        return difference(self.revision(before), self.newest if after is None else self.revision(after))

    def stage(self, agent: Agent, note: str = "") -> tuple[Revision, bool]:
        """Make `agent` the newest revision; content equal to the newest keeps its number, with this very object.

        Returns the revision, and whether it is new.
        """
        content_id = agent.content_id()
        with self.lock:
            if self._revisions and self.newest.content_id == content_id:
                self._revisions[self._head - 1] = replace(self.newest, agent=agent)
                return self.newest, False
            parent = self.newest.number if self._revisions else None
            return self._add(agent, content_id, parent, note, "next call"), True

    def find(self, agent: Agent) -> Revision | None:
        """The newest revision with this content, or None."""
        content_id = agent.content_id()
        with self.lock:
            return next((r for r in reversed(self._revisions) if r.content_id == content_id), None)

    def exact(self, agent: Agent) -> Revision:
        """The revision with this content, holding this very object; `LookupError` when there is none."""
        revision = self.find(agent)
        if revision is None:
            raise LookupError(f"{self.name!r} has no such revision.")
        return replace(revision, agent=agent)

    # Edits.

    def propose(self, changes: Mapping[str, Any], *, note: str = "", scope: Scope = "all calls") -> Edit:
        """Change the newest revision: for later calls, and with "all calls" from the next reply on also in every call that is on.

        A call that was changed by itself keeps what it was changed to where `changes` do not touch it. `ConfigError` when the
        changes make no agent, here or in one of the calls; nothing has changed then.
        """
        changes = self._checked(changes)
        return self.propose_each(lambda _: changes, tuple(changes), note=note, scope=scope)

    def propose_each(
        self, changes: Callable[[Agent], Mapping[str, Any]], names: Sequence[str], *, note: str = "", scope: Scope = "all calls"
    ) -> Edit:
        """Like `propose`, with changes of the fields `names` that depend on what they change: asked for the newest revision, and
        for each call by itself."""
        if scope not in ("all calls", "next call"):
            raise ConfigError(f'scope is {scope!r}; it must be "all calls" or "next call" (call.edit() changes one call).')
        with self.lock:
            base = self.newest
            agent = base.agent.edited(**changes(base.agent))
            lives = list(self._lives) if scope == "all calls" else []
            made = [(live, self._fitting(live, changes(live.newest.agent))) for live in lives]  # all or none: one may raise
            head = self._next(base, agent, note, scope)
            edit = Edit(head, scope, {name: APPLIES[name] for name in names}, datetime.now(UTC))
            for live, its_agent in made:
                before = live.newest
                if alike(its_agent, before.agent):
                    continue
                shared = alike(its_agent, head.agent)
                live.stage(head if shared else self._next(before, its_agent, note, "this call", live), edit)
            return edit

    def propose_for(self, live: Live, changes: Mapping[str, Any], note: str) -> Edit:
        """Change the agent of one call; see `Live.propose`."""
        changes = self._checked(changes)
        if later := [name for name in changes if APPLIES[name] == "next call"]:
            remedy = "phone.edit(...) changes it for the calls after it"
            raise ConfigError(f"{later[0]} is in use as the call began with it and stays so until it ends: {remedy}.")
        live.refuse_kept(changes)
        return self._propose_for(live, changes, note)

    def _propose_for(self, live: Live, changes: Mapping[str, Any], note: str) -> Edit:
        with self.lock:
            before = live.newest
            revision = self._next(before, _changed(live, changes), note, "this call", live)
            edit = Edit(revision, "this call", {name: APPLIES[name] for name in changes}, datetime.now(UTC))
            if revision is not before:
                live.stage(revision, edit)
            return edit

    def vary(self, live: Live, changes: Mapping[str, Any], note: str) -> Revision:
        """A revision for one call that has not begun; see `Live.begin_with`."""
        changes = self._checked(changes)
        with self.lock:
            return self._next(live.newest, _changed(live, changes), note, "this call", live)

    def roll_back(self, number: int, *, note: str = "", live: Live | None = None, scope: Scope = "all calls") -> Edit:
        """Take the content of an earlier revision again, as a new one: for all calls, or for the one that is given.

        What belonged to its call alone, such as the keyboard of a typed one, is left out.
        """
        with self.lock:
            wanted, base = self.revision(number), self.newest if live is None else live.newest
            changes = {name: value for name, value in differing(base.agent, wanted.agent).items() if name not in wanted.kept}
            note = note or f"back to revision {number}"
            if live is None:
                return self.propose_each(lambda _: changes, tuple(changes), note=note, scope=scope)
            mine = {name: value for name, value in changes.items() if APPLIES[name] == "next turn" and name not in live.kept}
            return self._propose_for(live, mine, note)

    # Calls.

    def join(self, live: Live) -> None:
        """A call begins that edits of all calls concern."""
        with self.lock:
            self._lives.append(live)

    def leave(self, live: Live) -> None:
        """It is over."""
        with self.lock:
            if live in self._lives:
                self._lives.remove(live)

    def _fitting(self, live: Live, changes: Mapping[str, Any]) -> Agent:
        try:
            return _changed(live, changes)
        except ConfigError as error:
            what = "A call that is on cannot be held with it"
            raise ConfigError(f'{what}: {error} scope="next call" changes later calls alone.') from None

    def _next(self, base: Revision, agent: Agent, note: str, scope: Scope, live: Live | None = None) -> Revision:
        """A revision of `agent` made from `base`; `base` itself when nothing differs.

        Where only what a content id does not see differs, such as what a function has caught, the number stays, and the revision
        holds the new agent.
        """
        content_id = agent.content_id()
        if content_id != base.content_id:
            return self._add(agent, content_id, base.number, note, scope, kept=() if live is None else tuple(live.kept))
        if alike(agent, base.agent):
            return base
        revision = replace(base, agent=agent)
        if scope != "this call":
            self._revisions[base.number - 1] = revision
        return revision

    def _add(
        self, agent: Agent, content_id: str, parent: int | None, note: str, scope: Scope, *, kept: tuple[str, ...] = ()
    ) -> Revision:
        number = len(self._revisions) + 1
        revision = Revision(number, content_id, agent, parent, note, datetime.now(UTC), scope, kept)
        self._revisions.append(revision)
        if scope != "this call":
            self._head = number
        self._keep(revision)
        return revision

    def _checked(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        if not changes:
            raise ConfigError('the edit changes nothing: name at least one field, such as system_prompt="...".')
        if unknown := [name for name in changes if name not in APPLIES]:
            raise ConfigTypeError(f"an agent has no {', '.join(unknown)}; it has {', '.join(APPLIES)}.")
        if fixed := [name for name in changes if APPLIES[name] == "never"]:
            raise ConfigError(f"{fixed[0]} cannot be edited: make another agent with phone.agent(..., {fixed[0]}=...).")
        return self._read(changes)


def _changed(live: Live, changes: Mapping[str, Any]) -> Agent:
    """The agent that the call's next reply would begin with; `ConfigError` where the call cannot be held with it."""
    agent = live.newest.agent.edited(**{**changes, **live.kept})
    live.fits(live.held(agent))
    return agent
