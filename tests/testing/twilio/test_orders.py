from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.testing.twilio.orders import CREATE, Given, PlacedCall, Rights, placed_call
from patter_nb.testing.twilio.resources import RefusedError

NUMBER, OTHER = "+15550001234", "+15557654321"
RIGHTS = Rights({NUMBER: None}, frozenset({"+15550009999"}), trial=False, blocked=())
LEAST = {"To": OTHER, "From": NUMBER, "Twiml": "<Response/>"}


def placed(**changes):
    """A call of these parameters beside the least; None leaves one out, a list gives it several times."""
    wanted = {name: [value] if isinstance(value, str) else value or [] for name, value in {**LEAST, **changes}.items()}
    return placed_call([(name, value) for name, values in wanted.items() for value in values], RIGHTS)


def test_what_is_left_out_has_twilios_defaults():
    call = placed()
    assert (call.order.ring_seconds, call.order.method, call.order.detection) == (60.0, "POST", None)
    assert (call.callback.url, call.callback.events) == ("", frozenset({"completed"}))


def test_a_verified_number_may_be_shown():
    assert placed(From="+15550009999").from_number == "+15550009999"


def test_events_are_each_a_parameter():
    call = placed(StatusCallback="https://a.example.com/s", StatusCallbackEvent=["initiated", "answered"])
    assert call.callback.events == {"initiated", "answered"}
    assert call.notice is None


def test_an_event_that_is_none_is_noted_and_none_is_told():
    call = placed(StatusCallback="https://a.example.com/s", StatusCallbackEvent=["answered", "hung up"])
    assert call.callback.events == frozenset()
    assert call.notice[0] == 21626


def test_detection_beside_the_call_needs_its_own_address():
    amd = {"MachineDetection": "DetectMessageEnd", "AsyncAmdStatusCallback": "https://a.example.com/amd"}
    beside, before = placed(AsyncAmd="true", **amd).order.detection, placed(**amd).order.detection
    assert (beside.url, beside.waits) == ("https://a.example.com/amd", False)
    assert (before.url, before.waits) == ("", True)


REFUSED = {
    "nobody": ({"To": None}, 21201),
    "as nobody": ({"From": None}, 21213),
    "both instructions": ({"Url": "https://a.example.com/"}, 21205),
    "a Python truth": ({"AsyncAmd": "True"}, 20001),
    "a time in words": ({"Timeout": "soon"}, 20001),
    "a time too long": ({"Timeout": "601"}, 20001),
    "a name twice": ({"To": [OTHER, OTHER]}, 20001),
    "a lower-case name": ({"to": OTHER}, 20001),
    "a method that is none": ({"StatusCallbackMethod": "PUT"}, 20001),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_is_not_right_is_refused_with_its_code(name):
    changes, code = REFUSED[name]
    with pytest.raises(RefusedError) as refused:
        placed(**changes)
    assert refused.value.code == code
    assert refused.value.body()["more_info"].endswith(str(code))


words = st.text(max_size=20)


@given(st.lists(st.tuples(st.sampled_from(sorted(CREATE)) | words, words), max_size=12))
def test_whatever_is_asked_is_a_call_or_a_refusal(pairs):
    try:
        assert isinstance(placed_call(pairs, RIGHTS), PlacedCall)
    except RefusedError as refused:
        assert refused.status == 400


def test_an_address_is_one_of_the_web():
    for address in ("ftp://a.example.com", "https://", "a.example.com", "http://[::"):
        with pytest.raises(RefusedError) as refused:
            Given([("Url", address)], frozenset({"Url"})).url("Url", 21205)
        assert refused.value.code == 21205
    assert Given([("Url", "")], frozenset({"Url"})).url("Url", 21205) == ""
