"""What the far end puts on the wire and takes from it, against Twilio's property tables, transcribed by hand."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode

import pytest

from patter_nb.carriers.simulated import SimulatedCaller
from patter_nb.carriers.simulated.wire import CarrierWire, Clear, Mark, Media
from patter_nb.errors import CarrierError

SID = re.compile(r"(AC|CA|MZ)[0-9a-f]{32}")

# Fields of each message from Twilio. A type stands for any value of it, anything else for itself.
FROM_TWILIO = {
    "connected": {"event": "connected", "protocol": "Call", "version": "1.0.0"},
    "start": {
        "event": "start",
        "sequenceNumber": str,
        "start": {
            "streamSid": str,
            "accountSid": str,
            "callSid": str,
            "tracks": ["inbound"],
            "customParameters": {"caller": str, "callee": str},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
        "streamSid": str,
    },
    "media": {
        "event": "media",
        "sequenceNumber": str,
        "media": {"track": "inbound", "chunk": str, "timestamp": str, "payload": str},
        "streamSid": str,
    },
    "stop": {"event": "stop", "sequenceNumber": str, "stop": {"accountSid": str, "callSid": str}, "streamSid": str},
    "dtmf": {"event": "dtmf", "streamSid": str, "sequenceNumber": str, "dtmf": {"track": "inbound_track", "digit": str}},
    "mark": {"event": "mark", "sequenceNumber": str, "streamSid": str, "mark": {"name": str}},
}


def _matches(message: object, shape: object) -> bool:
    if isinstance(shape, dict):
        return isinstance(message, dict) and set(message) == set(shape) and all(_matches(message[k], shape[k]) for k in shape)
    return isinstance(message, shape) if isinstance(shape, type) else message == shape


@pytest.fixture
def call(hold, line):
    async def behave(agent):
        await agent.at(0.5)
        await agent.mark("nothing queued")

    _, agent = hold(SimulatedCaller([line(0.5, keys="1#")], expects_greeting=False, no_reply_seconds=1.0), behave)
    return [message for _, message in agent.received]


def test_every_message_has_exactly_the_documented_fields(call):
    assert {message["event"] for message in call} == set(FROM_TWILIO)
    for message in call:
        assert _matches(message, FROM_TWILIO[message["event"]]), message


def test_connected_then_start_then_media_and_stop_last(call):
    events = [message["event"] for message in call]
    assert events[:3] == ["connected", "start", "media"]
    assert events[-1] == "stop"
    assert (events.count("connected"), events.count("start"), events.count("stop")) == (1, 1, 1)


def test_sequence_numbers_count_every_message_from_the_start_on(call):
    assert [message["sequenceNumber"] for message in call[1:]] == [str(number) for number in range(1, len(call))]


def test_chunks_count_from_one_and_timestamps_are_the_time_of_their_first_sample(call):
    media = [message["media"] for message in call if message["event"] == "media"]
    assert [frame["chunk"] for frame in media] == [str(number + 1) for number in range(len(media))]
    assert [frame["timestamp"] for frame in media] == [str(20 * number) for number in range(len(media))]
    assert {len(b64decode(frame["payload"], validate=True)) for frame in media} == {160}


def test_the_ids_have_twilios_form_and_are_the_same_throughout(call):
    start = call[1]["start"]
    assert [start["accountSid"][:2], start["callSid"][:2], start["streamSid"][:2]] == ["AC", "CA", "MZ"]
    assert all(SID.fullmatch(start[name]) for name in ("accountSid", "callSid", "streamSid"))
    assert {message["streamSid"] for message in call[1:]} == {start["streamSid"]}
    assert call[-1]["stop"] == {"accountSid": start["accountSid"], "callSid": start["callSid"]}


def test_no_two_calls_share_an_id():
    wires = [CarrierWire() for _ in range(50)]
    assert len({sid for wire in wires for sid in (wire.account_sid, wire.call_sid, wire.stream_sid)}) == 150


def test_parameters_of_the_call_come_with_the_start(hold, line):
    caller = SimulatedCaller(
        [line()],
        expects_greeting=False,
        no_reply_seconds=0.1,
        from_number="+15551112222",
        to_number="+15553334444",
        parameters={"token": "once"},
    )
    _, agent = hold(caller)
    assert agent.received[1][1]["start"]["customParameters"] == {
        "caller": "+15551112222",
        "callee": "+15553334444",
        "token": "once",
    }


def test_the_documented_orders_are_taken():
    wire = CarrierWire()
    stream = {"streamSid": wire.stream_sid}
    media = {"event": "media", **stream, "media": {"payload": b64encode(b"\xff\x7f").decode()}}
    assert wire.read(json.dumps(media)) == Media(b"\xff\x7f")
    assert wire.read(json.dumps({"event": "mark", **stream, "mark": {"name": "a"}})) == Mark("a")
    assert wire.read(json.dumps({"event": "clear", **stream})) == Clear()


REFUSED = [
    "no json",
    "[1]",
    "[" * 60_000,
    {"event": "speak", "streamSid": "S"},
    {"event": ["media"], "streamSid": "S"},
    {"streamSid": "S"},
    {"event": "clear"},
    {"event": "clear", "streamSid": "another"},
    {"event": "clear", "stream_id": "S"},
    {"event": "clear", "streamSid": "S", "reason": "barge-in"},
    {"event": "media", "streamSid": "S", "media": "//8="},
    {"event": "media", "streamSid": "S", "media": {"Payload": "//8="}},
    {"event": "media", "streamSid": "S", "media": {"payload": ""}},
    {"event": "media", "streamSid": "S", "media": {"payload": "ab!d"}},
    {"event": "media", "streamSid": "S", "media": {"payload": "//8=", "track": "outbound"}},
    {"event": "mark", "streamSid": "S", "mark": {"name": 5}},
    {"event": "mark", "streamSid": "S", "name": "m"},
]


@pytest.mark.parametrize("order", REFUSED, ids=str)
def test_what_a_carrier_would_refuse_is_refused(order):
    wire = CarrierWire()
    text = order if isinstance(order, str) else json.dumps(order).replace('"S"', json.dumps(wire.stream_sid))
    with pytest.raises(CarrierError, match="the agent sent"):
        wire.read(text)


def test_a_misspelled_field_ends_the_call_and_is_told(hold, line):
    async def behave(agent):
        await agent.at(0.3)
        await agent.post({"event": "media", "streamSid": agent.stream, "media": {"audio": "//8="}})

    with pytest.raises(CarrierError, match=r"'media.media' with the fields \['audio'\].*\['payload'\]"):
        hold(SimulatedCaller([line()], expects_greeting=True), behave)


def test_the_call_and_the_account_may_be_those_of_a_real_one():
    wire = CarrierWire(account_sid="AC1", call_sid="CA1")
    start, stop = json.loads(wire.start({}))["start"], json.loads(wire.stop())["stop"]
    assert (start["accountSid"], start["callSid"]) == (stop["accountSid"], stop["callSid"]) == ("AC1", "CA1")
