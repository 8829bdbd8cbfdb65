"""A picture drawn with matplotlib's object API: no pyplot, no global state written, so any thread may draw.

Of matplotlib's settings one is asked, and only by `is_dark`: whether the reader's own style is dark. matplotlib is imported when
the first figure is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from patter_nb.notebook.picture import Area, Dots, Lines, Picture, Rect, Text, joined
from patter_nb.notebook.theme import FIGURE_FONTS, colour, palette
from patter_nb.notebook.view import CallView
from patter_nb.notebook.waterfall import WIDTH, call_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

PIXELS_PER_INCH = 100.0
"""A CSS pixel of the picture is a hundredth of an inch of the figure."""
DOTS_PER_PIXEL = 2
"""So that the PNG is sharp on dense screens."""
MARGIN = 14.0
"""Pixels of surface around the picture."""

_MORE_FONTS = (
    "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Emoji",
    "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Segoe UI Emoji", "Arial Unicode MS",
)  # fmt: skip
"""Used, where installed, for characters that the first font lacks."""


def call_figure(view: CallView, *, dark: bool | None = None, width: float = WIDTH) -> Figure:
    """The waterfall of the turns' latency and the lanes of who spoke when, `width` CSS pixels wide (at least 560).

    `dark` None: as `is_dark` finds it.
    """
    return paint(call_picture(view, width=width), dark=dark)


def is_dark() -> bool:
    """Whether figures are dark when nobody says: where matplotlib's own style is (`plt.style.use("dark_background")`)."""
    import matplotlib as mpl
    from matplotlib.colors import to_rgba

    red, green, blue, opacity = to_rgba(mpl.rcParams["figure.facecolor"])
    return opacity > 0.5 and 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5


def figure_png(figure: Figure) -> bytes:
    """The figure as a PNG file's bytes, two dots per CSS pixel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def paint(picture: Picture, *, dark: bool | None = None) -> Figure:
    """The picture as a figure that also shows itself at the end of a cell.

    Where the picture has an area with coordinates of its own, they are those of the figure's first axes: what is drawn on
    `figure.axes[0]` stands above the data it belongs to.
    """
    colours = palette(dark=is_dark() if dark is None else dark)
    width, height = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN
    figure: Figure = _figure_class()(
        figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH),
        dpi=PIXELS_PER_INCH * DOTS_PER_PIXEL, facecolor=colours["surface"], edgecolor="none",
    )  # fmt: skip
    figure.set_layout_engine("none")  # whatever the user's settings say
    figure.description = picture.description  # type: ignore[attr-defined]
    if picture.area is not None:
        _add_area(figure, picture, picture.area)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(-MARGIN, picture.width + MARGIN), ylim=(picture.height + MARGIN, -MARGIN))
    axes.set_axis_off()
    for layer, shape in enumerate(picture.shapes):
        if isinstance(shape, Rect):
            _paint_rect(axes, shape, colour(shape.fill, colours), layer)
        elif isinstance(shape, Lines):
            _paint_lines(axes, shape, colour(shape.stroke, colours), layer)
        elif isinstance(shape, Dots):
            _paint_dots(axes, shape, colour(shape.fill, colours), layer)
        else:
            _paint_text(axes, shape, colour(shape.fill, colours), layer)
    return figure


def _add_area(figure: Figure, picture: Picture, area: Area) -> None:
    """Axes that show nothing by themselves, above the painted shapes."""
    width, height = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN
    bottom = 1.0 - (MARGIN + area.y + area.height) / height
    place = ((MARGIN + area.x) / width, bottom, area.width / width, area.height / height)
    axes = figure.add_axes(place, xlim=area.across, ylim=area.down[::-1], zorder=1)
    axes.set(xlabel=area.x_label, ylabel=area.y_label, autoscale_on=False)
    axes.set_axis_off()


@cache
def _figure_class() -> type[Figure]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class CallFigure(Figure):
        """A matplotlib figure that notebooks show although pyplot does not know it, with words for those who do not see it."""

        description = ""

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            FigureCanvasAgg(self)

        def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            width = round(self.get_figwidth() * PIXELS_PER_INCH)
            told = {"width": width, "alt": self.description}
            return {"image/png": figure_png(self), "text/plain": self.description or repr(self)}, {"image/png": told}

    return CallFigure


def _paint_rect(axes: Axes, rect: Rect, fill: str, layer: int) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    patch: Patch
    if rect.radius:
        rounded = f"round,pad=0,rounding_size={rect.radius}"
        patch = FancyBboxPatch((rect.x, rect.y), rect.width, rect.height, boxstyle=rounded)
    else:
        patch = Rectangle((rect.x, rect.y), rect.width, rect.height)
    patch.set(facecolor=fill, edgecolor="none", linewidth=0.0, zorder=layer)
    axes.add_patch(patch)


def _paint_lines(axes: Axes, lines: Lines, stroke: str, layer: int) -> None:
    from matplotlib.collections import LineCollection

    width = _points(lines.width)
    # matplotlib counts dashes in widths of the line.
    dashes = (0.0, tuple(each / lines.width for each in lines.dash)) if lines.dash else "solid"
    drawn = LineCollection(
        joined(lines.segments), colors=[stroke], linewidths=[width], linestyles=[dashes], capstyle="butt", joinstyle="round",
        zorder=layer,
    )  # fmt: skip
    axes.add_collection(drawn, autolim=False)


def _paint_dots(axes: Axes, dots: Dots, fill: str, layer: int) -> None:
    from matplotlib.lines import Line2D

    xs, ys = zip(*dots.points, strict=True) if dots.points else ((), ())
    drawn = Line2D(
        xs, ys, linestyle="none", marker="o", markersize=_points(2 * dots.radius), markerfacecolor=fill, markeredgewidth=0.0,
        fillstyle="full", antialiased=True, zorder=layer,
    )  # fmt: skip
    axes.add_artist(drawn)


def _paint_text(axes: Axes, text: Text, fill: str, layer: int) -> None:
    families, known = _fonts()
    drawn = "".join(character if ord(character) in known else "□" for character in text.text)
    alignment = {"start": "left", "middle": "center", "end": "right"}[text.anchor]
    axes.text(
        text.x, text.y, drawn, color=fill, fontsize=_points(text.size), fontfamily=list(families), fontstyle="normal",
        fontweight="bold" if text.bold else "normal", ha=alignment, va="baseline", zorder=layer, parse_math=False, usetex=False,
    )  # fmt: skip


def _points(pixels: float) -> float:
    return pixels * 72.0 / PIXELS_PER_INCH


@cache
def _fonts() -> tuple[tuple[str, ...], frozenset[int]]:
    """The font families to draw with, and every character that one of them has."""
    from matplotlib.font_manager import FontProperties, fontManager

    installed = {entry.name for entry in fontManager.ttflist}
    families = (*FIGURE_FONTS, *(name for name in _MORE_FONTS if name in installed))
    paths = (fontManager.findfont(FontProperties(family=[name], weight="normal")) for name in families)
    return families, _characters(paths)


def _characters(paths: Iterable[str]) -> frozenset[int]:
    from matplotlib.font_manager import get_font

    return frozenset(code for path in paths for code in get_font(path).get_charmap())
