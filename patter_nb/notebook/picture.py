"""A picture as a list of shapes with colour roles, so that the same layout becomes theme-following SVG and a matplotlib figure.

Coordinates are CSS pixels from the top left; a text's `y` is its baseline.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import Literal

from patter_nb.notebook.theme import FONT_SIZE, css_colour

BOLD = 1.1
"""How much wider bold text is, about."""

_NARROW = frozenset("iljtfrI.,:;'|!()[]{}`’‘ -·")
_BROAD = frozenset("mwMW@%&—…")


@dataclass(frozen=True, slots=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    fill: str
    radius: float = 0.0
    title: str = ""
    """Shown by browsers while the pointer rests on it."""


@dataclass(frozen=True, slots=True)
class Text:
    x: float
    y: float
    text: str
    fill: str = "ink"
    size: float = FONT_SIZE
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    segments: tuple[tuple[float, float, float, float], ...]
    """Each (x1, y1, x2, y2); those that begin where the one before ended are drawn as one line."""
    stroke: str
    width: float = 1.0
    dash: tuple[float, ...] = ()
    """Pixels drawn and left out, in turns; empty: drawn through."""


@dataclass(frozen=True, slots=True)
class Dots:
    points: tuple[tuple[float, float], ...]
    """Each (x, y) of a centre."""
    radius: float
    fill: str


Shape = Rect | Text | Lines | Dots


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a picture that has coordinates of its own: what lies at its left and right edge, at its top and its bottom."""

    x: float
    y: float
    width: float
    height: float
    across: tuple[float, float]
    down: tuple[float, float]
    x_label: str
    """What is measured, and its unit."""
    y_label: str

    def x_of(self, value: float) -> float:
        """Where a value lies, in pixels of the picture; beyond an edge: on it."""
        low, high = self.across
        return self.x + min(1.0, max(0.0, (value - low) / (high - low))) * self.width

    def y_of(self, value: float) -> float:
        top, bottom = self.down
        return self.y + min(1.0, max(0.0, (value - top) / (bottom - top))) * self.height


@dataclass(frozen=True, slots=True)
class Picture:
    width: float
    height: float
    shapes: tuple[Shape, ...]
    description: str
    """For readers who do not see it."""
    area: Area | None = None
    """Where data lies, for those who want to draw on it."""


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """About how wide the text is, in pixels: never much less than in DejaVu Sans, the widest font it is drawn in."""
    return sum(_character_width(character) for character in text) * size


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if character in _NARROW:
        return 0.39
    if character in _BROAD:
        return 0.98
    if unicodedata.east_asian_width(character) in "WF" or ord(character) > 0xFFFF:
        return 1.15
    return 0.7 if character.isupper() else 0.63


def shorten(text: str, width: float, size: float = FONT_SIZE) -> str:
    """The text on one line, cut with an ellipsis where it would become wider than `width` pixels."""
    line = " ".join(text.split())
    if text_width(line, size) <= width:
        return line
    room = width / size - _character_width("…")
    ends = accumulate(_character_width(character) for character in line)
    return line[: sum(end <= room for end in ends)].rstrip() + "…"


def hatching(x: float, y: float, width: float, height: float, step: float = 5.0) -> tuple[tuple[float, float, float, float], ...]:
    """Rising diagonals that fill a rectangle and end at its edges."""
    segments = []
    offset = step / 2
    while offset < width + height:
        left, right = max(0.0, offset - height), min(width, offset)
        segments.append((x + left, y + offset - left, x + right, y + offset - right))
        offset += step
    return tuple(segments)


def joined(segments: Iterable[tuple[float, float, float, float]]) -> list[list[tuple[float, float]]]:
    """The segments as lines of points."""
    lines: list[list[tuple[float, float]]] = []
    for x1, y1, x2, y2 in segments:
        if lines and lines[-1][-1] == (x1, y1):
            lines[-1].append((x2, y2))
        else:
            lines.append([(x1, y1), (x2, y2)])
    return lines


def svg(picture: Picture) -> str:
    """The picture as inline SVG, coloured by the CSS variables of `theme.css_variables`."""
    size = f'viewBox="0 0 {picture.width:g} {picture.height:g}" width="{picture.width:g}" height="{picture.height:g}"'
    body = "".join(_svg_shape(shape) for shape in picture.shapes)
    return f'<svg {size} role="img" aria-label="{markup(picture.description)}">{body}</svg>'


def _svg_shape(shape: Shape) -> str:
    if isinstance(shape, Rect):
        radius = f' rx="{shape.radius:g}"' if shape.radius else ""
        box = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"{radius}'
        return f'<rect {box} style="fill:{css_colour(shape.fill)}">{_svg_title(shape.title)}</rect>'
    if isinstance(shape, Lines):
        path = "".join(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)}" for points in joined(shape.segments))
        dashes = f";stroke-dasharray:{' '.join(f'{each:g}' for each in shape.dash)}" if shape.dash else ""
        style = f"fill:none;stroke:{css_colour(shape.stroke)};stroke-width:{shape.width:g}{dashes}"
        return f'<path d="{path}" style="{style}"/>'
    if isinstance(shape, Dots):
        path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in shape.points)  # a line of no length with round ends
        style = f"stroke:{css_colour(shape.fill)};stroke-width:{2 * shape.radius:g};stroke-linecap:round"
        return f'<path d="{path}" style="{style}"/>'
    anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
    weight = ";font-weight:600" if shape.bold else ""
    style = f"fill:{css_colour(shape.fill)};font-size:{shape.size:g}px{weight}"
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}"{anchor}'
    return f'<text {place} style="{style}">{markup(shape.text)}{_svg_title(shape.title)}</text>'


def _svg_title(title: str) -> str:
    return f"<title>{markup(title)}</title>" if title else ""


def drawable(text: str) -> str:
    """The text with a space for every character that markup forbids or nobody sees."""
    return "".join(character if character.isprintable() else " " for character in text)


def markup(text: str) -> str:
    """The text as HTML and SVG hold it, also between quotes."""
    return escape(drawable(text))
