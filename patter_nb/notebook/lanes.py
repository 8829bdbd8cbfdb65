"""Two lanes on the call's time axis: when the caller spoke, when the agent did, and where one cut the other off."""

from __future__ import annotations

from collections.abc import Sequence

from patter_nb.notebook.picture import Lines, Rect, Shape, Text
from patter_nb.notebook.view import Speech, clock_text

LANE_HEIGHT = 16.0
LANE_GAP = 5.0
GUTTER = 56.0
"""Pixels at the left for the lanes' names."""
HEIGHT = 24 + 2 * LANE_HEIGHT + LANE_GAP + 24
"""Pixels from the heading to the axis labels."""

_STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)


def lane_shapes(speech: Sequence[Speech], duration_seconds: float, *, top: float, width: float) -> list[Shape]:
    """The lanes as shapes, `HEIGHT` pixels high from `top`, `width` pixels wide."""
    end = max([duration_seconds, 1.0, *(stretch.ended_at for stretch in speech)])
    scale = (width - GUTTER - 1) / end
    upper = top + 24
    lower = upper + LANE_HEIGHT + LANE_GAP
    shapes: list[Shape] = [Text(0, top + 11, "Who spoke when", bold=True)]
    cuts = [stretch for stretch in speech if stretch.interrupted]
    if cuts:
        shapes += _key_of_interruptions(len(cuts), width, top)
    shapes += _axis(end, scale, upper, lower + LANE_HEIGHT)
    for name, y in (("caller", upper), ("agent", lower)):
        shapes.append(Text(0, y + 12, name, "muted"))
        shapes.append(Rect(GUTTER, y + LANE_HEIGHT / 2 - 0.5, width - GUTTER, 1, "line"))
    shapes += [_stretch(stretch, scale, upper if stretch.who == "caller" else lower) for stretch in speech]
    shapes += [_cut(stretch, scale, upper, lower + LANE_HEIGHT) for stretch in cuts]
    return shapes


def _stretch(stretch: Speech, scale: float, y: float) -> Rect:
    length = max(1.5, (stretch.ended_at - stretch.started_at) * scale)
    span = f"{stretch.started_at:.1f}–{stretch.ended_at:.1f} s"
    title = f"{stretch.who}, {span}" + (", interrupted" if stretch.interrupted else "")
    return Rect(GUTTER + stretch.started_at * scale, y, length, LANE_HEIGHT, stretch.who, min(3.0, length / 2), title)


def _cut(stretch: Speech, scale: float, top: float, bottom: float) -> Lines:
    x = GUTTER + stretch.ended_at * scale
    return Lines(((x, top - 3, x, bottom + 3),), "accent", 2)


def _key_of_interruptions(count: int, width: float, top: float) -> list[Shape]:
    text = "interrupted once" if count == 1 else f"interrupted {count} times"
    return [Text(width, top + 11, text, "accent", anchor="end")]


def _axis(end: float, scale: float, top: float, bottom: float) -> list[Shape]:
    step = next((step for step in _STEPS_SECONDS if end / step <= 10), end / 5)
    instants = [index * step for index in range(int(end / step) + 1)]
    shapes: list[Shape] = [Lines(tuple((GUTTER + at * scale, top, GUTTER + at * scale, bottom + 3) for at in instants), "line")]
    for at in instants:
        last = at * scale > end * scale - 14
        shapes.append(Text(GUTTER + at * scale, bottom + 17, clock_text(at), "muted", 11, "end" if last else "middle"))
    return shapes
