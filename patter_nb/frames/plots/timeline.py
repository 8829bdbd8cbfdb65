"""How it went over time: the gap of one turn after the other, with what happened beside it, or who spoke when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from patter_nb.frames.intervals import Estimate
from patter_nb.frames.plots import estimates
from patter_nb.frames.plots.estimates import Floats, verdict
from patter_nb.frames.plots.groups import (
    Group,
    caller_turns,
    calls_of,
    capital,
    compared_ms,
    count_of_calls,
    extent,
    last_groups,
    many,
    measured,
    nothing_measured,
    numbers,
)
from patter_nb.frames.plots.sheet import WIDTH, axis_end, empty, grid, labelled, sheet, shown
from patter_nb.frames.plots.speech import speech_picture
from patter_nb.notebook.bars import SMALL
from patter_nb.notebook.picture import Area, Dots, Lines, Picture, Rect, Shape, Text, text_width
from patter_nb.notebook.view import clock_text, ms_text, whole_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HEADING = "Reply gap over time"
MOST_DOTS = 600
"""More turns than this are drawn as bands of many."""
BANDS = 110

_LEFT = 84.0
_TOP = 60.0
_HEIGHT = 190.0
_LANE = 18.0
_LEAST_MEDIAN = 3
"""Turns of a revision from which on its median is drawn."""


@dataclass(frozen=True, slots=True)
class _Course:
    """The caller's turns in the order of time, and where each lies across."""

    turns: pd.DataFrame
    at: Floats
    gaps: Floats
    by_clock: bool
    """Across are the seconds of one call; else the turns are counted."""


def timeline(frame: pd.DataFrame, *, dark: bool | None = None) -> Figure:
    """The gap of each turn in the order of time, where each revision began, and its median; below, which replies were
    interrupted, where the loop stood still, and which turns have no gap. Of a table of events: who spoke when in each call.

    The turns of one call lie by its clock, those of several in a row. `dark` None: where matplotlib's own style is dark.
    """
    return shown(timeline_picture(frame), dark)


def timeline_picture(frame: pd.DataFrame) -> Picture:
    if "gap_ms" not in frame.columns and {"kind", "data"} <= set(frame.columns):
        return speech_picture(frame)
    mine = caller_turns(frame, "timeline()")
    if measured(mine).empty:
        return empty(HEADING, nothing_measured(mine))
    course = _course(frame, mine)
    end, beyond = axis_end(course.gaps[np.isfinite(course.gaps)], 100.0)
    across = (0.0, max(1.0, float(course.at.max()) * 1.02)) if course.by_clock else (0.5, max(1.5, len(mine) + 0.5))
    x_label = "minutes of the call" if course.by_clock else "turns, call after call"
    area = Area(_LEFT, _TOP, WIDTH - _LEFT - 24, _HEIGHT, across, (end, 0.0), x_label, "reply gap, ms")
    shapes = [*grid(area, _ticks(course, area), labelled(end, whole_text, 5)), *_revisions(course, area)]
    shapes += _bands(course, area) if len(mine) > MOST_DOTS else _points(course, area, end)
    lanes, bottom = _lanes(course, area, area.y + area.height + 42)
    heading = f"{HEADING}: {extent(len(mine), count_of_calls(mine))}"
    return sheet(heading, [*shapes, *lanes], bottom, _reading(course), remark=beyond, area=area)


def _course(frame: pd.DataFrame, mine: pd.DataFrame) -> _Course:
    gaps = numbers(mine, "gap_ms")
    one = count_of_calls(mine) == 1 and "started_at" in mine.columns and not mine["started_at"].isna().any()
    if one:
        same = frame[frame["call_id"].isin(mine["call_id"])] if "call_id" in frame.columns else frame
        since = (mine["started_at"] - same["started_at"].min()).dt.total_seconds()
        return _Course(mine, since.to_numpy(dtype="float64"), gaps, True)
    return _Course(mine, np.arange(1.0, len(mine) + 1), gaps, False)


def _ticks(course: _Course, area: Area) -> list[tuple[float, str]]:
    end = area.across[1]
    if course.by_clock:
        steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
        step = next((step for step in steps if end / step <= 8), steps[-1])
        return [(float(at), clock_text(at)) for at in range(0, int(end) + 1, step)]
    return [(at, text) for at, text in labelled(end, whole_text, 8) if at >= 1 and at == int(at)] or [(1.0, "1")]


def _revisions(course: _Course, area: Area) -> list[Shape]:
    """Where each revision answered first, and the median of those that answered in one go."""
    if "revision" not in course.turns.columns:
        return []
    revisions = numbers(course.turns, "revision")
    shapes: list[Shape] = []
    free, medians = 0.0, 0
    for revision in dict.fromkeys(revisions[np.isfinite(revisions)].tolist()):
        places = np.flatnonzero(revisions == revision)
        x = area.x_of(float(course.at[places[0]]) - (0.0 if course.by_clock else 0.5))
        shapes.append(Lines(((x, area.y - 10, x, area.y + area.height),), "muted", 1, (3, 3)))
        label = f"revision {revision:.0f}"
        if x + 4 >= free:
            anchored = min(x + 4, WIDTH - text_width(label, SMALL))
            if anchored >= free:
                shapes.append(Text(anchored, area.y - 4, label, "muted", SMALL))
                free = anchored + text_width(label, SMALL) + 8
        gaps = course.gaps[places]
        in_one_go = len(places) == places[-1] - places[0] + 1
        if in_one_go and np.isfinite(gaps).sum() >= _LEAST_MEDIAN:
            y = area.y_of(float(np.nanmedian(gaps)))
            left, right = (area.x_of(float(course.at[place])) for place in (places[0], places[-1]))
            shapes.append(Lines(((left, y, right, y),), "accent", 1.8))
            medians += 1
    many_turns = len(course.gaps) > MOST_DOTS
    return [*shapes, *(_key(area, (("accent", "median of each revision"),)) if medians and not many_turns else ())]


def _points(course: _Course, area: Area, end: float) -> list[Shape]:
    """A dot for each turn; on a stem where they are few. What lies above the edge is told in numbers."""
    radius = 4.0 if len(course.gaps) <= 80 else 2.4
    known = [(float(at), float(gap)) for at, gap in zip(course.at, course.gaps, strict=True) if np.isfinite(gap)]
    places = [(area.x_of(at), area.y_of(gap), gap) for at, gap in known]
    shapes: list[Shape] = []
    if len(course.gaps) <= 80:
        shapes.append(Lines(tuple((x, y, x, area.y + area.height) for x, y, _ in places), "caller", 1.5))
    shapes.append(Dots(tuple((x, y) for x, y, _ in places), radius, "agent"))
    free = 0.0
    for x, y, gap in places:
        label = f"{ms_text(gap)} ↑"
        width = text_width(label, SMALL) + 10
        left = x + 7 if x + width < WIDTH else x - width
        if gap > end and left >= free:
            shapes += [Rect(left - 2, y - 3, width - 4, 15, "surface"), Text(left, y + 9, label, "error", SMALL)]
            free = left + width
    return shapes


def _bands(course: _Course, area: Area) -> list[Shape]:
    """Of very many turns, what half of them and nine in ten of each stretch are."""
    shapes: list[Shape] = []
    middles: list[tuple[float, float]] = []
    for start, stop in pairwise(_edges(len(course.gaps))):
        known = course.gaps[start:stop][np.isfinite(course.gaps[start:stop])]
        if not len(known):
            continue
        left, right = area.x_of(start + 0.5), area.x_of(stop + 0.5)
        low, middle, high = (area.y_of(float(each)) for each in np.quantile(known, [0.05, 0.5, 0.95]))
        shapes.append(Rect(left, high, right - left - 0.8, max(1.0, low - high), "line"))
        middles.append(((left + right) / 2, middle))
    line = tuple((*a, *b) for a, b in pairwise(middles))
    return [*shapes, Lines(line, "agent", 2), *_key(area, (("agent", "median"), ("line", "90% of the turns")))]


def _key(area: Area, marks: Sequence[tuple[str, str]]) -> list[Shape]:
    """What the colours mean, at the right above the plot."""
    shapes: list[Shape] = []
    x = WIDTH
    for role, label in reversed(marks):
        x -= text_width(label, SMALL)
        shapes.append(Text(x, area.y - 27, label, "muted", SMALL))
        x -= 26
        shapes.append(Rect(x, area.y - 36, 20, 10, role) if role == "line" else Rect(x, area.y - 32, 20, 2, role))
        x -= 18
    return shapes


def _lanes(course: _Course, area: Area, y: float) -> tuple[list[Shape], float]:
    """What happened beside the gaps, as far as it did. Returns the lower end too."""
    shapes: list[Shape] = []
    for name, role, flags in (
        ("interrupted", "accent", _truths(course.turns, "interrupted")),
        ("loop stalled", "error", _stalls(course.turns) > 0),
        ("no gap", "muted", ~np.isfinite(course.gaps)),
    ):
        if not flags.any():
            continue
        shapes.append(Text(0, y + _LANE / 2 + 4, name, "muted", SMALL))
        shapes += _lane_of_many(flags, area, role, y) if len(flags) > MOST_DOTS else _lane(course.at[flags], area, role, y)
        y += _LANE
    return shapes, y + (2 if shapes else -8)


def _lane(instants: Floats, area: Area, role: str, y: float) -> list[Shape]:
    """A tick for each turn to which it happened."""
    middle = y + _LANE / 2
    xs = [area.x_of(float(at)) for at in instants]
    ticks = Lines(tuple((x, middle - 6, x, middle + 6) for x in xs), role, 2.5)
    return [Rect(area.x, middle - 0.5, area.width, 1, "line"), ticks]


def _lane_of_many(flags: NDArray[np.bool_], area: Area, role: str, y: float) -> list[Shape]:
    """To what part of the turns of each stretch it happened, as high as the lane where that is most."""
    edges = _edges(len(flags))
    parts = [float(flags[start:stop].mean()) for start, stop in pairwise(edges)]
    bottom, most = y + _LANE - 2, max(parts)
    shapes: list[Shape] = [Rect(area.x, bottom, area.width, 1, "line")]
    for (start, stop), part in zip(pairwise(edges), parts, strict=True):
        if part:
            left, height = area.x_of(start + 0.5), (_LANE - 4) * part / most
            shapes.append(Rect(left, bottom - height, area.x_of(stop + 0.5) - left - 0.8, height, role))
    return shapes


def _edges(count: int) -> list[int]:
    """Where the stretches of very many turns begin and end."""
    return [count * each // BANDS for each in range(BANDS + 1)]


def _truths(turns: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    return turns[name].fillna(value=False).to_numpy(dtype=np.bool_) if name in turns.columns else np.zeros(len(turns), dtype=bool)


def _stalls(turns: pd.DataFrame) -> Floats:
    return np.nan_to_num(numbers(turns, "loop_stall_ms")) if "loop_stall_ms" in turns.columns else np.zeros(len(turns))


def _reading(course: _Course) -> str:
    known = measured(course.turns)
    named = "revision" in known.columns
    revised = known[known["revision"].notna()] if named else known
    found, _ = last_groups(revised, "revision" if named else None, "timeline()", 2)
    parts = [_of_revisions(found) if found else _alone(Group("all turns", known))]
    if count := int(_truths(course.turns, "interrupted").sum()):
        parts.append(f"{many(count, 'reply') if count == 1 else f'{whole_text(count)} replies'} interrupted")
    stalls = _stalls(course.turns)
    if count := int((stalls > 0).sum()):
        parts.append(f"the loop stood still in {many(count, 'turn')}, for {ms_text(float(stalls.max()))} ms at most")
    return "; ".join(parts) + "."


def _of_revisions(found: list[Group]) -> str:
    if len(found) == 1:
        return _alone(found[0])
    after, before = (_median(group) for group in (found[-1], found[-2]))
    change = estimates.difference(after, before)
    compared = f"{ms_text(after.value)} ms, {compared_ms(change.value, found[-2].name)}"
    return f"Median of {found[-1].name} is {compared}; {found[-1].told}{verdict(change, 'ms')}"


def _median(group: Group) -> Estimate:
    return estimates.quantile(numbers(group.turns, "gap_ms"), calls_of(group.turns), 0.5)


def _alone(group: Group) -> str:
    gaps = numbers(group.turns, "gap_ms")
    median, longest = float(np.median(gaps)), float(gaps.max())
    spread = "" if math.isclose(median, longest) else f", the longest {ms_text(longest)} ms"
    return f"{capital(group.name)}: the median gap is {ms_text(median)} ms{spread}; {group.told}"
