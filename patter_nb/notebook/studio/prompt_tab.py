"""The Prompt tab: what an agent is told and how it takes turns, edited between calls and during them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from patter_nb.errors import ConfigError
from patter_nb.live import Edit, RevisionLine
from patter_nb.live.difference import difference
from patter_nb.notebook.studio.fields import changes_of, form, variables
from patter_nb.notebook.studio.panel import Asked, Panel, plain
from patter_nb.notebook.studio.ports import Ports
from patter_nb.notebook.studio.refresh import Refresh

SHOWN_REVISIONS = 100


def prompt_tab(ports: Ports, agent: str) -> PromptTab:
    """The tab of the agent of this name."""
    return PromptTab(ports, agent)


class PromptTab:
    """`widget` is what is displayed."""

    title = "Prompt"

    def __init__(self, ports: Ports, agent: str) -> None:
        self._ports = ports
        self._line = ports.phone.line(agent)
        do = {"apply": self._apply, "rollback": self._roll_back, "diff": self._diff}
        self._panel = Panel(ports.loop, ("draft", "prompt_text", "prompt"), self._collect(), do)
        self._refresh = Refresh(ports, self._collect, self._panel.show)
        self.widget = self._panel.widget

    def close(self) -> None:
        self._refresh.close()
        self._panel.close()

    def _collect(self) -> dict[str, Any]:
        newest = self._line.newest
        return {
            "agent": self._line.name,
            "place": os.environ.get("JPY_SESSION_NAME", ""),  # the notebook, as its server knows it
            "mode": newest.agent.provider,
            "revision": newest.number,
            "fields": form(newest.agent, self._ports),
            "variables": variables(newest.agent),
            "variables_when": self._ports.applies["variables"],
            "calls": on_air(self._ports, self._line),
            "revisions": revisions(self._ports, self._line.name),
        }

    def _apply(self, content: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        changes = changes_of(self._line.newest.agent, content.get("changes") or {})
        edit = self._ports.phone.edit(
            self._line.name, note=str(content.get("note") or ""), scope=content.get("scope", "all calls"), **changes
        )
        return self._asked_for(edit, asked)

    def _roll_back(self, content: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        number = content.get("number")
        if not isinstance(number, int):
            raise ConfigError(f"revision is {number!r}; it must be the number of one.")
        return self._asked_for(self._ports.phone.rollback(number, self._line.name), asked)

    def _asked_for(self, edit: Edit, asked: Asked) -> dict[str, Any]:
        """What the page is told at once; that it took effect it is told by the swap itself."""
        edit.on_applied(partial(_tell_applied, edit, asked))
        self._refresh.now()
        return {"revision": edit.revision.number, "applies": dict(edit.applies), "state": edit.state}

    def _diff(self, content: Mapping[str, Any], _asked: Asked) -> dict[str, Any]:
        """The difference from one revision to another, or to what is not saved yet."""
        before = self._line.revision(content.get("before"))  # type: ignore[arg-type]  # it refuses what is no number
        if (changes := content.get("changes")) is not None:
            newest = self._line.newest
            unsaved = replace(newest, number=newest.number + 1, agent=newest.agent.edited(**changes_of(newest.agent, changes)))
            return {"lines": difference(before, unsaved).lines()}
        return {"lines": self._ports.phone.diff(before.number, content.get("after"), self._line.name).lines()}


def _tell_applied(edit: Edit, asked: Asked, applied: Any) -> None:
    asked.tell("applied", revision=edit.revision.number, turn=applied.turn, call_id=applied.call_id)


def on_air(ports: Ports, line: RevisionLine) -> list[dict[str, Any]]:
    """The calls that are on with this agent: the revision each runs, since which turn, and the one that waits for its next
    reply."""
    found = []
    for call in ports.phone.live_calls:
        if call.live.line is line:
            taken, newest = call.live.taken, call.live.newest
            waits = newest.number if newest is not taken.revision else None
            since = taken.edit_effective_turn
            found.append({"id": call.id, "revision": taken.revision.number, "since": since, "staged": waits})
    return found


def revisions(ports: Ports, name: str) -> list[dict[str, Any]]:
    """The newest revisions of this agent, the newest first."""
    table = ports.phone.revisions
    rows = table[table["agent"] == name].tail(SHOWN_REVISIONS).iloc[::-1]
    columns = ["number", "parent", "changed", "scope", "note", "turns", "gap_p50_ms", "usd"]
    found = rows[columns].astype(object).where(rows[columns].notna(), None).to_dict("records")
    times = [moment.isoformat() for moment in rows["created_at"]]
    return [plain({**row, "created_at": moment}) for row, moment in zip(found, times, strict=True)]
