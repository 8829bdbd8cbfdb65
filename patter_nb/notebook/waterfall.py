"""The picture of a call: how long each turn's reply took and what the time went to, and below it who spoke when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from patter_nb.notebook.lanes import HEIGHT as LANES_HEIGHT
from patter_nb.notebook.lanes import lane_shapes
from patter_nb.notebook.picture import BOLD, Lines, Picture, Rect, Shape, Text, hatching, shorten, text_width
from patter_nb.notebook.theme import label_role, stage_role
from patter_nb.notebook.view import CallView, Piece, Row, caller_rows, flag, ms_text, number, words
from patter_nb.records.spans import KEYS, SPANS

WIDTH = 880.0
"""Pixels: what a notebook's output area shows without scrolling."""
LEAST_WIDTH = 560.0
MOST_ROWS = 14
"""More turns than this are told by the slowest ones and one row for all."""
SLOWEST = 12
ROW_HEIGHT = 25.0
BAR_HEIGHT = 17.0
HEAD_HEIGHT = 44.0
"""Pixels for the heading and the axis labels above the bars."""
UNEXPLAINED = "unexplained_ms"

_WORDS_AT = 30.0
"""Pixels from the left to the turns' words; their numbers end ten before."""
_RIGHT_MARGIN = 108.0
"""Pixels right of the longest bar, for its total."""
_SMALL = 11.0
_LABELS = {**{kind.column: kind.label for kind in SPANS}, UNEXPLAINED: "unexplained"}
_OWNERS = {kind.column: f" ({kind.owner})" for kind in SPANS}


@dataclass(frozen=True, slots=True)
class _Chart:
    """Where a millisecond lies, and what one turn's bar is made of."""

    view: CallView
    width: float
    left: float
    pixels_per_ms: float

    def x(self, ms: float) -> float:
        return self.left + ms * self.pixels_per_ms


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
    return _in_a_row(row) if known is None else known


def _in_a_row(row: Row) -> tuple[Piece, ...]:
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
    left = round(width * 0.29)
    longest = max([100.0, *(_length_ms(view, row) for row in shown)])
    chart = _Chart(view, width, left, (width - _RIGHT_MARGIN - left) / longest)
    bottom = HEAD_HEIGHT + ROW_HEIGHT * (len(shown) + everyone)
    shapes: list[Shape] = [Text(0, 11, heading, bold=True), *_axis(chart, longest, bottom)]
    if everyone:
        shapes += _row_of_all(chart, rows, HEAD_HEIGHT)
    for index, row in enumerate(shown, start=int(everyone)):
        shapes += _row(chart, row, HEAD_HEIGHT + ROW_HEIGHT * index)
    reading, height = _reading(view, shown, bottom + 12, width)
    return [*shapes, *reading], height


def _length_ms(view: CallView, row: Row) -> float:
    gap = gap_of(row)
    return 0.0 if math.isnan(gap) else max([gap, *(piece.ended_ms for piece in pieces_of_row(view, row))])


def _axis(chart: _Chart, longest_ms: float, bottom: float) -> list[Shape]:
    steps = (step * 10**power for power in range(2, 12) for step in (1, 2, 5))
    step = next(step for step in steps if longest_ms / step <= 5 or step == 5 * 10**11)
    ticks = range(0, int(longest_ms / step) * step + 1, step)
    grid = tuple((chart.x(ms), HEAD_HEIGHT - 4, chart.x(ms), bottom) for ms in ticks)
    labels = [f"{ms_text(ms)} ms" if ms == ticks[-1] else ms_text(ms) for ms in ticks]
    return [
        Lines(grid, "line"),
        *(Text(chart.x(ms), HEAD_HEIGHT - 10, label, "muted", _SMALL, "middle") for ms, label in zip(ticks, labels, strict=True)),
    ]


def _row(chart: _Chart, row: Row, y: float) -> list[Shape]:
    baseline = y + ROW_HEIGHT / 2 + 4
    said, turn, room = words(row.get("caller_text")), number(row.get("turn")), chart.left - _WORDS_AT - 14
    shapes: list[Shape] = [
        Text(_WORDS_AT - 10, baseline, f"{turn:.0f}" if math.isfinite(turn) else "–", "muted", anchor="end"),
        Text(_WORDS_AT, baseline, shorten(said or "(no words)", room), "ink" if said else "muted", title=said),
    ]
    gap = gap_of(row)
    if math.isnan(gap):
        return [*shapes, *_no_bar(chart, row, y)]
    pieces = pieces_of_row(chart.view, row)
    for piece in pieces:
        shapes += _bar(chart, piece, y + (ROW_HEIGHT - BAR_HEIGHT) / 2)
    end = max([gap, *(piece.ended_ms for piece in pieces)])
    return [*shapes, *_total(gap, chart.x(end) + 8, y, interrupted=flag(row.get("interrupted")))]


def _no_bar(chart: _Chart, row: Row, y: float) -> list[Shape]:
    """In the place of a bar, why there is none."""
    error, heard = words(row.get("error")), words(row.get("heard_text"))
    unmeasured = "no gap: keys were pressed" if words(row.get("caller_text")).startswith(KEYS.strip()) else "gap not measured"
    said = unmeasured if heard else "no reply was heard"
    told = shorten(f"no reply: {error}", chart.width - chart.left - 8) if error else said
    ground = Rect(chart.left + 4, y + 3, text_width(told) + 8, ROW_HEIGHT - 6, "surface")
    return [ground, Text(chart.left + 8, y + ROW_HEIGHT / 2 + 4, told, "muted")]


def _bar(chart: _Chart, piece: Piece, y: float) -> list[Shape]:
    ms = piece.ended_ms - piece.started_ms
    x, width = chart.x(piece.started_ms), ms * chart.pixels_per_ms - 1  # a pixel of surface parts the neighbours
    title = f"{_LABELS.get(piece.column, piece.column)}{_OWNERS.get(piece.column, '')}: {ms_text(ms)} ms"
    if piece.column == UNEXPLAINED:
        return _unexplained(x, y, width, title)
    width = max(0.7, width)
    shapes: list[Shape] = [Rect(x, y, width, BAR_HEIGHT, stage_role(piece.column), title=title)]
    label = ms_text(ms)
    if text_width(label, _SMALL) + 6 <= width:
        shapes.append(Text(x + width / 2, y + BAR_HEIGHT / 2 + 4, label, label_role(piece.column), _SMALL, "middle", title=title))
    return shapes


def _unexplained(x: float, y: float, width: float, title: str) -> list[Shape]:
    if width < 4:  # hatching as narrow as this would look like dirt
        return [Rect(x, y, width, BAR_HEIGHT, "unexplained", title=title)] if width > 0 else []
    return _hatched(x, y, width, BAR_HEIGHT, title)


def _total(gap_ms: float, x: float, y: float, *, interrupted: bool) -> list[Shape]:
    baseline, label = y + ROW_HEIGHT / 2 + 4, f"{ms_text(gap_ms)} ms"
    width = text_width(label) * BOLD
    shapes: list[Shape] = [Rect(x - 4, y + 3, width + 4, ROW_HEIGHT - 6, "surface"), Text(x, baseline, label, bold=True)]
    if interrupted:
        shapes.append(Text(x + width + 6, baseline, "cut", "accent", title="the caller interrupted this reply"))
    return shapes


def _row_of_all(chart: _Chart, rows: Sequence[Row], y: float) -> list[Shape]:
    gaps = [gap for row in rows if not math.isnan(gap := gap_of(row))]
    middle = y + ROW_HEIGHT / 2
    ticks = tuple((chart.x(gap), middle - 7, chart.x(gap), middle + 7) for gap in gaps)
    label = f"all {len(gaps)} turns" if len(gaps) == len(rows) else f"all {len(gaps)} measured turns"
    return [Text(_WORDS_AT, middle + 4, label, "muted"), Lines(ticks, "agent", 1.5)]


def _reading(view: CallView, shown: Sequence[Row], y: float, width: float) -> tuple[list[Shape], float]:
    """The medians in one line (more where it is narrow), which also says what the colours mean. Returns its lower end too."""
    shapes: list[Shape] = []
    x, gap = 0.0, _statistic(view, "gap_ms", "p50")
    if not math.isnan(gap):
        head = f"median {ms_text(gap)} ms, n = {_statistic(view, 'gap_ms', 'n'):.0f}"
        shapes.append(Text(0, y + 12, head, bold=True))
        x = text_width(head) * BOLD + 18
    drawn = {piece.column for row in shown for piece in pieces_of_row(view, row)}
    for column, name in _LABELS.items():
        if column not in drawn:
            continue
        label = f"{name} {ms_text(_statistic(view, column, 'p50'))}"
        room = 15 + text_width(label, _SMALL)
        if x + room > width:
            x, y = 0.0, y + 19
        shapes += [*_swatch(column, x, y + 3), Text(x + 15, y + 12, label, "muted", _SMALL)]
        x += room + 13
    return shapes, y + 18


def _swatch(column: str, x: float, y: float) -> list[Shape]:
    if column == UNEXPLAINED:
        return _hatched(x, y, 10, 10)
    return [Rect(x, y, 10, 10, stage_role(column), 2)]


def _hatched(x: float, y: float, width: float, height: float, title: str = "") -> list[Shape]:
    return [Rect(x, y, width, height, "raised", title=title), Lines(hatching(x, y, width, height), "unexplained")]


def _statistic(view: CallView, column: str, name: str) -> float:
    return number(view.latency.at[column, name]) if column in view.latency.index else math.nan


def _description(view: CallView, count: int) -> str:
    gap = _statistic(view, "gap_ms", "p50")
    reading = "" if math.isnan(gap) else f", median reply gap {gap:.0f} ms"
    return f"Waterfall of {count} caller turns{reading}; lanes of who spoke when."
