"""How many replies came how soon: the share of turns whose gap is at most so long, and the share within an objective."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from patter_nb.errors import ConfigError
from patter_nb.frames.intervals import Estimate
from patter_nb.frames.plots import estimates
from patter_nb.frames.plots.estimates import TOO_SMALL, Floats, verdict
from patter_nb.frames.plots.groups import (
    By,
    Group,
    caller_turns,
    calls_of,
    capital,
    compared_ms,
    last_groups,
    measured,
    nothing_measured,
    numbers,
    without_gap,
)
from patter_nb.frames.plots.sheet import WIDTH, axis_end, empty, grid, labelled, sheet, shown
from patter_nb.notebook.bars import SMALL
from patter_nb.notebook.picture import Area, Dots, Lines, Picture, Rect, Shape, Text, shorten
from patter_nb.notebook.view import ms_text, whole_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST_GROUPS = 12
"""Of more groups the last ones are shown."""
HEADING = "How many replies came how soon"

_HEIGHT = 230.0
_LEFT = 48.0
_TOP = 46.0
_ROW = 20.0
_STYLES: tuple[tuple[str, float, tuple[float, ...]], ...] = (
    ("accent", 2.6, ()), ("stt_final", 2.2, ()), ("llm_first_token", 2.0, (7, 3)), ("tts_first_byte", 2.0, (2, 2.5)),
    ("agent", 1.6, (9, 3, 2, 3)),
)  # fmt: skip
"""Colour, width and dashes of the last groups, the newest first."""
_OLDER: tuple[str, float, tuple[float, ...]] = ("caller", 1.2, ())


@dataclass(frozen=True, slots=True)
class _Curve:
    group: Group
    gaps: Floats
    """Ascending."""
    p50: Estimate
    p95: Estimate
    within: Estimate
    style: tuple[str, float, tuple[float, ...]]

    def share_at(self, ms: Floats) -> Floats:
        found: Floats = np.searchsorted(self.gaps, ms, side="right") / len(self.gaps)
        return found


def ecdf(turns: pd.DataFrame, slo: float | None = 800.0, by: By = "revision", *, dark: bool | None = None) -> Figure:
    """The share of turns that were answered within so many milliseconds, and within `slo`, one curve for each group.

    `by`: a column or several; None for all turns at once. Of more than 12 groups the last 12 are shown. `dark` None: where
    matplotlib's own style is dark.
    """
    return shown(ecdf_picture(turns, slo, by), dark)


def ecdf_picture(turns: pd.DataFrame, slo: float | None = 800.0, by: By = "revision") -> Picture:
    if slo is not None and (isinstance(slo, bool) or not isinstance(slo, int | float) or not 0 < slo < math.inf):
        raise ConfigError(f"slo is {slo!r}; it must be a number of milliseconds above 0, or None for no objective.")
    mine = caller_turns(turns, "ecdf()")
    known = measured(mine)
    if known.empty:
        return empty(HEADING, nothing_measured(mine))
    found, count = last_groups(known, by, "ecdf()", MOST_GROUPS)
    curves = [_curve(group, slo, age) for age, group in reversed(list(enumerate(reversed(found))))]
    limit, beyond = axis_end(numbers(known, "gap_ms"), max(100.0, 1.25 * (slo or 0.0)))
    area = Area(_LEFT, _TOP, WIDTH - _LEFT - 14, _HEIGHT, (0.0, limit), (100.0, 0.0), "reply gap, ms", "share of turns, %")
    shapes: list[Shape] = [*_objective(area, slo), *_axes(area, limit)]
    for curve in curves:
        shapes += _drawn(curve, area, slo)
    table, bottom = _table(curves, slo, area.y + area.height + 48)
    more = f"the last {len(found)} of {whole_text(count)}" if count > len(found) else ""
    grey = any(not estimates.known(each) for curve in curves for each in (curve.p50, curve.p95))
    parts = (more, beyond, without_gap(len(mine) - len(known)), f"grey numbers: {TOO_SMALL} for an interval" if grey else "")
    remark = "; ".join(part for part in parts if part)
    return sheet(HEADING, [*shapes, *table], bottom, _reading(curves, slo), remark=remark, area=area)


def _curve(group: Group, slo: float | None, age: int) -> _Curve:
    """`age`: how many groups come after it."""
    gaps, calls = numbers(group.turns, "gap_ms"), calls_of(group.turns)
    within = Estimate(math.nan, math.nan, math.nan) if slo is None else estimates.share(gaps <= slo, calls)
    style = _STYLES[age] if age < len(_STYLES) else _OLDER
    p50, p95 = (estimates.quantile(gaps, calls, p) for p in (0.50, 0.95))
    return _Curve(group, np.sort(gaps), p50, p95, within, style)


def _objective(area: Area, slo: float | None) -> list[Shape]:
    if slo is None:
        return []
    x = area.x_of(slo)
    return [
        Rect(area.x, area.y, x - area.x, area.height, "raised"),
        Lines(((x, area.y - 6, x, area.y + area.height),), "muted", 1.2, (4, 3)),
        Text(x, area.y - 10, f"objective {ms_text(slo)} ms", "muted", SMALL, "middle"),
    ]


def _axes(area: Area, limit: float) -> list[Shape]:
    return grid(area, labelled(limit, whole_text), [(share, f"{share:.0f}") for share in (0.0, 25.0, 50.0, 75.0, 100.0)])


def _drawn(curve: _Curve, area: Area, slo: float | None) -> list[Shape]:
    """The steps of the curve, on a grid of half pixels, and a dot where it meets the objective."""
    role, width, dash = curve.style
    places = np.linspace(*area.across, int(area.width * 2) + 1)
    levels = curve.share_at(places) * 100
    turns = np.flatnonzero(np.diff(levels))
    points = [(area.x_of(0.0), area.y_of(float(levels[0])))]
    for index in turns:
        x = area.x_of(float(places[index + 1]))
        points += [(x, points[-1][1]), (x, area.y_of(float(levels[index + 1])))]
    points.append((area.x + area.width, points[-1][1]))
    shapes: list[Shape] = [Lines(tuple((*a, *b) for a, b in pairwise(points)), role, width, dash)]
    if slo is not None:
        shapes.append(Dots(((area.x_of(slo), area.y_of(curve.within.value * 100)),), 4.0, role))
    return shapes


def _table(curves: list[_Curve], slo: float | None, y: float) -> tuple[list[Shape], float]:
    """What each curve says in numbers. Returns the lower end too."""
    heads = ["turns", "calls", "p50, ms", "p95, ms"]
    if slo is not None:
        heads += [f"within {ms_text(slo)} ms", "95% interval"]
    rights = [420.0, 490.0, 570.0, 650.0, 750.0, WIDTH][: len(heads)]
    shapes: list[Shape] = [Text(x, y + 12, head, "muted", SMALL, "end") for x, head in zip(rights, heads, strict=True)]
    for row, curve in enumerate(reversed(curves), start=1):
        baseline = y + 12 + _ROW * row
        role, width, dash = curve.style
        cells = [(whole_text(len(curve.gaps)), "ink"), (whole_text(curve.group.calls), "ink")]
        cells += [(ms_text(each.value), _ink(each)) for each in (curve.p50, curve.p95)]
        if slo is not None:
            sure = "ink" if estimates.known(curve.within) else "accent"
            cells += [(f"{curve.within.value:.0%}", _ink(curve.within)), (_range(curve.within), sure)]
        shapes += [
            Lines(((0, baseline - 4, 34, baseline - 4),), role, width, dash),
            Text(_LEFT, baseline, shorten(curve.group.name, 300), bold=row == 1),
            *(_cell(x, baseline, *cell) for x, cell in zip(rights, cells, strict=True)),
        ]
    return shapes, y + 12 + _ROW * len(curves) + 4


def _cell(x: float, baseline: float, text: str, fill: str) -> Text:
    return Text(x, baseline, text, fill, anchor="end")


def _ink(estimate: Estimate) -> str:
    return "ink" if estimates.known(estimate) else "muted"


def _range(estimate: Estimate) -> str:
    return f"{100 * estimate.low:.0f} to {estimate.high:.0%}" if estimates.known(estimate) else TOO_SMALL


def _reading(curves: list[_Curve], slo: float | None) -> str:
    newest = curves[-1]
    if len(curves) == 1:
        return _alone(newest, slo)
    before, told = curves[-2], newest.group.told
    if slo is None:
        change = estimates.difference(newest.p95, before.p95)
        compared = f"{ms_text(newest.p95.value)} ms, {compared_ms(change.value, before.group.name)}"
        return f"p95 of {newest.group.name} is {compared}; {told}{verdict(change, 'ms')}."
    change = estimates.difference(newest.within, before.within)
    points = round(100 * newest.within.value) - round(100 * before.within.value)
    compared = "as many as" if points == 0 else f"{abs(points)} points {'more' if points > 0 else 'fewer'} than"
    kept = f"{newest.within.value:.0%} within {ms_text(slo)} ms, {compared} {before.group.name}"
    return f"{capital(newest.group.name)}: {kept}; {told}{verdict(change, 'points', 100)}."


def _alone(curve: _Curve, slo: float | None) -> str:
    p95, name, told = f"p95 is {ms_text(curve.p95.value)} ms", capital(curve.group.name), curve.group.told
    if slo is None:
        return f"{name}: {p95}; {told}."
    kept = f"{curve.within.value:.0%} of {told} came within {ms_text(slo)} ms"
    sure = f" ({_range(curve.within)})" if estimates.known(curve.within) else f", {TOO_SMALL} for an interval"
    return f"{name}: {kept}{sure}; {p95}."
