"""One page, or one view of a widget, on which a softphone is shown; and the ways on which it is reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

CARRIER_EVENTS = frozenset({"connected", "start", "media", "mark", "dtmf", "stop"})
"""Messages of the media stream. All others are about the softphone itself."""

MOST_HANDSETS = 16
"""Pages and views of one softphone."""


class Channel(Protocol):
    """A way to one handset. Used on the softphone's loop only."""

    def send(self, text: str) -> None:
        """Hand over one message. Nothing happens once it is closed."""

    def close(self) -> None:
        """Close it. Harmless twice."""


class Handset:
    """`control` carries what is said about the softphone, `audio` the media stream; a page has one socket for both."""

    def __init__(self, number: str, control: Channel | None = None, audio: Channel | None = None) -> None:
        self.id = number
        self.control = control
        self.audio = audio
        self.listens = False
        """Whether it wants to hear the call that is shown."""

    def tell(self, event: str, data: Mapping[str, Any] | None = None) -> None:
        """Say something about the softphone."""
        channel = self.control or self.audio
        if channel is not None:
            channel.send(json.dumps({"event": event, **(data or {})}))

    def play(self, text: str) -> None:
        """Send a message of the media stream, or audio to listen to."""
        channel = self.audio or self.control
        if channel is not None:
            channel.send(text)

    def answers_on(self, channel: Channel) -> bool:
        return channel is self.control or channel is self.audio

    def lose(self, channel: Channel) -> bool:
        """That way is gone. Returns whether the media stream went with it."""
        lost = channel is self.audio or (self.audio is None and channel is self.control)
        self.audio = None if channel is self.audio else self.audio
        self.control = None if channel is self.control else self.control
        return lost

    @property
    def gone(self) -> bool:
        return self.control is None and self.audio is None


def read(text: str) -> tuple[str, dict[str, Any]] | None:
    """The event of a message and the message; of the media stream only its event. None for what is no message."""
    if text.startswith('{"event":"media"'):  # fifty times a second, and read by the codec anyway
        return "media", {}
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("event"), str):
        return None
    return message["event"], message


def word(message: Mapping[str, Any], name: str, most: int = 64) -> str:
    """A short text of a message; "" where it is none."""
    value = message.get(name)
    return value if isinstance(value, str) and len(value) <= most else ""
