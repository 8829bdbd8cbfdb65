"""Refusals: one sentence each with its remedy, and nobody's number in it."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb import CarrierError
from patter_nb.carriers.twilio.refusals import REMEDIES, refusal

TOLD = {
    # Twilio's code, HTTP, and the words of the remedy.
    20003: (401, "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
    20404: (404, "TWILIO_ACCOUNT_SID is the account that owns"),
    20429: (429, "wait a minute"),
    21210: (400, "Verified Caller IDs"),
    21211: (400, r"such as \+15550001234"),
    21212: (400, "capability Voice"),
    21214: (400, "complete and in service"),
    21215: (400, "Geo permissions"),
    21219: (400, "a trial account calls verified numbers only"),
    21220: (400, "not in progress"),
    21608: (400, "a trial account reaches verified numbers only"),
}


@pytest.mark.parametrize("code", TOLD)
def test_a_code_of_twilios_is_told_with_its_remedy(code):
    status, words = TOLD[code]
    error = refusal("place the call", status, {"code": code, "message": "The number +15557654321 ...", "status": status})
    assert isinstance(error, CarrierError)
    assert (error.code, error.status) == (code, status)
    with pytest.raises(CarrierError, match=words):
        raise error


@pytest.mark.parametrize("code", REMEDIES)
def test_every_remedy_is_one_sentence_without_anybodys_number(code):
    told = str(refusal("place the call", 400, {"code": code, "message": "The number +15557654321 is not verified."}))
    assert told.startswith("Twilio does not place the call: ")
    assert told.endswith(f"(Twilio's error {code}).")
    assert told.count(". ") == 0
    assert "5557654321" not in told


ANSWERS = {
    # HTTP, what came with it, and the whole sentence.
    "a code nobody knows": (
        400,
        {"code": 29999, "message": "Your line to +1 (555) 765-4321\nis odd."},
        "Twilio does not end the call (Twilio's error 29999): 'Your line to +1•••••4321 is odd.'. "
        "See https://www.twilio.com/docs/api/errors/29999.",
    ),
    "no code": (400, {"message": "Odd"}, "Twilio does not end the call (HTTP 400): 'Odd'."),
    "nothing": (400, None, "Twilio does not end the call (HTTP 400)."),
    "no JSON object": (418, ["x"], "Twilio does not end the call (HTTP 418)."),
    "a code that is none": (400, {"code": True, "message": 5}, "Twilio does not end the call (HTTP 400)."),
    "trouble": (503, None, "Twilio does not end the call, for it has trouble itself: try again later (HTTP 503)."),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_not_known_is_told_as_it_came_masked(name):
    status, answer, sentence = ANSWERS[name]
    assert str(refusal("end the call", status, answer)) == sentence


@pytest.mark.parametrize(("status", "words"), [(401, "keys are not accepted"), (403, "may not do this"), (404, "no such thing"),
                                               (429, "too often")])  # fmt: skip
def test_without_a_code_the_status_of_http_has_a_remedy(status, words):
    with pytest.raises(CarrierError, match=words):
        raise refusal("end the call", status, {})


def test_a_token_that_twilio_repeats_is_not_shown():
    told = str(refusal("end the call", 400, {"message": "AuthToken=0123456789abcdef0123456789abcdef is wrong"}))
    assert "0123456789abcdef" not in told


anything = st.text(max_size=2000) | st.integers() | st.none()


@given(st.integers(400, 599), st.dictionaries(st.sampled_from(["code", "message"]), anything))
def test_any_answer_is_told_in_one_short_line(status, answer):
    told = str(refusal("end the call", status, answer))
    assert told.startswith("Twilio does not end the call")
    assert len(told) < 700


def test_a_refusal_can_be_copied():
    error = refusal("end the call", 429, {"code": 20429}, retry_after="3")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(other), other.code, other.status, other.retry_after) == (str(error), 20429, 429, "3")
