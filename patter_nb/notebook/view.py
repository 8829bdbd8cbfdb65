"""What a card, a figure or a terminal shows of one call: a snapshot, ready to be drawn on any thread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from patter_nb.records.masking import mask_text

if TYPE_CHECKING:
    import pandas as pd

    from patter_nb.audio.recording import Recording
    from patter_nb.records.spans import Attribution
    from patter_nb.turns.facts import TurnFacts

State = Literal["running", "ended", "failed"]
Row = Mapping[str, Any]

PERCENTILES = ("p50", "p90", "p95", "p99")


Side = Literal["caller", "agent"]
_SPEAKERS: dict[str, Side] = {"caller_speech": "caller", "agent_speech": "agent"}


class Speech(NamedTuple):
    """A stretch of one side's speech, in seconds of the call's clock."""

    who: Side
    started_at: float
    ended_at: float
    interrupted: bool = False
    """True where the caller's barge-in ended it."""


class Piece(NamedTuple):
    """A stretch of a turn's gap that belongs to one span, in ms from the caller's last word."""

    column: str
    """The span's column of the turns table, or "unexplained_ms"."""
    started_ms: float
    ended_ms: float


class Execution(NamedTuple):
    """A tool that ran in a turn."""

    name: str
    ms: float
    """How long it took; NaN where it has not returned."""
    failed: bool


@dataclass(frozen=True, slots=True)
class CallView:
    """One call as it stands now."""

    call_id: str
    title: str
    """What kind of call it is, as a reader would say it ("test call", "call to •••34")."""
    state: State
    started_at: datetime | None
    """Wall time of the answer."""
    duration_seconds: float
    caller: str
    """Who called; a number comes masked."""
    callee: str
    agent: str
    """The agent's name."""
    revision: int | None
    """The revision the call started with."""
    turns: pd.DataFrame
    """One row per turn, columns as `phone.turns` has them; more or fewer columns are fine."""
    cost: pd.DataFrame
    """The bill, item by item, as `records.tables.cost_frame` gives it."""
    latency: pd.DataFrame
    """Index: columns of `turns` in ms; columns `n`, `p50`, `p90`, `p95`, `p99`, as `records.tables.percentiles` gives it."""
    answered: bool = True
    """False while it rings, or while its models are opened; and of a call that nobody ever answered."""
    standing: str = ""
    """Where it is on its way, in a word or two ("ringing", "in call", "no answer"); empty: what its state says."""
    ring_seconds: float = math.nan
    """How long it rang; NaN when that is not known."""
    speech: tuple[Speech, ...] = ()
    recording: Recording | None = None
    end_reason: str = ""
    error: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know to judge the rest: stand-ins, a store that could not be written."""
    pieces: Mapping[int, tuple[Piece, ...]] = field(default_factory=dict)
    """Where in its gap each span of a turn lies, by the turn's number; a turn without is drawn with its spans in a row."""
    tools: Mapping[int, tuple[Execution, ...]] = field(default_factory=dict)
    """The tools that ran, by the turn's number; of a turn without, the names are told that its row has."""


def standing(view: CallView) -> str:
    """Where the call is on its way, in a word or two."""
    on = "in call" if view.answered else "not answered yet"
    return words(view.standing) or (on if view.state == "running" else view.state)


def turn_rows(view: CallView) -> list[dict[str, Any]]:
    """The turns as dictionaries, in the order of the call."""
    return [{str(name): value for name, value in row.items()} for row in view.turns.to_dict("records")]


def caller_rows(view: CallView) -> list[dict[str, Any]]:
    """Only the turns that the caller took: the ones percentiles are over."""
    return [row for row in turn_rows(view) if row.get("kind") == "caller"]


def number(value: object) -> float:
    """The value as a float; NaN where it is missing, in any of pandas' ways, or not a number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def words(value: object) -> str:
    """The value as text on one line, phone numbers masked; empty where it is missing."""
    return mask_text(" ".join(value.split())) if isinstance(value, str) else ""


def flag(value: object) -> bool:
    """The value as a truth, False where it is missing."""
    return number(value) == 1.0


def speech_of(events: Iterable[Row]) -> tuple[Speech, ...]:
    """Who spoke when, from the rows of the events table that say so; a row without an end is left out."""
    stretches = []
    for event in events:
        who = _SPEAKERS.get(str(event.get("kind")))
        started_at, ended_at = number(event.get("started_at")), number(event.get("ended_at"))
        if who and 0 <= started_at <= ended_at < math.inf:
            stretches.append(Speech(who, started_at, ended_at, flag(event.get("interrupted"))))
    return tuple(sorted(stretches, key=lambda speech: speech.started_at))


def pieces_of(turns: Iterable[tuple[TurnFacts, Attribution]]) -> dict[int, tuple[Piece, ...]]:
    """Where the spans of each measured turn lie in its gap, in the order of time."""
    return {facts.turn: _pieces(facts, gap) for facts, gap in turns if not math.isnan(gap.gap_ms)}


def _pieces(facts: TurnFacts, gap: Attribution) -> tuple[Piece, ...]:
    found = [(piece, part.kind.column) for part in gap.parts for piece in part.pieces]
    found += [(piece, "unexplained_ms") for piece in gap.unexplained_pieces]
    zero = facts.instants["speech_ended_at"]
    return tuple(Piece(column, (start - zero) * 1000, (end - zero) * 1000) for (start, end), column in sorted(found))


def tools_of(tools: pd.DataFrame) -> dict[int, tuple[Execution, ...]]:
    """The tools of each turn, from a table of tools as `phone.tools` has it."""
    found: dict[int, list[Execution]] = {}
    for row in tools.to_dict("records"):
        ran = Execution(words(row.get("name")), number(row.get("ms")), failed=bool(words(row.get("error"))))
        found.setdefault(int(number(row.get("turn"))), []).append(ran)
    return {turn: tuple(ran) for turn, ran in found.items()}


def clock_text(seconds: float) -> str:
    """Minutes and seconds ("1:07"); a dash when unknown."""
    if not math.isfinite(seconds):
        return "–"
    whole = round(max(0.0, seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def ms_text(ms: float) -> str:
    """Whole milliseconds with a thin space at the thousands; a dash when unknown, "<1" for what rounds to nothing."""
    if not math.isfinite(ms):
        return "–"
    return "<1" if 0 < ms <= 0.5 else whole_text(ms)


def whole_text(amount: float) -> str:
    """The amount rounded to a whole number, with a thin space at the thousands."""
    return f"{round(amount):,}".replace(",", "\u2009")


def usd_text(usd: float) -> str:
    """Dollars with as many digits as a fraction of a cent needs; a known nothing is "$0", an unknown price "unknown"."""
    if not math.isfinite(usd):
        return "unknown"
    if usd == 0:
        return "$0"
    return f"${usd:.2f}" if abs(usd) >= 1 else f"${usd:.5f}"
