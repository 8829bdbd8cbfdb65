"""The spans of each turn as rows: when each began and ended, how much of the caller's wait it was, and whose it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from patter_nb.records.columns import Column
from patter_nb.records.readings import CallReading, TurnReading
from patter_nb.records.spans import Interval, SpanKind, recorded

UNEXPLAINED = "unexplained"
"""The name of the row that holds what no span covers."""


class SpanRow(NamedTuple):
    """One span of one turn, or what no span covers of it."""

    turn: TurnReading
    kind: SpanKind | None
    """None: what no span covers."""
    recorded: tuple[Interval, ...]
    """Where it lies on the call's clock, as it was recorded."""
    ms: float
    pieces: tuple[Interval, ...]
    reason: str | None

    @property
    def started_at(self) -> float:
        return self.recorded[0][0] if self.recorded else math.nan

    @property
    def ended_at(self) -> float:
        return max(end for _, end in self.recorded) if self.recorded else math.nan

    @property
    def recorded_ms(self) -> float:
        return math.fsum(end - start for start, end in self.recorded) * 1000 if self.recorded else math.nan


def span_rows(call: CallReading) -> Iterator[SpanRow]:
    """The spans of every closed turn of one call, in the order of `SPANS`, then what they leave unexplained."""
    for turn in call.turns:
        gap = turn.attribution
        for part in gap.parts:
            lies = recorded(part.kind, turn.facts, call.stalls)
            yield SpanRow(turn, part.kind, lies, part.ms, part.pieces, part.reason)
        yield SpanRow(turn, None, gap.unexplained_pieces, gap.unexplained_ms, gap.unexplained_pieces, gap.reason)


_NOT_RECORDED = "when it was not recorded, or did not happen"

SPAN_COLUMNS: tuple[Column[SpanRow], ...] = (
    Column("call_id", lambda row: row.turn.call.record.facts.call_id, "string", "The call it belongs to."),
    Column("turn", lambda row: row.turn.facts.turn, "Int64", "The turn it belongs to."),
    Column("kind", lambda row: row.turn.facts.kind, "string", "The turn's kind; only turns of the caller have a gap to divide."),
    Column("revision", lambda row: row.turn.facts.revision, "Int64", "The agent's revision.", missing="without a reply"),
    Column(
        "span", lambda row: UNEXPLAINED if row.kind is None else row.kind.name, "string",
        "The span's name, that of its column in turns without _ms; unexplained is what no span covers.",
    ),
    Column(
        "owner", lambda row: None if row.kind is None else row.kind.owner, "string",
        "The setting or the part that this time belongs to.", missing="for unexplained",
    ),
    Column(
        "started_at", lambda row: row.started_at, "float64", "When it began, by the call's clock.", unit="s",
        missing=_NOT_RECORDED,
    ),
    Column(
        "ended_at", lambda row: row.ended_at, "float64", "When it ended, by the call's clock.", unit="s", missing=_NOT_RECORDED
    ),
    Column(
        "recorded_ms", lambda row: row.recorded_ms, "float64", "How long it lasted, whether anybody waited for it or not.",
        unit="ms", missing=_NOT_RECORDED,
    ),
    Column(
        "ms", lambda row: row.ms, "float64",
        "What of gap_ms it took: what of it lies in the gap and in no span before it. A turn's rows add up to its gap_ms.",
        unit="ms", missing="without a gap; when one of its instants was not recorded",
    ),
    Column(
        "pieces", lambda row: [list(piece) for piece in row.pieces], "object",
        "Where these milliseconds lie: pairs of start and end in seconds, by the call's clock.", unit="s",
    ),
    Column("missing", lambda row: row.reason, "string", "Why ms is missing.", missing="when it is known"),
)  # fmt: skip
