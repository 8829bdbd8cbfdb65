"""Bars one below the other, each made of pieces from left to right: what a wait went to, what a bill is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from patter_nb.notebook.picture import BOLD, Lines, Rect, Shape, Text, hatching, shorten, text_width
from patter_nb.notebook.view import Piece

ROW_HEIGHT = 25.0
BAR_HEIGHT = 17.0
HEAD_HEIGHT = 44.0
"""Pixels for the heading and the axis labels above the bars."""
RIGHT_MARGIN = 108.0
"""Pixels right of the longest bar, for its total."""
SMALL = 11.0
NUMBERS = 30.0
"""Pixels at the left for the bars' numbers."""

_FAR = 4.0
"""A bar that is longer than three quarters of the others by more than this is cut short, so that those can be read."""
_MANY = 1000


@dataclass(frozen=True, slots=True)
class Measure:
    """What the bars are as long as, and what their pieces are called."""

    text: Callable[[float], str]
    """An amount as a piece shows it."""
    full: Callable[[float], str]
    """An amount with its unit."""
    names: Mapping[str, str]
    """What a piece's column is called, in the order of the legend."""
    role: Callable[[str], str]
    """The colour of a piece's column."""
    label_role: Callable[[str], str]
    """The colour of the number on it."""
    hatched: frozenset[str]
    """Columns of pieces that stand for what is not known."""
    owners: Mapping[str, str]
    least: float
    """The axis is at least as long as this."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: its words at the left, its pieces, and what is said at its end."""

    number: str
    label: str
    pieces: tuple[Piece, ...] = ()
    total: float = math.nan
    """How long it is said to be; NaN for no bar."""
    told: str = ""
    """The total in words; where there is no bar, why."""
    mark: str = ""
    """Said after the total, in the colour of what stands out."""
    mark_title: str = ""
    interval: tuple[float, float] | None = None
    """Where the total may lie."""
    faint: bool = False
    """The label is a remark, not words."""

    @property
    def length(self) -> float:
        """Where its last piece ends; 0 for no bar."""
        return 0.0 if math.isnan(self.total) else max([self.total, *(piece.ended_ms for piece in self.pieces)])


@dataclass(frozen=True, slots=True)
class Chart:
    """Where an amount lies."""

    measure: Measure
    width: float
    left: float
    limit: float
    """Longer bars are cut short here."""
    numbers: float = NUMBERS
    """Pixels at the left for the bars' numbers."""
    right: float = RIGHT_MARGIN
    """Pixels right of the longest bar, for what is said at its end."""

    def x(self, amount: float) -> float:
        return self.left + min(amount, self.limit) * self.per_unit

    @property
    def per_unit(self) -> float:
        """Pixels."""
        return (self.width - self.right - self.left) / self.limit


def limit_of(lengths: Iterable[float], least: float) -> float:
    """How far the axis goes: to the end of the longest bar, unless that would make all the others short."""
    ranked = sorted(lengths)
    if not ranked or ranked[-1] <= least:
        return least
    usual = max(least, ranked[(len(ranked) - 1) * 3 // 4])
    if ranked[-1] <= _FAR * usual:
        return ranked[-1]
    return max(length for length in (least, *ranked) if length <= _FAR * usual) * 1.2


def nice_step(end: float, most: int = 5) -> float:
    """The least of 1, 2 and 5 times a power of ten that fits into `end` at most `most` times."""
    power = math.floor(math.log10(end / most))
    return next(step for step in (float(f"{factor}e{power}") for factor in (1, 2, 5, 10)) if end / step <= most)


def ticks_of(end: float, most: int = 5) -> list[float]:
    """Multiples of a nice step, from 0 to `end`."""
    step = nice_step(end, most)
    return [index * step for index in range(math.floor(end / step + 1e-9) + 1)]


def axis_shapes(chart: Chart, top: float, bottom: float) -> list[Shape]:
    """The grid behind the bars and its labels above it; the last one says the unit."""
    ticks = ticks_of(chart.limit)
    text, full = chart.measure.text, chart.measure.full
    grid = tuple((chart.x(tick), top - 4, chart.x(tick), bottom) for tick in ticks)
    labels = [full(tick) if tick == ticks[-1] else text(tick) for tick in ticks]
    return [
        Lines(grid, "line"),
        *(Text(chart.x(tick), top - 10, label, "muted", SMALL, "middle") for tick, label in zip(ticks, labels, strict=True)),
    ]


def bar_shapes(chart: Chart, bar: Bar, y: float) -> list[Shape]:
    """One row, `ROW_HEIGHT` pixels high from `y`."""
    baseline = y + ROW_HEIGHT / 2 + 4
    words = shorten(bar.label, chart.left - chart.numbers - 14)
    shapes: list[Shape] = [
        Text(chart.numbers - 10, baseline, bar.number, "muted", anchor="end"),
        Text(chart.numbers, baseline, words, "muted" if bar.faint else "ink", title=bar.label),
    ]
    if math.isnan(bar.total):
        told = shorten(bar.told, chart.width - chart.left - 8)
        ground = Rect(chart.left + 4, y + 3, text_width(told) + 8, ROW_HEIGHT - 6, "surface")
        return [*shapes, ground, Text(chart.left + 8, baseline, told, "muted")]
    for piece in bar.pieces:
        if piece.started_ms < chart.limit:
            shapes += _piece(chart, piece, y + (ROW_HEIGHT - BAR_HEIGHT) / 2)
    if bar.length > chart.limit:
        shapes += _broken(chart, y)
    end = bar.length
    if bar.interval is not None:
        shapes += _whisker(chart, bar.interval, y + ROW_HEIGHT - 2)
        end = max(end, bar.interval[1])
    return [*shapes, *_total(bar, chart.x(end) + 8, y)]


def _piece(chart: Chart, piece: Piece, y: float) -> list[Shape]:
    measure, column = chart.measure, piece.column
    amount = piece.ended_ms - piece.started_ms
    x = chart.x(piece.started_ms)
    width = chart.x(piece.ended_ms) - x - 1  # a pixel of surface parts the neighbours
    title = f"{measure.names.get(column, column)}{measure.owners.get(column, '')}: {measure.full(amount)}"
    if column in measure.hatched:
        if width < 4:  # hatching as narrow as this would look like dirt
            return [Rect(x, y, width, BAR_HEIGHT, "unexplained", title=title)] if width > 0 else []
        return hatched(x, y, width, BAR_HEIGHT, title)
    width = max(0.7, width)
    shapes: list[Shape] = [Rect(x, y, width, BAR_HEIGHT, measure.role(column), title=title)]
    label = measure.text(amount)
    if text_width(label, SMALL) + 6 <= width:
        role = measure.label_role(column)
        shapes.append(Text(x + width / 2, y + BAR_HEIGHT / 2 + 4, label, role, SMALL, "middle", title=title))
    return shapes


def _broken(chart: Chart, y: float) -> list[Shape]:
    """Two slanted gaps near the end of a bar that goes on for longer than there is room."""
    x, top, bottom = chart.x(chart.limit) - 14, y + 2, y + ROW_HEIGHT - 2
    return [Lines(((x, bottom, x + 5, top), (x + 6, bottom, x + 11, top)), "surface", 3)]


def _whisker(chart: Chart, interval: tuple[float, float], y: float) -> list[Shape]:
    """From where to where the total may lie: a line with ends, below the bar."""
    low, high = (chart.x(max(0.0, each)) for each in interval)
    return [Lines(((low, y, high, y), (low, y - 3, low, y + 1.5), (high, y - 3, high, y + 1.5)), "ink", 1.5)]


def _total(bar: Bar, x: float, y: float) -> list[Shape]:
    baseline, width = y + ROW_HEIGHT / 2 + 4, text_width(bar.told) * BOLD
    shapes: list[Shape] = [Rect(x - 4, y + 3, width + 4, ROW_HEIGHT - 6, "surface"), Text(x, baseline, bar.told, bold=True)]
    if bar.mark:
        shapes.append(Text(x + width + 6, baseline, bar.mark, "accent", title=bar.mark_title))
    return shapes


def ticks_row(chart: Chart, label: str, amounts: Sequence[float], y: float) -> list[Shape]:
    """A row in which everyone has a tick."""
    middle = y + ROW_HEIGHT / 2
    # Of very many, those in the same half of a pixel are one.
    grain = 0.5 if len(amounts) > _MANY else 1e-6
    places = dict.fromkeys(round(chart.x(amount) / grain) * grain for amount in amounts)
    ticks = tuple((x, middle - 7, x, middle + 7) for x in places)
    return [Text(chart.numbers, middle + 4, label, "muted"), Lines(ticks, "agent", 1.5)]


def legend(measure: Measure, labels: Mapping[str, str], x: float, y: float, width: float) -> tuple[list[Shape], float]:
    """What the colours mean, from `x` on, in as many lines as it takes. Returns the lower end too."""
    shapes: list[Shape] = []
    for column, label in labels.items():
        room = 15 + text_width(label, SMALL)
        if x + room > width and x > 0:
            x, y = 0.0, y + 19
        shapes += [*_swatch(measure, column, x, y + 3), Text(x + 15, y + 12, label, "muted", SMALL)]
        x += room + 13
    return shapes, y + 18


def _swatch(measure: Measure, column: str, x: float, y: float) -> list[Shape]:
    if column in measure.hatched:
        return hatched(x, y, 10, 10)
    return [Rect(x, y, 10, 10, measure.role(column), 2)]


def hatched(x: float, y: float, width: float, height: float, title: str = "") -> list[Shape]:
    """A rectangle for what is not known."""
    return [Rect(x, y, width, height, "raised", title=title), Lines(hatching(x, y, width, height), "unexplained")]
