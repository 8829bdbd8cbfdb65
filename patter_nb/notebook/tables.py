"""The latency and the cost of a call as tables of text, the same for the card and the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from patter_nb.notebook.view import (
    PERCENTILES,
    CallView,
    Row,
    caller_rows,
    clock_text,
    ms_text,
    number,
    standing,
    usd_text,
    whole_text,
    words,
)
from patter_nb.records.spans import SPANS


class LatencyLine(NamedTuple):
    """One measure over the caller's turns."""

    column: str
    label: str
    owner: str
    """Whose time it is, or what it is to be compared with."""
    percentiles: tuple[str, ...]
    """Milliseconds as text, in the order of `PERCENTILES`."""
    n: int


class CostLine(NamedTuple):
    """One part of the bill over the whole call."""

    part: str
    provider: str
    used: str
    usd: float


class TurnCost(NamedTuple):
    """One turn's part of the bill: US dollars by part."""

    turn: int
    usd: dict[str, float]


_MEASURES = (
    ("gap_ms", "reply gap", "last word to first sound"),
    *((kind.column, kind.label, kind.owner) for kind in SPANS),
    ("unexplained_ms", "unexplained", "no span covers it"),
    ("perceived_ms", "perceived", "by the far end's own clock"),
    ("agent_response_ms", "agent_response_ms", "Patter's sum"),
)
_RARE = {kind.column for kind in SPANS if kind.rare}
NOTHING_MEASURED = "No turn of the caller was measured."
NO_COST = "Nothing is known of the cost."
ONCE = "machine detection"
"""A part of the bill that is paid once for a call, however long it took."""
_SERVICES = ("stt", "llm", "tts")
_ALWAYS = (*_SERVICES, "telephony")
"""Parts of the bill that are shown also when nothing was used."""


def latency_lines(view: CallView) -> list[LatencyLine]:
    """The reply gap, its parts in their order, then the measures to compare it with.

    What was never measured is left out, and so is what most calls go without and took no time in this one.
    """
    lines = []
    for column, label, owner in _MEASURES:
        n = number(view.latency.at[column, "n"]) if column in view.latency.index else 0.0
        if n > 0 and not (column in _RARE and number(view.latency.at[column, "p99"]) == 0):
            texts = tuple(ms_text(number(view.latency.at[column, name])) for name in PERCENTILES)
            lines.append(LatencyLine(column, label, owner, texts, int(n)))
    return lines


def cost_lines(view: CallView) -> list[CostLine]:
    """The bill by part, in the order of `view.cost`; the total last."""
    rows = _cost_rows(view)
    parts = list(dict.fromkeys(str(row.get("part")) for row in rows))
    lines = [_cost_line(part, [row for row in rows if row.get("part") == part]) for part in parts]
    return [line for line in lines if line.part in (*_ALWAYS, "total") or line.used or line.usd != 0]


def turn_costs(view: CallView) -> list[TurnCost]:
    """What each turn cost, by part; "total" is their sum."""
    found: dict[int, dict[str, float]] = {}
    for row in _cost_rows(view):
        turn = number(row.get("turn"))
        if math.isfinite(turn):
            found.setdefault(int(turn), {})[str(row.get("part"))] = number(row.get("usd"))
    return [TurnCost(turn, {**parts, "total": math.fsum(parts.values())}) for turn, parts in found.items()]


def unknown_costs(view: CallView) -> list[str]:
    """Each reason why a cost is not known, once."""
    told = [words(row.get("unknown")) for row in _cost_rows(view)]
    return list(dict.fromkeys(reason for text in told for reason in text.split("; ") if reason))


def text_summary(view: CallView) -> str:
    """The latency and the cost table for a terminal, at most 100 columns wide."""
    latency = [(line.label, *line.percentiles, str(line.n), line.owner) for line in latency_lines(view)]
    cost = [(line.part, usd_text(line.usd), line.used, line.provider) for line in cost_lines(view)]
    blocks = [
        f"{words(view.agent)} ({standing(view)}): {' · '.join(summary_parts(view))}",
        *([words(view.error)] if view.error else []),
        *(words(note) for note in view.notes),
        "",
        _aligned([("latency, ms", *PERCENTILES, "n", ""), *latency], "<>>>>><") if latency else NOTHING_MEASURED,
        "",
        _aligned([("cost", "USD", "", ""), *cost], "<><<") if cost else NO_COST,
        *unknown_costs(view),
    ]
    return "\n".join(blocks)


def summary_parts(view: CallView) -> list[str]:
    """What there is to say of the call in a line: its kind, who called, its length, its turns, how it ended.

    Of a call that nobody answered: how long it rang.
    """
    parties = " → ".join(party for party in (words(view.caller), words(view.callee)) if party)
    ending = words(view.end_reason).replace("_", " ")
    told = (words(view.title), parties, *_extent(view), "" if ending in (view.state, standing(view)) else ending)
    return [part for part in told if part]


def _extent(view: CallView) -> tuple[str, ...]:
    if not view.answered:
        return () if math.isnan(view.ring_seconds) else (f"rang {view.ring_seconds:.0f} s",)
    count = len(caller_rows(view))
    return clock_text(view.duration_seconds), f"{count} turn{'' if count == 1 else 's'}"


def _cost_rows(view: CallView) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in view.cost.to_dict("records")]


def _cost_line(part: str, rows: Sequence[Row]) -> CostLine:
    names = dict.fromkeys(name for row in rows if (name := _model(row).removesuffix(f" {part}")))
    usd = math.fsum(number(row.get("usd")) for row in rows)
    return CostLine(part, ", ".join(names), "" if part == "total" else "once" if part == ONCE else _used(rows), usd)


def _model(row: Row) -> str:
    return " ".join(name for name in (words(row.get("provider")), words(row.get("model"))) if name)


def _used(rows: Sequence[Row]) -> str:
    units: tuple[tuple[str, Callable[[float], str]], ...] = (
        ("audio_seconds", lambda amount: f"{amount:.1f} s"),
        ("characters", lambda amount: f"{whole_text(amount)} characters"),
        ("input_tokens", lambda amount: f"{whole_text(amount)} tokens in"),
        ("cached_input_tokens", lambda amount: f"{whole_text(amount)} cached"),
        ("output_tokens", lambda amount: f"{whole_text(amount)} out"),
    )
    amounts = ((_sum(rows, column), text) for column, text in units)
    return ", ".join(text(amount).replace(" ", "\u00a0") for amount, text in amounts if amount)


def _sum(rows: Sequence[Row], column: str) -> float:
    return math.fsum(amount for row in rows if math.isfinite(amount := number(row.get(column))))


def _aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """The rows under one another, each column as wide as its widest cell; `sides` says per column which side it keeps to."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]
    cells = ((f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)) for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in cells)
