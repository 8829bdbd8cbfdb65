"""The carrier's side of Twilio Media Streams, written from Twilio's documentation. It shares no code with our codec, so that a
field which is misspelled there is refused here.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patter_nb.errors import CarrierError


@dataclass(frozen=True, slots=True)
class Media:
    """µ-law audio to play."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A name to send back when the audio before it has played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop what has not played."""


Order = Media | Mark | Clear

_SHAPES: dict[str, dict[str, Any]] = {
    "media": {"event": str, "streamSid": str, "media": {"payload": str}},
    "mark": {"event": str, "streamSid": str, "mark": {"name": str}},
    "clear": {"event": str, "streamSid": str},
}
"""What may be sent to Twilio on a bidirectional stream: exactly these fields."""


class CarrierWire:
    """Builds the messages of one stream and reads those that come back. Sequence numbers count all messages from the start on."""

    def __init__(self, *, account_sid: str = "", call_sid: str = "") -> None:
        self.account_sid = account_sid or f"AC{uuid.uuid4().hex}"
        self.call_sid = call_sid or f"CA{uuid.uuid4().hex}"
        self.stream_sid = f"MZ{uuid.uuid4().hex}"
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> str:
        return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, parameters: Mapping[str, str]) -> str:
        return self._message(
            "start",
            {
                "accountSid": self.account_sid,
                "streamSid": self.stream_sid,
                "callSid": self.call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
        )

    def media(self, payload: bytes, timestamp_ms: int) -> str:
        """A frame of the caller; its first sample stands at `timestamp_ms` of the stream."""
        self._chunk += 1
        audio = b64encode(payload).decode()
        media = f'{{"track":"inbound","chunk":"{self._chunk}","timestamp":"{timestamp_ms}","payload":"{audio}"}}'
        return f'{{"event":"media","sequenceNumber":"{self._count()}","media":{media},"streamSid":"{self.stream_sid}"}}'

    def mark(self, name: str) -> str:
        return self._message("mark", {"name": name})

    def dtmf(self, digit: str) -> str:
        return self._message("dtmf", {"track": "inbound_track", "digit": digit})

    def stop(self) -> str:
        return self._message("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def read(self, text: str) -> Order:
        """What the agent's side ordered. `CarrierError` for what Twilio would refuse, and for a field it does not know."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CarrierError(f"the agent sent the carrier something that is not JSON: {error}") from error
        event = message.get("event") if isinstance(message, dict) else None
        if not isinstance(event, str) or event not in _SHAPES:
            raise CarrierError(f"the agent sent the carrier the event {event!r}; it takes media, mark and clear")
        _require(message, _SHAPES[event], event)
        if message["streamSid"] != self.stream_sid:
            raise CarrierError(f"the agent sent {event!r} to the stream {message['streamSid']!r}, which is not this call's")
        if event == "media":
            return Media(_audio(message["media"]["payload"]))
        if event == "mark":
            return Mark(message["mark"]["name"])
        return Clear()

    def _message(self, event: str, body: Mapping[str, Any]) -> str:
        return json.dumps({"event": event, "sequenceNumber": str(self._count()), event: body, "streamSid": self.stream_sid})

    def _count(self) -> int:
        self._sequence += 1
        return self._sequence


def _require(message: Mapping[str, Any], shape: Mapping[str, Any], where: str) -> None:
    if set(message) != set(shape):
        raise CarrierError(f"the agent sent {where!r} with the fields {sorted(message)}; the carrier takes {sorted(shape)}")
    for name, inner in shape.items():
        value = message[name]
        if isinstance(inner, dict):
            if not isinstance(value, dict):
                raise CarrierError(f"the agent sent {where}.{name} that is no object")
            _require(value, inner, f"{where}.{name}")
        elif not isinstance(value, str) or not value:
            raise CarrierError(f"the agent sent {where}.{name} that is no text")


def _audio(payload: str) -> bytes:
    try:
        return b64decode(payload, validate=True)
    except ValueError as error:
        raise CarrierError(f"the agent sent media.payload that is not base64: {error}") from error
