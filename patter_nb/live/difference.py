"""What differs between two revisions of an agent."""

from __future__ import annotations

import difflib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from patter_nb.agent import Agent
from patter_nb.live.revision import Revision

LONG_TEXT = 60
"""Characters from which on a text is compared line by line and not shown twice."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The fields that differ, each with its value before and after as plain data without secrets."""

    before: int
    after: int
    """The numbers of the two revisions."""
    changes: Mapping[str, tuple[Any, Any]]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def lines(self) -> list[str]:
        """The difference as a text: `field: before -> after`, long texts as the lines that came and went."""
        lines: list[str] = []
        for name, (before, after) in self.changes.items():
            if _long(before) or _long(after):
                lines += _text_lines(name, before, after)
            else:
                lines.append(f"{name}: {_brief(before)} -> {_brief(after)}")
        return lines

    def __str__(self) -> str:
        head = f"revision {self.before} -> {self.after}"
        return "\n".join([f"{head}:", *self.lines()]) if self.changes else f"{head}: no difference"

    def __repr__(self) -> str:
        return f"Difference({self.before} -> {self.after}: {', '.join(self.changes) or 'none'})"

    def _repr_html_(self) -> str:
        colours = {"+": "#1a7f37", "-": "#cf222e"}
        rows = [
            f"<div style='color:{colours.get(line[:1], 'inherit')}'>{html.escape(line)}</div>" for line in str(self).splitlines()
        ]
        return f"<div style='font-family:monospace;white-space:pre-wrap'>{''.join(rows)}</div>"


def difference(before: Revision, after: Revision) -> Difference:
    """What is in `after` and was not in `before`, field by field."""
    old, new = before.agent.content(), after.agent.content()
    changes = {name: (old.get(name), new.get(name)) for name in new if old.get(name) != new.get(name)}
    return Difference(before.number, after.number, changes)


def alike(one: Agent, other: Agent) -> bool:
    """Whether nothing differs, the objects that were given included. Contents do not tell: they do not see what a function has
    caught, or an object keeps to itself."""
    return not differing(one, other)


def differing(one: Agent, other: Agent) -> dict[str, Any]:
    """The fields of `other` that are not alike."""
    pairs = ((each.name, getattr(one, each.name), getattr(other, each.name)) for each in fields(one))
    return {name: theirs for name, mine, theirs in pairs if not _same(mine, theirs)}


def _same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one is other or (isinstance(one, str | int | float) and type(one) is type(other) and one == other)


def _long(value: object) -> bool:
    return isinstance(value, str) and (len(value) > LONG_TEXT or "\n" in value)


def _brief(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


def _text_lines(name: str, before: object, after: object) -> list[str]:
    compared = difflib.ndiff(str(before or "").splitlines(), str(after or "").splitlines())
    return [f"{name}:", *(line for line in compared if line[:1] in "+-")]
