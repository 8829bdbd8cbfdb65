"""Numbers as they are said and as recognisers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.providers.local.brain_numbers import numbers_in
from patter_nb.providers.local.numbers import cardinal, digits

SAID = {
    "order 1234": ["1234"],
    "one two three four": ["1234"],
    "1, 2, 3, 4": ["1234"],
    "1 2 3 4": ["1234"],
    "12, 3": ["12", "3"],
    "twenty five people": ["25"],
    "a table for two": ["2"],
    "two adults and three children": ["2", "3"],
    "two hundred and five guests": ["205"],
    "two thousand five hundred": ["2500"],
    "a hundred": ["100"],
    "one hundred and": ["100"],
    "nineteen ninety nine": ["1999"],
    "four twelve": ["412"],
    "five twenty": ["520"],
    "seven oh four": ["704"],
    "oh, four": ["4"],
    "at seven o'clock": ["7"],
    "1,200 dollars and 12.50": ["1200", "12.50"],
    "555-0123": ["5550123"],
    "zero": ["0"],
    "that one": [],
    "which one of them": [],
    "one of you": [],
    "one room": ["1"],
    "and so on": [],
    "June fifth": [],
    "": [],
}


@pytest.mark.parametrize(("text", "found"), SAID.items(), ids=list(SAID))
def test_what_numbers_a_text_holds(text, found):
    assert [number.digits for number in numbers_in(text)] == found


def test_a_number_knows_its_value_and_its_place():
    first, second = numbers_in("Room twenty five, at 12.50 dollars")
    assert (first.value, second.value) == (25, 12.5)
    assert isinstance(first.value, int)
    assert "Room twenty five, at 12.50 dollars"[first.start : first.end] == "twenty five"


@given(st.integers(0, 99_999))
def test_every_number_that_is_said_is_heard(number):
    assert [each.value for each in numbers_in(f"it is {cardinal(number)} in all")] == [number]


@given(st.text("0123456789", min_size=2, max_size=8))
def test_every_row_of_digits_that_is_said_is_heard(row):
    assert [each.digits for each in numbers_in(digits(row))] == [row]
