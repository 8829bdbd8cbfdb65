"""What the tabs that edit have in common: where the agent stands, and what a page is told of an edit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from patter_nb.errors import ConfigError
from patter_nb.live import Applied, Edit, RevisionLine
from patter_nb.notebook.studio.panel import Asked
from patter_nb.notebook.studio.ports import Ports


class Refused(ConfigError):  # noqa: N818 (it reads as what it is)
    """An edit that cannot be made, because of what stands in one field of a form."""

    def __init__(self, field: str, error: ConfigError) -> None:
        super().__init__(str(error))
        self.field = field


def standing(tab: str, ports: Ports, line: RevisionLine) -> dict[str, Any]:
    """What every tab that edits shows of its agent."""
    return {
        "tab": tab,
        "agent": line.name,
        "place": os.environ.get("JPY_SESSION_NAME", ""),  # the notebook, as its server knows it
        "revision": line.newest.number,
        "calls": on_air(ports, line),
    }


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


def edit(
    ports: Ports, line: RevisionLine, content: Mapping[str, Any], asked: Asked, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the edit that a page has ordered; what the page is told at once."""
    note, scope = str(content.get("note") or ""), content.get("scope", "all calls")
    return told(ports.phone.edit(line.name, note=note, scope=scope, **changes), asked)


def told(edit: Edit, asked: Asked) -> dict[str, Any]:
    """What the page is told of its edit at once; that it took effect it is told by the swap itself."""
    edit.on_applied(partial(_tell_applied, edit, asked))
    return {"revision": edit.revision.number, "applies": dict(edit.applies), "state": edit.state}


def _tell_applied(edit: Edit, asked: Asked, applied: Applied) -> None:
    asked.tell("applied", revision=edit.revision.number, turn=applied.turn, call_id=applied.call_id)
