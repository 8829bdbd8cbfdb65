from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.frames.plots.sheet import WIDTH, axis_end, empty, labelled, sheet, wrapped
from patter_nb.notebook.picture import Text, text_width

WORDS = st.text("abcdefghij mW", max_size=600)


@given(WORDS, st.floats(150, 900))
def test_lines_are_no_wider_than_they_may_be_and_lose_no_word(text: str, width: float) -> None:
    lines = wrapped(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(text_width(line) <= width or " " not in line for line in lines)


def test_a_number_with_a_thin_space_stays_in_one_piece() -> None:
    assert wrapped("the longest of them took 60\u2009000 ms", 175) == ["the longest of them took", "60\u2009000 ms"]


def test_a_remark_stands_beside_the_heading_where_there_is_room_and_below_the_reading_where_there_is_none() -> None:
    beside = sheet("Heading", [], 100, "A reading.", remark="a remark")
    (remark,) = (shape for shape in beside.shapes if isinstance(shape, Text) and shape.text == "a remark")
    assert (remark.x, remark.y, remark.anchor) == (WIDTH, 11, "end")
    below = sheet("Heading " * 14, [], 100, "A reading.", remark="a remark")
    assert [shape.text for shape in below.shapes if isinstance(shape, Text) and shape.y > 100] == ["A reading.", "a remark"]
    assert below.height == beside.height + 18


def test_a_description_has_the_heading_the_reading_and_the_remark() -> None:
    assert sheet("Heading", [], 100, "A reading.", remark="a remark").description == "Heading. A reading. a remark."
    assert empty("Heading", "Why.").description == "Heading. Why."


@given(st.lists(st.floats(1, 1e7), min_size=1, max_size=60))
def test_what_lies_beyond_an_axis_is_counted_and_never_more_than_a_quarter(values: list[float]) -> None:
    found = np.array(values)
    end, told = axis_end(found, 100.0)
    beyond = int((found > end).sum())
    assert bool(told) == bool(beyond)
    assert beyond <= math.ceil((len(values) - 1) / 4)
    assert end >= 100.0


def test_an_axis_goes_to_the_end_unless_a_few_are_far_away() -> None:
    assert axis_end(np.array([400.0, 500.0, 900.0]), 100.0) == (pytest.approx(936.0), "")
    end, told = axis_end(np.array([*[500.0] * 60, 60_000.0]), 100.0)
    assert (end, told) == (pytest.approx(600.0), "beyond the edge: 1 turn, the longest 60\u2009000 ms")


def test_labels_are_round_and_begin_at_nothing() -> None:
    assert labelled(930.0, lambda value: f"{value:.0f}") == [(each, f"{each:.0f}") for each in (0.0, 200.0, 400.0, 600.0, 800.0)]
