"""The carrier's messages, each told to whom it concerns."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.session.reception import MOST_TOLD, Reception

START = {
    "streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound"],
    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
}  # fmt: skip
AUDIO = {"event": "media", "streamSid": "MZ1", "media": {"track": "inbound", "timestamp": "20", "payload": "AAAA"}}
MESSAGES: list[Any] = [
    {"event": "connected"},
    AUDIO,
    {"event": "start", "streamSid": "MZ1", "start": START},
    AUDIO,
    "no JSON",
    {"event": "start", "streamSid": "MZ1", "start": START},
    {"event": "mark", "streamSid": "MZ1", "mark": {"name": "r1"}},
    {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "7"}},
    {"event": "stop", "streamSid": "MZ1", "stop": {}},
]


def test_each_event_is_told_once_and_a_malformed_message_loses_itself(virtual: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    told: list[tuple[Any, ...]] = []

    def note(kind: str, *what: Any) -> None:
        told.append((kind, *what) if kind != "failed" else (kind, what[0].partition(":")[0]))

    async def main() -> None:
        near, far = connection_pair()
        kinds = ("started", "audio", "mark", "key", "stopped", "failed")
        reception = Reception(near, TwilioMediaCodec(), **{kind: partial(note, kind) for kind in kinds})
        for message in MESSAGES:
            await far.send(message if isinstance(message, str) else json.dumps(message))
        await far.close()
        await reception.run()

    virtual(main())
    assert told == [
        ("failed", "Twilio sent 'media' before the start of the stream"),
        ("started",),
        ("audio", b"\0\0\0", 20.0),
        ("failed", "a message from Twilio is not JSON"),
        ("failed", "Twilio sent a second start message on one stream"),
        ("mark", "r1"),
        ("key", "7"),
        ("stopped",),
    ]


def test_of_many_malformed_messages_the_first_are_told(virtual: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    told: list[str] = []

    async def main() -> None:
        near, far = connection_pair()
        nobody = dict.fromkeys(("started", "audio", "mark", "key", "stopped"), lambda *_: None)
        reception = Reception(near, TwilioMediaCodec(), failed=told.append, **nobody)
        for _ in range(3 * MOST_TOLD):
            await far.send("no JSON")
        await far.close()
        await reception.run()

    virtual(main())
    assert len(told) == MOST_TOLD
