"""The picture of a call: how long each turn's reply took and what the time went to, and below it who spoke when."""

from __future__ import annotations

import math
from collections.abc import Sequence

from patter_nb.notebook.bars import (
    HEAD_HEIGHT,
    ROW_HEIGHT,
    Bar,
    Chart,
    Measure,
    axis_shapes,
    bar_shapes,
    legend,
    limit_of,
    ticks_row,
)
from patter_nb.notebook.lanes import HEIGHT as LANES_HEIGHT
from patter_nb.notebook.lanes import lane_shapes
from patter_nb.notebook.picture import BOLD, Picture, Shape, Text, text_width
from patter_nb.notebook.theme import label_role, stage_role
from patter_nb.notebook.view import CallView, Piece, Row, caller_rows, flag, ms_text, number, whole_text, words
from patter_nb.records.spans import KEYS, SPANS

WIDTH = 880.0
"""Pixels: what a notebook's output area shows without scrolling."""
LEAST_WIDTH = 560.0
MOST_ROWS = 14
"""More turns than this are told by the slowest ones and one row for all."""
SLOWEST = 12
UNEXPLAINED = "unexplained_ms"

WAIT = Measure(
    text=ms_text,
    full=lambda ms: f"{ms_text(ms)} ms",
    names={**{kind.column: kind.label for kind in SPANS}, UNEXPLAINED: "unexplained"},
    role=stage_role,
    label_role=label_role,
    hatched=frozenset({UNEXPLAINED}),
    owners={kind.column: f" ({kind.owner})" for kind in SPANS},
    least=100.0,
)
"""Milliseconds of a reply's gap, in spans."""


def call_picture(view: CallView, *, width: float = WIDTH) -> Picture:
    """The waterfall and the lanes of a call, `width` pixels wide (at least `LEAST_WIDTH`)."""
    width = max(LEAST_WIDTH, width)
    rows = caller_rows(view)
    shapes, height = _waterfall(view, rows, width) if rows else _no_turns(view)
    if view.speech:
        shapes += lane_shapes(view.speech, view.duration_seconds, top=height + 20, width=width)
        height += 20 + LANES_HEIGHT
    return Picture(width, height, tuple(shapes), _description(view, len(rows)))


def gap_of(row: Row) -> float:
    """The turn's gap in ms; NaN when there is none."""
    gap = number(row.get("gap_ms"))
    return gap if math.isfinite(gap) and gap >= 0 else math.nan


def chosen_rows(rows: Sequence[Row]) -> list[Row]:
    """All rows; of more than `MOST_ROWS` the `SLOWEST` measured ones, in the order of the call."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    measured = [index for index, row in enumerate(rows) if not math.isnan(gap_of(row))]
    slowest = sorted(measured, key=lambda index: -gap_of(rows[index]))[:SLOWEST]
    return [rows[index] for index in sorted(slowest)] or list(rows[-SLOWEST:])


def pieces_of_row(view: CallView, row: Row) -> tuple[Piece, ...]:
    """The pieces of a turn's bar: where the view knows them, else its known spans in a row and what they leave unexplained."""
    turn = number(row.get("turn"))
    known = view.pieces.get(int(turn)) if math.isfinite(turn) else None
    return pieces_in_a_row(row) if known is None else known


def pieces_in_a_row(row: Row) -> tuple[Piece, ...]:
    """The known spans of a row of the turns table one after the other, and what they leave unexplained."""
    pieces, at = [], 0.0
    for kind in SPANS:
        ms = number(row.get(kind.column))
        if math.isfinite(ms) and ms > 0:
            pieces.append(Piece(kind.column, at, at + ms))
            at += ms
    gap = gap_of(row)
    return (*pieces, Piece(UNEXPLAINED, at, gap)) if gap > at else tuple(pieces)


def _no_turns(view: CallView) -> tuple[list[Shape], float]:
    remark = "The caller has not taken a turn yet." if view.state == "running" else "The caller took no turn."
    return [Text(0, 11, "Reply gap by turn", bold=True), Text(0, 34, remark, "muted")], 42.0


def _waterfall(view: CallView, rows: Sequence[Row], width: float) -> tuple[list[Shape], float]:
    shown = chosen_rows(rows)
    everyone = len(shown) < len(rows)
    heading = f"Reply gap: the {len(shown)} slowest of {len(rows)} turns" if everyone else "Reply gap by turn"
    bars = [bar_of_turn(row, pieces_of_row(view, row)) for row in shown]
    chart = Chart(WAIT, width, round(width * 0.29), limit_of([bar.length for bar in bars], WAIT.least))
    bottom = HEAD_HEIGHT + ROW_HEIGHT * (len(shown) + everyone)
    shapes: list[Shape] = [Text(0, 11, heading, bold=True), *axis_shapes(chart, HEAD_HEIGHT, bottom)]
    if everyone:
        shapes += row_of_all(chart, [gap_of(row) for row in rows], HEAD_HEIGHT)
    for index, bar in enumerate(bars, start=int(everyone)):
        shapes += bar_shapes(chart, bar, HEAD_HEIGHT + ROW_HEIGHT * index)
    reading, height = _reading(view, bars, bottom + 12, width)
    return [*shapes, *reading], height


def bar_of_turn(row: Row, pieces: tuple[Piece, ...], number_text: str = "") -> Bar:
    """One turn's bar: what the caller said, what the wait went to, and how long it was, or why that is not known."""
    said, turn, gap = words(row.get("caller_text")), number(row.get("turn")), gap_of(row)
    at_left = number_text or (f"{turn:.0f}" if math.isfinite(turn) else "–")
    label = said or "(no words)"
    if math.isnan(gap):
        return Bar(at_left, label, told=_why_none(row), faint=not said)
    cut = flag(row.get("interrupted"))
    mark, title = ("cut", "the caller interrupted this reply") if cut else ("", "")
    return Bar(at_left, label, pieces, gap, f"{ms_text(gap)} ms", mark, title, faint=not said)


def _why_none(row: Row) -> str:
    """In the place of a bar, why there is none."""
    if error := words(row.get("error")):
        return f"no reply: {error}"
    if not words(row.get("heard_text")):
        return "no reply was heard"
    return "no gap: keys were pressed" if words(row.get("caller_text")).startswith(KEYS.strip()) else "gap not measured"


def row_of_all(chart: Chart, gaps: Sequence[float], y: float) -> list[Shape]:
    """The row in which every measured turn has a tick."""
    known = [gap for gap in gaps if not math.isnan(gap)]
    label = f"all {whole_text(len(known))} turns" if len(known) == len(gaps) else f"all {whole_text(len(known))} measured turns"
    return ticks_row(chart, label, known, y)


def _reading(view: CallView, bars: Sequence[Bar], y: float, width: float) -> tuple[list[Shape], float]:
    """The medians in one line (more where it is narrow), which also says what the colours mean. Returns its lower end too."""
    shapes: list[Shape] = []
    x, gap = 0.0, _statistic(view, "gap_ms", "p50")
    if not math.isnan(gap):
        head = f"median {ms_text(gap)} ms, n = {_statistic(view, 'gap_ms', 'n'):.0f}"
        shapes.append(Text(0, y + 12, head, bold=True))
        x = text_width(head) * BOLD + 18
    drawn = {piece.column for bar in bars for piece in bar.pieces}
    labels = {c: f"{name} {ms_text(_statistic(view, c, 'p50'))}" for c, name in WAIT.names.items() if c in drawn}
    colours, bottom = legend(WAIT, labels, x, y, width)
    return [*shapes, *colours], bottom


def _statistic(view: CallView, column: str, name: str) -> float:
    return number(view.latency.at[column, name]) if column in view.latency.index else math.nan


def _description(view: CallView, count: int) -> str:
    gap = _statistic(view, "gap_ms", "p50")
    reading = "" if math.isnan(gap) else f", median reply gap {gap:.0f} ms"
    return f"Waterfall of {count} caller turns{reading}; lanes of who spoke when."
