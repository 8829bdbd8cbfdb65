"""Phone numbers are shown masked and kept hashed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.records.masking import hash_number, mask_data, mask_number, mask_text

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+15557654321", "+1•••••4321"),
        ("+1 (555) 765-4321", "+1•••••4321"),
        ("+4915112345678", "+4•••••5678"),
        ("5557654321", "•••••4321"),
        ("112", "112"),
        ("anonymous", "anonymous"),
        ("", ""),
        ("+1•••••4321", "+1•••••4321"),
    ],
)
def test_a_number_keeps_its_first_digit_and_its_last_four(number: str, shown: str) -> None:
    assert mask_number(number) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call me on +15557654321, please", "call me on +1•••••4321, please"),
        ("+1 555 765 4321 or +49 (151) 1234-5678.", "+1•••••4321 or +4•••••5678."),
        ("room 5557654321 costs +5 dollars", "room 5557654321 costs +5 dollars"),
        ("nothing here", "nothing here"),
    ],
)
def test_numbers_in_international_form_are_masked_within_a_text(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def test_every_string_within_plain_data_is_masked() -> None:
    data = {"to": "+15557654321", "tries": [{"number": "+15557654321", "seconds": 3}], "ok": True}
    assert mask_data(data) == {"to": "+1•••••4321", "tries": [{"number": "+1•••••4321", "seconds": 3}], "ok": True}


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.text(alphabet="abc ,.;", max_size=20))
def test_no_number_of_seven_to_fifteen_digits_survives_in_a_text(number: str, around: str) -> None:
    shown = mask_text(f"{around} {number} {around}")
    assert number not in shown
    assert mask_text(shown) == shown


def test_the_hash_depends_on_the_number_and_the_key_but_not_on_how_the_number_is_written() -> None:
    known = hash_number("+15557654321", KEY)
    assert known == hash_number("+1 (555) 765-4321", KEY)
    assert known != hash_number("+15557654322", KEY)
    assert known != hash_number("+15557654321", b"x" * 32)
    assert hash_number("", KEY) is None
