"""Webhooks: forms as Twilio's pages describe them, and forms that are none of Twilio's."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_of_twilio_wire import ACCOUNT, CALL, RECORDING

from patter_nb import CarrierError
from patter_nb.carriers.twilio.webhooks import (
    CallStatus,
    IncomingCall,
    MachineVerdict,
    RecordingReady,
    call_status,
    form_pairs,
    incoming_call,
    machine_verdict,
    recording_ready,
)

BASE = {"CallSid": CALL, "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": "+15557654321", "To": "+15550001234"}
INCOMING = {**BASE, "CallStatus": "ringing", "Direction": "inbound", "Caller": "+15557654321", "Called": "+15550001234",
            "FromCity": "", "FromState": "CA", "FromZip": "", "FromCountry": "US"}  # fmt: skip
STATUS = {**BASE, "Direction": "outbound-api", "Timestamp": "Sun, 29 Nov 2026 14:00:00 +0000", "SequenceNumber": "2",
          "CallbackSource": "call-progress-events"}  # fmt: skip
RECORDED = {"AccountSid": ACCOUNT, "CallSid": CALL, "RecordingSid": RECORDING, "RecordingStatus": "completed",
            "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}",
            "RecordingDuration": "42", "RecordingChannels": "2", "RecordingSource": "StartCallRecordingAPI"}  # fmt: skip

READ = {
    "a call that comes in": (incoming_call, INCOMING, IncomingCall(CALL, ACCOUNT, "+15557654321", "+15550001234")),
    "a caller who hides": (
        incoming_call,
        {**INCOMING, "From": "anonymous"},
        IncomingCall(CALL, ACCOUNT, "anonymous", "+15550001234"),
    ),
    "a call without a caller": (
        incoming_call,
        {name: value for name, value in INCOMING.items() if name != "From"},
        IncomingCall(CALL, ACCOUNT, "", "+15550001234"),
    ),
    "dialled": (call_status, {**STATUS, "CallStatus": "initiated"}, CallStatus(CALL, "initiated", None, "")),
    "ringing": (call_status, {**STATUS, "CallStatus": "ringing"}, CallStatus(CALL, "ringing", None, "")),
    "answered": (call_status, {**STATUS, "CallStatus": "in-progress"}, CallStatus(CALL, "in-progress", None, "")),
    "over": (
        call_status,
        {**STATUS, "CallStatus": "completed", "CallDuration": "15", "Duration": "1", "SipResponseCode": "200"},
        CallStatus(CALL, "completed", 15.0, ""),
    ),
    "busy": (
        call_status,
        {**STATUS, "CallStatus": "busy", "CallDuration": "0", "SipResponseCode": "486"},
        CallStatus(CALL, "busy", 0.0, "SIP 486"),
    ),
    "failed": (
        call_status,
        {**STATUS, "CallStatus": "failed", "ErrorCode": "13227", "ErrorMessage": "No permission for +15557654321"},
        CallStatus(CALL, "failed", None, "Twilio's error 13227: No permission for +1•••••4321"),
    ),
    **{
        f"answered by {raw}": (
            machine_verdict,
            {"CallSid": CALL, "AccountSid": ACCOUNT, "AnsweredBy": raw, "MachineDetectionDuration": "3400"},
            MachineVerdict(CALL, kind, raw, 3400.0),
        )
        for raw, kind in {
            "human": "human",
            "fax": "fax",
            "unknown": "unknown",
            "machine_start": "machine",
            "machine_end_beep": "machine",
            "machine_end_silence": "machine",
            "machine_end_other": "machine",
            "something_new": "unknown",
        }.items()
    },
    "recorded": (recording_ready, RECORDED, RecordingReady(CALL, RECORDING, 42.0, "completed")),
    "nothing to hear": (
        recording_ready,
        {**RECORDED, "RecordingStatus": "absent", "RecordingDuration": "-1"},
        RecordingReady(CALL, RECORDING, None, "absent"),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_form_of_twilios_is_read(name):
    read, form, expected = READ[name]
    assert read(dict(form_pairs(urlencode(form).encode()))) == expected


MALFORMED = {
    "a call without a SID": (incoming_call, {**INCOMING, "CallSid": ""}),
    "a SID of another thing": (incoming_call, {**INCOMING, "CallSid": RECORDING}),
    "a SID with a path": (recording_ready, {**RECORDED, "RecordingSid": "RE/../../Accounts"}),
    "a SID and a line": (recording_ready, {**RECORDED, "RecordingSid": RECORDING + "\n"}),
    "no account": (incoming_call, {**INCOMING, "AccountSid": "me"}),
    "a caller without end": (incoming_call, {**INCOMING, "From": "1" * 5000}),
    "no status": (call_status, STATUS),
    "a status that is a sentence": (call_status, {**STATUS, "CallStatus": "It rang."}),
    "a duration that is none": (call_status, {**STATUS, "CallStatus": "completed", "CallDuration": "soon"}),
    "a duration without end": (call_status, {**STATUS, "CallStatus": "completed", "CallDuration": "9" * 400}),
    "no verdict": (machine_verdict, {"CallSid": CALL}),
    "no recording": (recording_ready, {**BASE, "RecordingStatus": "completed"}),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_form_that_is_none_of_twilios_is_refused_without_showing_a_number(name):
    read, form = MALFORMED[name]
    with pytest.raises(CarrierError, match="field") as caught:
        read(form)
    assert "5557654321" not in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.dictionaries(st.sampled_from(sorted({*INCOMING, *STATUS, *RECORDED, "AnsweredBy", "ErrorCode"})), st.text(max_size=40)))
def test_any_form_is_read_or_refused(form):
    for read in (incoming_call, call_status, machine_verdict, recording_ready):
        try:
            read(form)
        except CarrierError as error:
            assert "\n" not in str(error)


@given(st.binary(max_size=200))
def test_any_body_is_a_form_or_is_refused(body):
    try:
        pairs = form_pairs(body)
    except CarrierError:
        return
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in pairs)


BODIES = {
    "a field": (b"a=1", [("a", "1")]),
    "an empty field": (b"From=&To=1", [("From", ""), ("To", "1")]),
    "a field that comes twice": (b"a=1&a=2", [("a", "1"), ("a", "2")]),
    "letters of the world": (b"From=Zo%C3%AB+%2B1", [("From", "Zoë +1")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_fields_of_a_form_are_what_was_signed(name):
    body, pairs = BODIES[name]
    assert form_pairs(body) == pairs


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join([b"a=1"] * 201)], ids=["bytes", "escaped bytes", "201 fields"])
def test_a_body_that_is_no_form_is_refused(body):
    with pytest.raises(CarrierError, match="no form"):
        form_pairs(body)


def test_a_call_that_comes_in_does_not_show_its_numbers():
    assert repr(incoming_call(INCOMING)) == f"IncomingCall({CALL!r}, caller='+1•••••4321', callee='+1•••••1234')"


def test_a_status_says_whether_it_is_the_last():
    def ended(status):
        return call_status({**STATUS, "CallStatus": status}).ended

    assert [ended(status) for status in ("completed", "busy", "failed", "no-answer", "canceled")] == [True] * 5
    assert [ended(status) for status in ("queued", "initiated", "ringing", "in-progress")] == [False] * 4
