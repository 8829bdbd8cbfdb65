"""What all plots have in common: a heading, what is drawn, and one line under it that says in words and numbers what can be read.

A plot is a `Picture`: shapes in pixels with colours of the theme. It becomes a matplotlib figure whose first axes have the plot's
own coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from patter_nb.notebook.bars import SMALL, limit_of, nice_step
from patter_nb.notebook.figure import paint
from patter_nb.notebook.picture import BOLD, Area, Lines, Picture, Rect, Shape, Text, text_width
from patter_nb.notebook.view import ms_text, whole_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 852.0
"""Pixels; with the surface around it a plot is as wide as a notebook's output area."""
LINE = 18.0
"""Pixels from one line of text to the next."""


def sheet(
    heading: str, shapes: Sequence[Shape], bottom: float, reading: str, *, remark: str = "", area: Area | None = None
) -> Picture:
    """A heading with a remark beside it (below, where it is too long for that), the shapes, and the reading below `bottom`."""
    head: list[Shape] = [Text(0, 11, heading, bold=True)]
    below = wrapped(reading, WIDTH)
    colours = ["ink"] * len(below)
    if text_width(remark, SMALL) <= WIDTH - text_width(heading) * BOLD - 24:
        head.append(Text(WIDTH, 11, remark, "muted", SMALL, "end"))
    else:
        below += wrapped(remark, WIDTH)
        colours += ["muted"] * (len(below) - len(colours))
    lines = [Text(0, bottom + 22 + LINE * index, *told) for index, told in enumerate(zip(below, colours, strict=True))]
    described = " ".join(f"{text.rstrip('.')}." for text in (heading, reading, remark) if text)
    return Picture(WIDTH, bottom + 10 + LINE * len(lines), (*head, *shapes, *lines), described, area)


def shown(picture: Picture, dark: bool | None) -> Figure:
    """The figure of the plot."""
    return paint(picture, dark=dark)


def empty(heading: str, reading: str) -> Picture:
    """A plot of nothing, which says why there is nothing."""
    ground: list[Shape] = [Rect(0, 28, WIDTH, 64, "raised", 6), Text(WIDTH / 2, 64, "nothing to draw", "muted", anchor="middle")]
    return sheet(heading, ground, 92, reading)


def wrapped(text: str, width: float, size: float = 12.0) -> list[str]:
    """The text in lines that are no wider than `width`; a word that is wider than a line is cut."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= width:
            lines[-1] = longer
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = lines[-1] or word
    return lines


def grid(area: Area, across: Sequence[tuple[float, str]], down: Sequence[tuple[float, str]]) -> list[Shape]:
    """Lines at the labelled values of both axes, and what the axes measure."""
    right, bottom = area.x + area.width, area.y + area.height
    level = tuple((area.x, area.y_of(value), right, area.y_of(value)) for value, _ in down)
    upright = tuple((area.x_of(value), bottom, area.x_of(value), bottom + 4) for value, _ in across)
    return [
        Lines(level, "line"),
        Lines(upright, "line"),
        *(Text(area.x - 8, area.y_of(value) + 4, label, "muted", SMALL, "end") for value, label in down),
        *(Text(area.x_of(value), bottom + 17, label, "muted", SMALL, "middle") for value, label in across),
        Text(0, area.y - 14, area.y_label, "muted", SMALL),
        Text(right, bottom + 34, area.x_label, "muted", SMALL, "end"),
    ]


def labelled(end: float, text: Callable[[float], str], most: int = 6) -> list[tuple[float, str]]:
    """Round values from 0 to `end` with their labels."""
    step = nice_step(end, most)
    return [(index * step, text(index * step)) for index in range(int(end / step + 1e-9) + 1)]


def axis_end(values: NDArray[np.float64], least: float) -> tuple[float, str]:
    """Where an axis of milliseconds ends, and what lies beyond: a few far longer than all others must not hide those."""
    longest = float(values.max())
    end = limit_of(values.tolist(), least)
    end = 1.04 * end if end == longest else end
    beyond = int((values > end).sum())
    told = f"beyond the edge: {whole_text(beyond)} turn{'' if beyond == 1 else 's'}, the longest {ms_text(longest)} ms"
    return end, told if beyond else ""
