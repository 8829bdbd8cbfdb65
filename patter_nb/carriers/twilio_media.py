"""Twilio Media Streams, bidirectional: the JSON of one stream, after Twilio's page "Media Streams - WebSocket Messages".

Twilio sends `connected`, `start`, then `media` every 20 ms, `mark` when the audio before a mark has played (or was cleared),
`dtmf`, and `stop`. It takes `media`, `mark` and `clear`, which name the stream. Numbers arrive as strings. A bidirectional stream
carries the caller's track only; anything else is left out. Parameters may hold numbers and tokens, so no error shows them.
"""

from __future__ import annotations

import json
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any

from patter_nb.audio.formats import MULAW_8K, AudioFormat
from patter_nb.carriers.base import (
    AudioReceived,
    CarrierEvent,
    CarrierMessage,
    DtmfPressed,
    MarkPlayed,
    SendAudio,
    SendMark,
    StreamStarted,
    StreamStopped,
)
from patter_nb.errors import CarrierError

MAX_MESSAGE_CHARACTERS = 65_536
"""Longest message taken. A media message has some 400 characters; a start message grows with its parameters, 500 each at most."""

_KEYS = frozenset("0123456789*#ABCD")
_MEDIA_FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
_TIMESTAMP_DIGITS = 15
_SHOWN_CHARACTERS = 60


class TwilioMediaCodec:
    """Translates one Media Stream. Make a new one for each; `carriers.base.MediaCodec` says what the methods promise."""

    audio: AudioFormat = MULAW_8K
    clears: bool = True

    def __init__(self) -> None:
        self._stream_id = ""
        self._media_head = ""

    def decode(self, text: str) -> list[CarrierEvent]:
        """The events of one received message; `CarrierError` when it is malformed, out of order or of another stream."""
        message = _object(text)
        event = message.get("event")
        if event == "media":
            return self._media(message)
        if event == "start":
            return [self._start(message)]
        if event not in ("mark", "dtmf", "stop"):
            if isinstance(event, str):
                return []
            raise CarrierError(f"a message from Twilio has no event name: {_shown(event)}")
        self._expect_this_stream(message, event)
        if event == "mark":
            return [MarkPlayed(_text(_inner(message, "mark"), "name", "mark"))]
        if event == "dtmf":
            return _dtmf(_inner(message, "dtmf"))
        return [StreamStopped()]

    def encode(self, message: CarrierMessage) -> list[str]:
        """The texts to send; none for empty audio. `CarrierError` before the stream's start, which gives it its name."""
        if not self._stream_id:
            raise CarrierError("nothing can be sent to Twilio before its start message has named the stream")
        if isinstance(message, SendAudio):
            return [f'{self._media_head}{b64encode(message.audio).decode()}"}}}}'] if message.audio else []
        if isinstance(message, SendMark):
            return [json.dumps({"event": "mark", "streamSid": self._stream_id, "mark": {"name": message.name}})]
        return [json.dumps({"event": "clear", "streamSid": self._stream_id})]

    def _media(self, message: Mapping[str, Any]) -> list[CarrierEvent]:
        self._expect_this_stream(message, "media")
        media = _inner(message, "media")
        if media.get("track") != "inbound":
            return []
        timestamp = _text(media, "timestamp", "media")
        if len(timestamp) > _TIMESTAMP_DIGITS or not (timestamp.isascii() and timestamp.isdecimal()):
            raise CarrierError(f"media.timestamp from Twilio must be milliseconds in decimal digits, not {_shown(timestamp)}")
        try:
            audio = a2b_base64(_text(media, "payload", "media"), strict_mode=True)
        except (Base64Error, ValueError) as error:
            raise CarrierError(f"media.payload from Twilio is not base64: {error}") from error
        return [AudioReceived(audio, float(timestamp))]

    def _start(self, message: Mapping[str, Any]) -> StreamStarted:
        if self._stream_id:
            raise CarrierError("Twilio sent a second start message on one stream")
        start = _inner(message, "start")
        stream_id, call_id = _text(start, "streamSid", "start"), _text(start, "callSid", "start")
        form = _inner(start, "mediaFormat")
        for name, value in _MEDIA_FORMAT.items():
            if form.get(name) != value:
                raise CarrierError(f"start.mediaFormat.{name} from Twilio must be {value!r}, not {_shown(form.get(name))}")
        tracks = start.get("tracks")
        if not isinstance(tracks, list) or "inbound" not in tracks:
            raise CarrierError(f"start.tracks from Twilio must hold 'inbound', which is the caller, not {_shown(tracks)}")
        parameters = start.get("customParameters", {})
        if not isinstance(parameters, dict) or not all(isinstance(value, str) for value in parameters.values()):
            raise CarrierError("start.customParameters from Twilio must be an object whose values are texts")
        self._stream_id = stream_id
        self._media_head = f'{{"event":"media","streamSid":{json.dumps(stream_id)},"media":{{"payload":"'
        return StreamStarted(stream_id, call_id, MULAW_8K, parameters)

    def _expect_this_stream(self, message: Mapping[str, Any], event: str) -> None:
        if not self._stream_id:
            raise CarrierError(f"Twilio sent {event!r} before the start of the stream")
        if message.get("streamSid") != self._stream_id:
            raise CarrierError(f"{event!r} from Twilio belongs to the stream {_shown(message.get('streamSid'))}, not to this one")


def _object(text: str) -> dict[str, Any]:
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise CarrierError(f"a message from Twilio has {len(text)} characters; the most taken is {MAX_MESSAGE_CHARACTERS}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:  # the latter from deep nesting
        raise CarrierError(f"a message from Twilio is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise CarrierError(f"a message from Twilio must be a JSON object, not {_shown(message)}")
    return message


def _inner(message: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = message.get(name)
    if not isinstance(inner, dict):
        raise CarrierError(f"{name!r} in a message from Twilio must be an object, not {_shown(inner)}")
    return inner


def _text(inner: Mapping[str, Any], name: str, event: str) -> str:
    text = inner.get(name)
    if not isinstance(text, str) or not text:
        raise CarrierError(f"{event}.{name} from Twilio must be a text, not {_shown(text)}")
    return text


def _dtmf(dtmf: Mapping[str, Any]) -> list[CarrierEvent]:
    if dtmf.get("track") != "inbound_track":
        return []
    digit = _text(dtmf, "digit", "dtmf")
    if digit not in _KEYS:
        raise CarrierError(f"dtmf.digit from Twilio must be a key of a telephone, not {_shown(digit)}")
    return [DtmfPressed(digit)]


def _shown(value: object) -> str:
    """What was given, short enough for a sentence. Objects and lists, of any depth, by their type alone."""
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
