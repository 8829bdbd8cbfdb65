from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.notebook.bars import BAR_HEIGHT, Bar, Chart, bar_shapes, limit_of, nice_step, ticks_of, ticks_row
from patter_nb.notebook.picture import Lines, Rect, Text
from patter_nb.notebook.view import Piece
from patter_nb.notebook.waterfall import WAIT

LENGTHS = st.lists(st.floats(0, 1e9), max_size=30)


@given(LENGTHS)
def test_the_axis_ends_at_the_longest_bar_or_cuts_off_what_is_far_longer_than_most(lengths: list[float]) -> None:
    limit = limit_of(lengths, 100.0)
    longest = max([100.0, *lengths])
    assert limit >= 100.0
    assert limit == longest or limit <= 4.8 * max(100.0, sorted(lengths)[(len(lengths) - 1) * 3 // 4]) < 1.2 * longest


def test_one_wait_of_a_minute_leaves_the_others_readable() -> None:
    assert limit_of([500.0, 620.0, 700.0, 640.0, 60_000.0], 100.0) == 840.0
    assert limit_of([500.0, 60_000.0], 100.0) == 600.0
    assert limit_of([60_000.0], 100.0) == 60_000.0


@given(st.floats(1e-6, 1e9), st.integers(3, 10))
def test_steps_are_round_and_few_and_not_too_few(end: float, most: int) -> None:
    assert f"{nice_step(end, most):.0e}"[0] in "125"
    assert most / 2.6 <= len(ticks_of(end, most)) <= most + 1


def chart(limit: float = 1000.0) -> Chart:
    return Chart(WAIT, 800.0, 200.0, limit)


def painted(bar: Bar, limit: float = 1000.0) -> list[Rect]:
    return [shape for shape in bar_shapes(chart(limit), bar, 0.0) if isinstance(shape, Rect) and shape.height == BAR_HEIGHT]


def test_pieces_are_as_wide_as_their_amounts_but_for_the_pixel_between_them() -> None:
    pieces = (Piece("endpointing_ms", 0.0, 300.0), Piece("tts_first_byte_ms", 300.0, 500.0))
    first, second = painted(Bar("1", "hi", pieces, 500.0, "500 ms"))
    assert (first.x, first.width + 1) == (200.0, pytest.approx(300 * chart().per_unit))
    assert (second.x, second.width + 1) == (200 + 300 * chart().per_unit, pytest.approx(200 * chart().per_unit))
    assert first.title == "endpointing (hangover_ms): 300 ms"


def test_a_bar_that_is_cut_short_ends_at_the_limit_and_shows_that_it_goes_on() -> None:
    pieces = (Piece("endpointing_ms", 0.0, 300.0), Piece("stall_ms", 300.0, 60_000.0), Piece("send_ms", 60_000.0, 60_100.0))
    shapes = bar_shapes(chart(), Bar("1", "hi", pieces, 60_100.0, "60 100 ms"), 0.0)
    right = chart().x(1000.0)
    bars = [shape for shape in shapes if isinstance(shape, Rect) and shape.height == BAR_HEIGHT]
    assert [round(bar.x + bar.width + 1) for bar in bars] == [round(chart().x(300.0)), round(right)]
    assert any(isinstance(shape, Lines) and shape.stroke == "surface" and shape.width == 3 for shape in shapes)
    assert next(shape.x for shape in shapes if isinstance(shape, Text) and shape.text == "60 100 ms") == right + 8


def test_the_total_stands_after_the_interval() -> None:
    bar = Bar("1", "hi", (Piece("stt_final_ms", 0.0, 300.0),), 300.0, "300 ms", interval=(250.0, 420.0))
    shapes = bar_shapes(chart(), bar, 0.0)
    whisker = next(shape for shape in shapes if isinstance(shape, Lines) and shape.stroke == "ink")
    assert (whisker.segments[0][0], whisker.segments[0][2]) == (chart().x(250.0), chart().x(420.0))
    assert next(shape.x for shape in shapes if isinstance(shape, Text) and shape.bold) == chart().x(420.0) + 8


def test_without_a_total_there_is_no_bar_but_why() -> None:
    shapes = bar_shapes(chart(), Bar("1", "hi", told="no reply was heard"), 0.0)
    assert [shape.text for shape in shapes if isinstance(shape, Text)] == ["1", "hi", "no reply was heard"]
    assert painted(Bar("1", "hi", (Piece("stt_final_ms", 0.0, 300.0),), math.nan)) == []


def test_a_hundred_thousand_ticks_are_as_many_as_there_are_places_for_them() -> None:
    few = ticks_row(chart(), "all", [1.0, 1.01, 2.0], 0.0)[1]
    many = ticks_row(chart(), "all", [index / 100 for index in range(100_000)], 0.0)[1]
    assert isinstance(few, Lines)
    assert isinstance(many, Lines)
    assert len(few.segments) == 3
    assert len(many.segments) < 2 * 800
