"""The Prompt tab: what an agent is told and how it takes turns, edited between calls and during them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from patter_nb.live.difference import difference
from patter_nb.notebook.studio.editing import edit, standing, told
from patter_nb.notebook.studio.fields import changes_of, form, variables
from patter_nb.notebook.studio.panel import Asked, Panel, plain_rows
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
        self._panel = Panel(ports, ("draft", "edit", "prompt_text", "prompt"), self._collect(), do)
        self._refresh = Refresh(ports, self._collect, self._panel.show)
        self.widget = self._panel.widget

    def close(self) -> None:
        self._refresh.close()
        self._panel.close()

    def _collect(self) -> dict[str, Any]:
        newest = self._line.newest
        return {
            **standing("prompt", self._ports, self._line),
            "mode": newest.agent.provider,
            "fields": form(newest.agent, self._ports),
            "variables": variables(newest.agent),
            "variables_when": self._ports.applies["variables"],
            "revisions": revisions(self._ports, self._line.name),
        }

    def _apply(self, content: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        changes = changes_of(self._line.newest.agent, content.get("changes") or {})
        answer = edit(self._ports, self._line, content, asked, changes)
        self._refresh.now()
        return answer

    def _roll_back(self, content: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        number: Any = content.get("number")
        answer = told(self._ports.phone.rollback(number, self._line.name), asked)
        self._refresh.now()
        return answer

    def _diff(self, content: Mapping[str, Any], _asked: Asked) -> dict[str, Any]:
        """The difference from one revision to another, or to what is not saved yet."""
        before = self._line.revision(content.get("before"))  # type: ignore[arg-type]  # it refuses what is no number
        if (changes := content.get("changes")) is not None:
            newest = self._line.newest
            unsaved = replace(newest, number=newest.number + 1, agent=newest.agent.edited(**changes_of(newest.agent, changes)))
            return {"lines": difference(before, unsaved).lines()}
        return {"lines": self._ports.phone.diff(before.number, content.get("after"), self._line.name).lines()}


def revisions(ports: Ports, name: str) -> list[dict[str, Any]]:
    """The newest revisions of this agent, the newest first."""
    table = ports.phone.revisions
    columns = ("number", "parent", "changed", "scope", "note", "created_at", "turns", "gap_p50_ms", "usd")
    return plain_rows(table[table["agent"] == name].tail(SHOWN_REVISIONS), columns)
