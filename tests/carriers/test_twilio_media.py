"""The codec against the property tables of Twilio's page "Media Streams - WebSocket Messages", transcribed by hand."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patter_nb.audio.formats import MULAW_8K
from patter_nb.carriers.base import (
    AudioReceived,
    CarrierEvent,
    DtmfPressed,
    MarkPlayed,
    SendAudio,
    SendClear,
    SendMark,
    StreamStarted,
    StreamStopped,
)
from patter_nb.carriers.twilio_media import MAX_MESSAGE_CHARACTERS, TwilioMediaCodec
from patter_nb.errors import CarrierError

SID, CALL, ACCOUNT = "MZ" + 32 * "1", "CA" + 32 * "2", "AC" + 32 * "3"

# One message of each kind with the fields and types of the page's tables. Every number but those of mediaFormat is a text.
CONNECTED = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
START = json.dumps(
    {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "streamSid": SID,
            "accountSid": ACCOUNT,
            "callSid": CALL,
            "tracks": ["inbound"],
            "customParameters": {"caller": "+15550001111", "token": "once"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
        "streamSid": SID,
    }
)
INBOUND_MEDIA = json.dumps(
    {
        "event": "media",
        "sequenceNumber": "4",
        "media": {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": "no+JhoaJjpzS"},
        "streamSid": SID,
    },
    indent=1,
)
OUTBOUND_MEDIA = INBOUND_MEDIA.replace('"inbound"', '"outbound"')
STOP = json.dumps(
    {"event": "stop", "sequenceNumber": "5", "stop": {"accountSid": ACCOUNT, "callSid": CALL}, "streamSid": SID}
)
DTMF = json.dumps(
    {"event": "dtmf", "streamSid": SID, "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": "1"}}
)
MARK = json.dumps({"event": "mark", "sequenceNumber": "4", "streamSid": SID, "mark": {"name": "my label"}})


@pytest.fixture
def codec() -> TwilioMediaCodec:
    codec = TwilioMediaCodec()
    codec.decode(START)
    return codec


def test_it_says_what_the_carrier_plays_and_that_it_clears():
    assert TwilioMediaCodec.audio == MULAW_8K
    assert TwilioMediaCodec.clears is True


def test_connected_means_nothing_to_us():
    assert TwilioMediaCodec().decode(CONNECTED) == []


def test_start_names_stream_call_format_and_parameters():
    parameters = {"caller": "+15550001111", "token": "once"}
    assert TwilioMediaCodec().decode(START) == [StreamStarted(SID, CALL, MULAW_8K, parameters)]


def test_inbound_media_is_the_callers_audio_at_its_presentation_time(codec):
    assert codec.decode(INBOUND_MEDIA) == [AudioReceived(b64decode("no+JhoaJjpzS"), 5.0)]


def test_media_of_another_track_is_left_out(codec):
    assert codec.decode(OUTBOUND_MEDIA) == []


def test_a_mark_comes_back_with_its_name(codec):
    assert codec.decode(MARK) == [MarkPlayed("my label")]


def test_a_key_press(codec):
    assert codec.decode(DTMF) == [DtmfPressed("1")]


def test_a_key_press_on_the_agents_track_is_left_out(codec):
    assert codec.decode(DTMF.replace("inbound_track", "outbound_track")) == []


def test_stop_ends_the_stream(codec):
    assert codec.decode(STOP) == [StreamStopped()]


def test_unknown_events_are_left_out(codec):
    assert codec.decode('{"event": "transcription", "streamSid": "MZ"}') == []


def test_audio_is_sent_with_exactly_the_documented_fields(codec):
    (text,) = codec.encode(SendAudio(b"\x9e\x8f\x89\xff"))
    assert json.loads(text) == {"event": "media", "streamSid": SID, "media": {"payload": "no+J/w=="}}


def test_empty_audio_is_not_sent(codec):
    assert codec.encode(SendAudio(b"")) == []


@pytest.mark.parametrize("name", ["my label", 'quote " and \\', "naïve ☎", "line\nbreak"])
def test_a_mark_is_sent_with_exactly_the_documented_fields(codec, name):
    (text,) = codec.encode(SendMark(name))
    assert json.loads(text) == {"event": "mark", "streamSid": SID, "mark": {"name": name}}


def test_a_clear_is_sent_with_exactly_the_documented_fields(codec):
    (text,) = codec.encode(SendClear())
    assert json.loads(text) == {"event": "clear", "streamSid": SID}


@pytest.mark.parametrize("message", [SendAudio(b"\xff"), SendMark("m"), SendClear()])
def test_nothing_can_be_sent_before_the_stream_has_a_name(message):
    with pytest.raises(CarrierError, match="before its start message"):
        TwilioMediaCodec().encode(message)


def test_a_stream_name_with_quotes_cannot_break_the_message():
    name = 'MZ","x":"'
    codec = TwilioMediaCodec()
    codec.decode(json.dumps(json.loads(START) | {"streamSid": name, "start": json.loads(START)["start"] | {"streamSid": name}}))
    assert json.loads(codec.encode(SendAudio(b"a"))[0])["streamSid"] == name


def _with(text: str, path: str, value: object) -> str:
    message = json.loads(text)
    *outer, last = path.split(".")
    inner = message
    for name in outer:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(message)


BEFORE_THE_START = [
    ("[]", "JSON object"),
    ("not json", "not JSON"),
    ("", "not JSON"),
    ('{"event": 7}', "no event name"),
    ("{}", "no event name"),
    (INBOUND_MEDIA, "before the start"),
    (MARK, "before the start"),
    (DTMF, "before the start"),
    (STOP, "before the start"),
    ("[" * 60_000, "not JSON"),
    ('{"a":' * 10_000, "not JSON"),
    ('{"event": "media", "n": ' + "9" * 5000 + "}", "not JSON"),
    (" " * (MAX_MESSAGE_CHARACTERS + 1), "characters"),
    (_with(START, "start", ...), "'start'.*object"),
    (_with(START, "start.streamSid", ...), "start.streamSid"),
    (_with(START, "start.callSid", ""), "start.callSid"),
    (_with(START, "start.callSid", 5), "start.callSid"),
    (_with(START, "start.mediaFormat", ...), "mediaFormat"),
    (_with(START, "start.mediaFormat.encoding", "audio/opus"), "mediaFormat.encoding.*'audio/opus'"),
    (_with(START, "start.mediaFormat.sampleRate", 16000), "mediaFormat.sampleRate.*16000"),
    (_with(START, "start.mediaFormat.channels", 2), "mediaFormat.channels"),
    (_with(START, "start.tracks", ["outbound"]), "tracks"),
    (_with(START, "start.tracks", "inbound"), "tracks"),
    (_with(START, "start.customParameters", ["+15551234567"]), "customParameters"),
    (_with(START, "start.customParameters.caller", {"number": "+15551234567"}), "customParameters"),
]
AFTER_THE_START = [
    (START, "second start"),
    (_with(INBOUND_MEDIA, "streamSid", "MZother"), "stream 'MZother'"),
    (_with(INBOUND_MEDIA, "streamSid", ...), "stream nothing"),
    (_with(INBOUND_MEDIA, "media", "x"), "'media'.*object"),
    (_with(INBOUND_MEDIA, "media.payload", ...), "media.payload"),
    (_with(INBOUND_MEDIA, "media.payload", "a"), "base64"),
    (_with(INBOUND_MEDIA, "media.payload", "ab cd==="), "base64"),
    (_with(INBOUND_MEDIA, "media.payload", "ÄÖÜß"), "base64"),
    (_with(INBOUND_MEDIA, "media.timestamp", 5), "media.timestamp"),
    (_with(INBOUND_MEDIA, "media.timestamp", "-5"), "media.timestamp"),
    (_with(INBOUND_MEDIA, "media.timestamp", "٥"), "media.timestamp"),
    (_with(INBOUND_MEDIA, "media.timestamp", "9" * 400), "media.timestamp"),
    (_with(MARK, "mark.name", ...), "mark.name"),
    (_with(MARK, "mark", None), "'mark'.*object"),
    (_with(MARK, "streamSid", "MZother"), "stream 'MZother'"),
    (_with(DTMF, "dtmf.digit", "12"), "dtmf.digit"),
    (_with(DTMF, "dtmf.digit", ...), "dtmf.digit"),
    (_with(STOP, "streamSid", "MZother"), "stream 'MZother'"),
]


@pytest.mark.parametrize(("text", "says"), BEFORE_THE_START)
def test_before_the_start_a_malformed_message_is_one_sentence(text, says):
    with pytest.raises(CarrierError, match=says) as raised:
        TwilioMediaCodec().decode(text)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200
    assert "5551234567" not in str(raised.value)


@pytest.mark.parametrize(("text", "says"), AFTER_THE_START)
def test_a_malformed_message_is_one_sentence_and_the_stream_goes_on(codec, text, says):
    with pytest.raises(CarrierError, match=says) as raised:
        codec.decode(text)
    assert len(str(raised.value)) < 200
    assert codec.decode(INBOUND_MEDIA) == [AudioReceived(b64decode("no+JhoaJjpzS"), 5.0)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
EXAMPLES = [json.loads(text) for text in (CONNECTED, START, INBOUND_MEDIA, OUTBOUND_MEDIA, STOP, DTMF, MARK)]


def _paths(message: dict) -> list[tuple[str, ...]]:
    return [(name,) for name in message] + [
        (name, inner) for name, value in message.items() if isinstance(value, dict) for inner in value
    ]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A documented message with some of its fields replaced by anything, or dropped."""
    message = json.loads(json.dumps(draw(st.sampled_from(EXAMPLES))))
    for path in draw(st.lists(st.sampled_from(_paths(message)), max_size=3)):
        inner = message
        for name in path[:-1]:
            inner = inner.get(name, {})
        if not isinstance(inner, dict):
            continue
        if draw(st.booleans()):
            inner.pop(path[-1], None)
        else:
            inner[path[-1]] = draw(JSON)
    return json.dumps(message)


@given(st.booleans(), st.lists(damaged() | st.text(max_size=60) | JSON.map(json.dumps), max_size=6))
def test_whatever_arrives_gives_events_or_a_carrier_error(started, texts):
    codec = TwilioMediaCodec()
    if started:
        codec.decode(START)
    _decode_all(codec, texts)


@pytest.mark.slow
@settings(max_examples=4_000, deadline=None)
@given(st.booleans(), st.lists(damaged() | st.text(max_size=200) | JSON.map(json.dumps), max_size=10))
def test_whatever_arrives_gives_events_or_a_carrier_error_at_length(started, texts):
    codec = TwilioMediaCodec()
    if started:
        codec.decode(START)
    _decode_all(codec, texts)


def _decode_all(codec: TwilioMediaCodec, texts: list[str]) -> None:
    for text in texts:
        try:
            events = codec.decode(text)
        except CarrierError as error:
            assert str(error)
        else:
            assert all(isinstance(event, CarrierEvent) for event in events)


@given(st.binary(min_size=1, max_size=4000))
def test_audio_arrives_as_it_was_sent(audio):
    codec = TwilioMediaCodec()
    codec.decode(START)
    assert b64decode(json.loads(codec.encode(SendAudio(audio))[0])["media"]["payload"]) == audio
    message = _with(INBOUND_MEDIA, "media.payload", b64encode(audio).decode())
    assert codec.decode(message) == [AudioReceived(audio, 5.0)]
