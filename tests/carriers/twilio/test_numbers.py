"""Phone numbers and SIDs: what is one, and what is shown of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb import CarrierError
from patter_nb.carriers.twilio.numbers import e164, is_sid, masked, sid
from patter_nb.records.masking import mask_number

NUMBERS = {
    "+15557654321": "+15557654321",
    "+1 (555) 765-4321": "+15557654321",
    "+44 20 7946 0018": "+442079460018",
    "+49.30.1234567": "+49301234567",
    " +2901234567 ": "+2901234567",
}


@pytest.mark.parametrize("written", NUMBERS)
def test_a_number_in_international_form_is_taken_as_people_write_it(written):
    assert e164(written) == NUMBERS[written]


NO_NUMBERS = ["", "+", "15557654321", "5557654321", "+0555765432", "+155", "+" + "1" * 16, "sip:me@example.com", "client:me",
              "911",
              "+15557654321,,123", "+1555765432x", "+1 555 765 4321;ext=5", "+١٥٥٥٧٦٥٤٣٢١", "+15557654321\x00"]  # fmt: skip


@pytest.mark.parametrize("written", NO_NUMBERS)
def test_anything_else_is_refused_without_showing_it(written):
    with pytest.raises(CarrierError, match="international form") as caught:
        e164(written)
    assert "5557654321" not in str(caught.value)


@given(st.text(max_size=40))
def test_whatever_is_taken_is_digits_after_a_plus(text):
    try:
        number = e164(text)
    except CarrierError:
        return
    assert number.startswith("+") and number[1:].isascii() and number[1:].isdigit()


@pytest.mark.parametrize("number", ["+15557654321", "15557654321", "+442079460018", "5557654321"])
def test_a_number_is_masked_as_in_the_tables(number):
    assert masked(f"From {number}: no.") == f"From {mask_number(number)}: no."


@pytest.mark.parametrize("text", ["error 21219", "HTTP 400", "2026", "CA" + "1" * 32, "call_0123456789ab"])
def test_what_is_no_number_stays(text):
    assert masked(text) == text


def test_a_sid_is_two_letters_and_32_hexadecimal_digits():
    assert is_sid("CA" + "0aF" * 10 + "12", "CA")
    for text in ("CA" + "a" * 31, "CA" + "a" * 33, "CA" + "g" * 32, "PN" + "a" * 32, "CA" + "a" * 32 + "\n", "", "ca" + "a" * 32):
        assert not is_sid(text, "CA")
        with pytest.raises(CarrierError, match=r"CA\.\.\."):
            sid(text, "CA")
