"""Numbers in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.providers.local.numbers import cardinal, decimal, digits, ordinal, year

CARDINALS = {
    0: "zero", 7: "seven", 13: "thirteen", 20: "twenty", 42: "forty two", 100: "one hundred", 105: "one hundred five",
    999: "nine hundred ninety nine", 1000: "one thousand", 1200: "one thousand two hundred", 20_015: "twenty thousand fifteen",
    1_000_000: "one million", 2_300_004: "two million three hundred thousand four", 10**9: "one billion", -5: "minus five",
    10**15: "one zero zero zero zero zero zero zero zero zero zero zero zero zero zero zero",
}  # fmt: skip
ORDINALS = {
    1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 11: "eleventh", 12: "twelfth", 20: "twentieth",
    22: "twenty second", 31: "thirty first", 90: "ninetieth", 100: "one hundredth", 101: "one hundred first",
}  # fmt: skip
YEARS = {
    1066: "ten sixty six", 1805: "eighteen oh five", 1900: "nineteen hundred", 1999: "nineteen ninety nine",
    2000: "two thousand", 2005: "two thousand five",
    2010: "twenty ten", 2026: "twenty twenty six", 1000: "one thousand", 476: "four hundred seventy six",
}  # fmt: skip
DECIMALS = {
    "3.14": "three point one four", "0.5": "zero point five", "1,200": "one thousand two hundred",
    "1,000.5": "one thousand point five", "007": "zero zero seven", "10.0": "ten point zero", "12": "twelve",
}  # fmt: skip


@pytest.mark.parametrize(("number", "spoken"), CARDINALS.items())
def test_cardinals(number: int, spoken: str) -> None:
    assert cardinal(number) == spoken


@pytest.mark.parametrize(("number", "spoken"), ORDINALS.items())
def test_ordinals(number: int, spoken: str) -> None:
    assert ordinal(number) == spoken


@pytest.mark.parametrize(("number", "spoken"), YEARS.items())
def test_years(number: int, spoken: str) -> None:
    assert year(number) == spoken


@pytest.mark.parametrize(("text", "spoken"), DECIMALS.items())
def test_decimals(text: str, spoken: str) -> None:
    assert decimal(text) == spoken


def test_digits_are_read_one_by_one_in_any_script() -> None:
    assert digits("0142") == "zero one four two"
    assert digits("٠٣") == "zero three"


VALUES = {cardinal(n): n for n in range(20)} | {cardinal(n): n for n in range(20, 100, 10)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}


def value(spoken: str) -> int:
    """Reads number words back, in a way of its own."""
    total = part = 0
    for word in spoken.split():
        if word == "hundred":
            part *= 100
        elif word in SCALES:
            total, part = total + part * SCALES[word], 0
        else:
            part += VALUES[word]
    return total + part


@given(st.integers(0, 10**15 - 1))
def test_a_cardinal_read_back_is_the_number(number: int) -> None:
    assert value(cardinal(number)) == number
