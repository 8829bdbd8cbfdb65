from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.notebook.picture import Dots, Lines, Picture, Rect, Text, drawable, hatching, shorten, svg, text_width

SIZES = st.floats(1, 900)


@given(st.text(max_size=200), st.floats(20, 600))
def test_a_shortened_text_fits_and_is_a_beginning_of_the_text(text: str, width: float) -> None:
    short = shorten(text, width)
    assert text_width(short) <= width
    line = " ".join(text.split())
    assert short == line or (short.endswith("…") and line.startswith(short[:-1]))


def test_a_text_that_fits_stays_whole() -> None:
    assert shorten("Hi, when\nis  dinner?", 500) == "Hi, when is dinner?"


@pytest.mark.parametrize(("wider", "narrower"), [("mmm", "iii"), ("晚饭", "ab"), ("AB", "ab"), ("a", "\u0301")])
def test_wide_characters_take_more_room(wider: str, narrower: str) -> None:
    assert text_width(wider) > text_width(narrower)


@given(st.floats(-50, 50), st.floats(-50, 50), SIZES, SIZES)
def test_hatching_ends_at_the_edges_of_its_rectangle(x: float, y: float, width: float, height: float) -> None:
    lines = hatching(x, y, width, height, step=max(width, height) / 7)
    assert lines
    for x1, y1, x2, y2 in lines:
        assert x - 1e-6 <= x1 <= x2 <= x + width + 1e-6
        assert y - 1e-6 <= y2 <= y1 <= y + height + 1e-6


@given(st.text(max_size=60))
def test_svg_is_well_formed_whatever_the_words_are(words: str) -> None:
    shapes = (
        Text(1, 2, words, bold=True), Rect(0, 0, 5, 5, "ink", 2, words), Lines(((0, 0, 1, 1),), "line"),
        Dots(((1, 1),), 2, "ink"),
    )  # fmt: skip
    root = ET.fromstring(svg(Picture(10, 20, shapes, words)))
    assert root.attrib["aria-label"] == drawable(words)
    assert "".join(root.find("text").itertext()) == drawable(words)  # type: ignore[union-attr]


def test_svg_colours_follow_the_page() -> None:
    drawn = svg(Picture(10, 20, (Rect(0, 0, 5, 5, "agent"), Text(0, 0, "x", "muted")), "two shapes"))
    assert "var(--pnb-agent" in drawn
    assert "var(--pnb-muted" in drawn


def test_segments_that_go_on_are_one_line_so_that_their_dashes_go_on_too() -> None:
    dashed = Lines(((0, 0, 1, 1), (1, 1, 2, 0), (5, 5, 6, 6)), "line", 2, (4, 2))
    drawn = svg(Picture(10, 20, (dashed,), "two lines"))
    assert 'd="M0.0 0.0L1.0 1.0L2.0 0.0M5.0 5.0L6.0 6.0"' in drawn
    assert "stroke-dasharray:4 2" in drawn


@pytest.mark.parametrize("text", ["\x00", "\x1b[31m", "\ud800", "\uffff", "\u200b"])
def test_what_markup_forbids_is_not_drawn(text: str) -> None:
    assert drawable(text).isprintable()
