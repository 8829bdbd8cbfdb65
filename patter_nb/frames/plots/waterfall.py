"""Where the wait went: the gap of each turn, or of the middle turns of each group, in the spans it was spent in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from patter_nb.errors import ConfigError
from patter_nb.frames.intervals import Estimate
from patter_nb.frames.plots import estimates
from patter_nb.frames.plots.estimates import TOO_SMALL, verdict
from patter_nb.frames.plots.groups import (
    NUMBERED,
    By,
    Group,
    caller_turns,
    calls_of,
    capital,
    compared_ms,
    count_of_calls,
    extent,
    last_groups,
    measured,
    nothing_measured,
    numbered,
    numbers,
    places_of,
    without_gap,
)
from patter_nb.frames.plots.sheet import WIDTH, empty, sheet, shown
from patter_nb.notebook.bars import HEAD_HEIGHT, ROW_HEIGHT, Bar, Chart, axis_shapes, bar_shapes, legend, limit_of
from patter_nb.notebook.picture import Area, Picture, Shape
from patter_nb.notebook.view import Row, ms_text, whole_text
from patter_nb.notebook.waterfall import MOST_ROWS, SLOWEST, WAIT, bar_of_turn, pieces_in_a_row, row_of_all
from patter_nb.records.spans import SPANS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Statistic = Literal["median", "mean"]
HEADING = "Where the wait went"

_LEFT = 262.0
_OWNERS = {kind.column: kind.owner for kind in SPANS}


def waterfall(turns: pd.DataFrame, by: By = "turn", statistic: Statistic = "median", *, dark: bool | None = None) -> Figure:
    """The gap of each turn in the spans it was spent in; what no span covers is hatched.

    `by` "turn": every turn, of more than 14 the 12 slowest and a tick for each. Any other column, or several: a bar for each
    group ("revision"). With `statistic` "median" it shows what the middle turns waited for: the mean spans of the fifth of the
    turns around the median gap. "mean": of all turns. `dark` None: where matplotlib's own style is dark.
    """
    return shown(waterfall_picture(turns, by, statistic), dark)


def waterfall_picture(turns: pd.DataFrame, by: By = "turn", statistic: Statistic = "median") -> Picture:
    if statistic not in ("median", "mean"):
        raise ConfigError(f"statistic is {statistic!r}; it must be 'median' or 'mean'.")
    mine = caller_turns(turns, "waterfall()")
    known = measured(mine)
    if mine.empty or (known.empty and by != "turn"):
        return empty(HEADING, nothing_measured(mine))
    return _by_turn(mine, known) if by == "turn" else _by_group(mine, known, by, statistic)


def _by_turn(mine: pd.DataFrame, known: pd.DataFrame) -> Picture:
    calls, everyone = count_of_calls(mine), len(mine) > MOST_ROWS
    shown_turns = mine
    if everyone:
        shown_turns = known.nlargest(SLOWEST, "gap_ms").sort_index() if len(known) else mine.tail(SLOWEST)
        shown_turns = mine.loc[mine.index.isin(shown_turns.index)].head(SLOWEST)
    places = places_of(mine)
    rows: list[Row] = [{str(name): value for name, value in row.items()} for row in shown_turns.to_dict("records")]
    bars = [bar_of_turn(row, pieces_in_a_row(row), numbered(row, places)) for row in rows]
    heading = f"{HEADING}: the {len(bars)} slowest of {extent(len(mine), calls)}" if everyone else f"{HEADING}, turn by turn"
    chart = Chart(WAIT, WIDTH, _LEFT, limit_of([bar.length for bar in bars], WAIT.least), 54.0 if places else 30.0)
    rows_of_all = row_of_all(chart, numbers(mine, "gap_ms").tolist(), HEAD_HEIGHT) if everyone else []
    remark = NUMBERED if places else ""
    return _drawn(heading, chart, bars, rows_of_all, (_reading_of_turns(mine, known), remark))


def _by_group(mine: pd.DataFrame, known: pd.DataFrame, by: By, statistic: Statistic) -> Picture:
    last, count = last_groups(known, by, "waterfall()", MOST_ROWS)
    gaps = [_gap(group, statistic) for group in last]
    bars = [_bar_of_group(group, gap, statistic) for group, gap in zip(last, gaps, strict=True)]
    limit = limit_of([max(bar.length, bar.interval[1] if bar.interval else 0.0) for bar in bars], WAIT.least)
    chart = Chart(WAIT, WIDTH, _LEFT + 40, limit, 0.0, 150.0)
    what = "the turns around the median" if statistic == "median" else "the mean of all turns"
    more = f"the last {len(last)} of {whole_text(count)}" if count > len(last) else ""
    whiskers = "line below a bar: 95% interval" if any(bar.interval for bar in bars) else ""
    remark = "; ".join(part for part in (more, whiskers, without_gap(len(mine) - len(known))) if part)
    return _drawn(f"{HEADING}: {what}", chart, bars, [], (_reading_of_groups(last, gaps, statistic), remark))


def _gap(group: Group, statistic: Statistic) -> Estimate:
    gaps, calls = numbers(group.turns, "gap_ms"), calls_of(group.turns)
    return estimates.mean(gaps, calls) if statistic == "mean" else estimates.quantile(gaps, calls, 0.5)


def _bar_of_group(group: Group, gap: Estimate, statistic: Statistic) -> Bar:
    turns = middle_turns(group.turns) if statistic == "median" else group.turns
    sums = {name: float(np.nansum(numbers(turns, name))) for name in _columns(turns)}
    pieces = pieces_in_a_row({"gap_ms": float(numbers(turns, "gap_ms").mean()), **{c: ms / len(turns) for c, ms in sums.items()}})
    label, told = f"{group.name}: {group.told}", f"{ms_text(gap.value)} ms"
    if not estimates.known(gap):
        return Bar("", label, pieces, gap.value, told, TOO_SMALL, "no interval can be given")
    return Bar("", label, pieces, gap.value, told, interval=(gap.low, gap.high))


def middle_turns(turns: pd.DataFrame) -> pd.DataFrame:
    """The fifth of the turns around the median gap; at least the one or two in the middle."""
    last = len(turns) - 1
    low, high = math.ceil(0.4 * last), math.floor(0.6 * last)
    if low > high:
        low, high = math.floor(last / 2), math.ceil(last / 2)
    return turns.sort_values("gap_ms", kind="stable").iloc[low : high + 1]


def _columns(turns: pd.DataFrame) -> list[str]:
    return [kind.column for kind in SPANS if kind.column in turns.columns]


def _drawn(heading: str, chart: Chart, bars: Sequence[Bar], above: Sequence[Shape], told: tuple[str, str]) -> Picture:
    """The bars below what stands above them; `told` are the reading and the remark."""
    rows = len(bars) + bool(above)
    bottom = HEAD_HEIGHT + ROW_HEIGHT * rows
    shapes = [*axis_shapes(chart, HEAD_HEIGHT, bottom), *above]
    for index, bar in enumerate(bars, start=int(bool(above))):
        shapes += bar_shapes(chart, bar, HEAD_HEIGHT + ROW_HEIGHT * index)
    drawn = {piece.column for bar in bars for piece in bar.pieces}
    colours, bottom = legend(WAIT, {c: name for c, name in WAIT.names.items() if c in drawn}, 0.0, bottom + 10, WIDTH)
    area = Area(
        chart.left, HEAD_HEIGHT, chart.limit * chart.per_unit, ROW_HEIGHT * rows, (0.0, chart.limit), (-0.5, rows - 0.5),
        "reply gap, ms", "rows",
    )  # fmt: skip
    return sheet(heading, [*shapes, *colours], bottom, told[0], remark=told[1], area=area)


def _reading_of_turns(mine: pd.DataFrame, known: pd.DataFrame) -> str:
    if known.empty:
        return nothing_measured(mine)
    gaps = numbers(known, "gap_ms")
    several = f"Median {ms_text(float(np.median(gaps)))} ms, longest {ms_text(float(gaps.max()))} ms"
    told = several if len(gaps) > 1 else f"A wait of {ms_text(float(gaps[0]))} ms"
    left = without_gap(len(mine) - len(known))
    return f"{told}; {extent(len(known), count_of_calls(known))}{f', {left}' if left else ''}. {_largest(known)}"


def _largest(known: pd.DataFrame) -> str:
    """The span that took most of all the waiting, and what no span covers."""
    whole = float(numbers(known, "gap_ms").sum())
    sums = {name: float(np.nansum(numbers(known, name))) for name in _columns(known)}
    if not sums or whole <= 0:
        return ""
    most = max(sums, key=lambda name: sums[name])
    part = f"{sums[most] / whole:.0%} of all waiting was {WAIT.names[most]} ({_OWNERS[most]})"
    rest = max(0.0, whole - sum(sums.values()))
    return f"{part}, {_percent(rest / whole)} is unexplained."


def _percent(part: float) -> str:
    return "less than 1%" if 0 < part < 0.005 else f"{part:.0%}"


def _reading_of_groups(found: Sequence[Group], gaps: Sequence[Estimate], statistic: Statistic) -> str:
    name, newest = found[-1].name, gaps[-1]
    if len(found) == 1:
        return f"{capital(statistic)} of {name} is {ms_text(newest.value)} ms; {found[-1].told}. {_largest(found[-1].turns)}"
    change = estimates.difference(newest, gaps[-2])
    compared = f"{ms_text(newest.value)} ms, {compared_ms(change.value, found[-2].name)}"
    return f"{capital(statistic)} of {name} is {compared}; {found[-1].told}{verdict(change, 'ms')}."
