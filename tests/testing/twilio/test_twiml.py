from __future__ import annotations

import pytest
from twilio.twiml.voice_response import Connect, Dial, Stream, VoiceResponse

from patter_nb.testing.twilio.twiml import UnreadableTwimlError, read, stream_fault


def test_what_twilios_builder_writes_is_understood():
    stream = Stream(url="wss://example.com/ws/stream/call_1")
    stream.parameter(name="token", value="a<b&\"c\"")
    connect = Connect()
    connect.append(stream)
    dial = Dial(caller_id="+15550001234", timeout=20)
    dial.conference("room", start_conference_on_enter=False, end_conference_on_exit=True, beep=False)
    response = VoiceResponse()
    response.append(connect)
    response.say("Hello & welcome")
    response.pause(length=2)
    response.play(digits="12#")
    response.append(dial)
    response.dial("+15557654321", caller_id="+15550001234")
    response.redirect("/more", method="GET")
    response.reject(reason="busy")
    response.hangup()
    document = read(str(response))
    assert document.warnings == ()
    assert [verb.name for verb in document.verbs] == [
        "Connect Stream", "Say", "Pause", "Play", "Dial Conference", "Dial", "Redirect", "Reject", "Hangup",
    ]  # fmt: skip
    media, said, _, _, room, number, *_ = document.verbs
    assert media.parameters == {"token": 'a<b&"c"'}
    assert said.text == "Hello & welcome"
    assert room.text == "room"
    assert (room.attributes["startConferenceOnEnter"], room.attributes["callerId"]) == ("false", "+15550001234")
    assert number.text == "+15557654321"


def test_a_number_within_a_dial_is_the_number_that_is_called():
    (verb,) = read('<Response><Dial timeout="5"><Number>+15557654321</Number></Dial></Response>').verbs
    assert (verb.name, verb.text, verb.attributes) == ("Dial Number", "+15557654321", {"timeout": "5"})


# What is skipped or ignored, and the words of the warning that name it.
UNKNOWN = {
    "<Record/>": "<Record>",
    "<Say tempo='2'>x</Say>": "'tempo'",
    "<Connect/>": "<Connect> is empty",
    "<Connect><Room>x</Room></Connect>": "<Room>",
    "<Dial><Number>+1</Number><Number>+2</Number></Dial>": "2 nouns",
    "<Connect><Stream url='wss://a/'><Parameter value='1'/></Stream></Connect>": "<Parameter> needs a name",
    f"<Connect><Stream url='wss://a/'><Parameter name='a' value='{'x' * 500}'/></Stream></Connect>": "500 characters",
    "<say>x</say>": "<say>",
}


@pytest.mark.parametrize("inner", UNKNOWN, ids=range(len(UNKNOWN)))
def test_what_is_not_known_is_a_warning_that_names_it(inner):
    warnings = read(f"<Response>{inner}</Response>").warnings
    assert warnings
    assert {warning.code for warning in warnings} == {12200}
    assert UNKNOWN[inner] in " ".join(warning.text for warning in warnings)


@pytest.mark.parametrize("text", ["", "hello", "<Response>", "<Say/>", "<!DOCTYPE a><Response/>", "{}"])
def test_what_is_no_twiml_cannot_be_read(text):
    with pytest.raises(UnreadableTwimlError):
        read(text)


STREAMS = {
    "wss://example.com/ws": None,
    "https://example.com/ws": 31922,
    "": 31922,
    "wss:///ws": 31923,
    "wss://[::/ws": 31923,
    "wss://example.com/ws?a=1": 31923,
    "wss://example.com/ws#a": 31923,
}


@pytest.mark.parametrize("url", STREAMS)
def test_the_address_of_a_stream_is_checked(url):
    (verb,) = read(f"<Response><Connect><Stream url='{url}'/></Connect></Response>").verbs
    fault = stream_fault(verb)
    assert (fault.code if fault else None) == STREAMS[url]


def test_the_track_of_a_stream_in_both_directions_is_the_inbound_one():
    (verb,) = read("<Response><Connect><Stream url='wss://a/b' track='both_tracks'/></Connect></Response>").verbs
    assert stream_fault(verb).code == 31941


def test_no_token_is_shown():
    parameter = "<Parameter name='t' value='s3cret'/>"
    (verb,) = read(f"<Response><Connect><Stream url='wss://a/b'>{parameter}</Stream></Connect></Response>").verbs
    assert "s3cret" not in repr(verb)
