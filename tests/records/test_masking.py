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


MASKED = [
    ("call me on +15557654321, please", "call me on +1•••••4321, please"),
    ("+1 555 765 4321 or +49 (151) 1234-5678.", "+1•••••4321 or +4•••••5678."),
    ("call 555-765-4321.", "call •••••4321."),
    ("call (555) 765 4321 now", "call •••••4321 now"),
    ("call (555) 765-4321 now", "call •••••4321 now"),
    ("it is 5557654321", "it is •••••4321"),
    ("555.765.4321", "•••••4321"),
    ("1-555-765-4321", "•••••4321"),
    ("1 (555) 765-4321", "•••••4321"),
    ("555-4321", "•••••4321"),
    ("06 12 34 56 78", "•••••5678"),
    ("0151 12345678", "•••••5678"),
    ("tel:5557654321, sip:5557654321@host", "tel:•••••4321, sip:•••••4321@host"),
    ('{"phone": "5557654321", "at": "19:30"}', '{"phone": "•••••4321", "at": "19:30"}'),
    ("at 10:30 call 5557654321 on 2026-11-22", "at 10:30 call •••••4321 on 2026-11-22"),
    ("room 5557654321 costs +5 dollars", "room •••••4321 costs +5 dollars"),
    ("4111111111111111", "•••••1111"),
]
KEPT = [
    "nothing here",
    "room 12, code 123456, extension 4321",
    "12 34 56",
    "from 10:30 to 11:45, at 10:30:15.250",
    "2026-11-22", "2026-11-22 10:30", "2026-07-20T18:00:00+00:00", "22.11.2026", "11/22/2026", "22-11-2026", "2026 11 22",
    "1999-2005", "1990 1991 1992", "in 2026 or 2027",
    "$1234567", "1,234,567.00", "1.234.567 euros", "1 250 000 dollars", "1234567 USD", "€ 12345678.90", "10 000 000",
    "1234567.89", "0.123456789", "192.168.100.200", "99.5%",
    "550e8400-e29b-41d4-a716-446655440000", "test_123456789012", "call 12345678abc",
    "+1•••••4321", "•••••4321",
]  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), MASKED)
def test_numbers_are_masked_within_a_text_however_they_are_written(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    assert mask_text(shown) == shown


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_phone_number_is_left_as_it_is(text: str) -> None:
    assert mask_text(text) == text


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
