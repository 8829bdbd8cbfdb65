"""Tools and guardrails of an agent as a form has them: those it has, and those it had, which can be switched on again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patter_nb.live import RevisionLine
from patter_nb.notebook.studio.panel import plain_rows
from patter_nb.notebook.studio.ports import Ports


def known(line: RevisionLine, field: str) -> dict[str, Any]:
    """Every rule that a revision of the line names, by its name; of several with one name the one in force, else the newest."""
    found: dict[str, Any] = {}
    for revision in line.revisions:
        found |= {rule.name: rule for rule in getattr(revision.agent, field) or ()}
    return {**found, **in_force(line, field)}


def in_force(line: RevisionLine, field: str) -> dict[str, Any]:
    """The rules of the newest revision, by their names."""
    return {rule.name: rule for rule in getattr(line.newest.agent, field) or ()}


def split(changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Changes of a form, `{"description:book": "..."}`, by the name of what they change: `{"book": {"description": "..."}}`."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        part, _, name = key.partition(":")
        found.setdefault(name, {})[part] = value
    return found


def chosen(line: RevisionLine, field: str, changes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of the rules that are on after the changes: those in force in their order, then those that come on."""
    on = list(in_force(line, field))
    on += [name for name in known(line, field) if name not in on]
    now = in_force(line, field)
    return [name for name in on if changes.get(name, {}).get("on", name in now)]


def runs_of(ports: Ports, most: int) -> list[dict[str, Any]]:
    """The last executions of tools in the phone's calls, the newest first."""
    columns = ("call_id", "turn", "name", "arguments", "result", "error", "ms", "attempts", "late")
    return plain_rows(ports.phone.tools_log.tail(most), columns)
