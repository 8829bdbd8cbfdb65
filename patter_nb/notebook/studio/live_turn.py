"""A turn whose row is there, as the studio shows it: what was said and heard, its marks, and its bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from patter_nb.notebook.view import ms_text, pieces_of, words
from patter_nb.notebook.waterfall import WAIT, bar_of_turn
from patter_nb.records.readings import TurnReading


@dataclass(frozen=True, slots=True)
class ClosedTurn:
    """What the Call tab takes over from a row; texts on one line, numbers masked."""

    number: int
    kind: str
    at: float
    said: str
    overlap: str
    generated: str
    heard: str
    gap: str
    """The wait in words ("812 ms"); empty where it was not measured."""
    error: str = ""
    marks: tuple[str, ...] = ()
    bar: dict[str, Any] | None = None
    """None for a turn that answers no caller."""


def closed_turn(turn: TurnReading) -> ClosedTurn:
    """Read it off the facts."""
    facts, gap = turn.facts, turn.attribution.gap_ms
    return ClosedTurn(
        number=facts.turn,
        kind=facts.kind,
        at=max(facts.instants.values(), default=0.0),
        said=words(facts.caller_text),
        overlap=words(facts.overlap_text),
        generated=words(facts.agent_text),
        heard=words(facts.heard_text),
        gap="" if math.isnan(gap) else f"{ms_text(gap)} ms",
        error=words(facts.error),
        marks=marks_of(turn),
        bar=bar_of(turn) if facts.kind == "caller" else None,
    )


def marks_of(turn: TurnReading) -> tuple[str, ...]:
    """What is to be said of a reply besides its words."""
    facts = turn.facts
    heard, generated = words(facts.heard_text), words(facts.agent_text)
    marks: list[str] = [] if facts.kind == "caller" else [facts.kind]
    if facts.interrupted:
        marks.append("interrupted")
    elif generated and not heard:
        marks.append("not heard")
    elif len(generated) > len(heard):
        marks.append("not heard to its end")
    if facts.resumed:
        marks.append("the caller went on" if facts.resumed == 1 else f"the caller went on {facts.resumed} times")
    return tuple(marks)


def bar_of(turn: TurnReading) -> dict[str, Any]:
    """Its bar as a page draws it: where each piece of the wait begins and ends, in ms from the caller's last word."""
    facts = turn.facts
    pieces = pieces_of([(facts, turn.attribution)]).get(facts.turn, ())
    row = {
        "turn": facts.turn, "caller_text": facts.caller_text, "heard_text": facts.heard_text, "error": facts.error,
        "interrupted": facts.interrupted, "gap_ms": turn.attribution.gap_ms,
    }  # fmt: skip
    bar = bar_of_turn(row, pieces)
    return {
        "turn": facts.turn,
        "label": bar.label,
        "faint": bar.faint,
        "pieces": [[piece.column, round(piece.started_ms, 1), round(piece.ended_ms, 1)] for piece in pieces],
        "length": round(bar.length, 1),
        "told": bar.told,
        "cut": facts.interrupted,
        "revision": facts.revision,
    }


def legend() -> dict[str, Any]:
    """What the pieces of a bar are called, whose time each is, and in which colour a page draws it."""
    return {
        column: {"name": name, "owner": WAIT.owners.get(column, "").strip(" ()"), "role": WAIT.role(column).replace("_", "-")}
        for column, name in WAIT.names.items()
    }
