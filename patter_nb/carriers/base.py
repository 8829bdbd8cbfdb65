"""What every carrier's media stream means, whatever its wire looks like.

A codec is pure: text in, events out; messages in, text out. It never awaits and never opens anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from patter_nb.audio.formats import AudioFormat


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The carrier opened the media stream of an answered call."""

    stream_id: str
    call_id: str
    audio: AudioFormat
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """Audio of the caller. `at_ms` counts from the start of the stream, by the carrier's clock."""

    audio: bytes
    at_ms: float


@dataclass(frozen=True, slots=True)
class MarkPlayed:
    """The carrier played everything that was sent before this mark (or dropped it, after a clear)."""

    name: str


@dataclass(frozen=True, slots=True)
class DtmfPressed:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The carrier closed the media stream: the call is over."""


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Audio for the caller's ear, played after all that was sent before."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    """A bookmark that comes back when everything sent before it has played."""

    name: str


@dataclass(frozen=True, slots=True)
class SendClear:
    """Drop what was sent and has not played; the marks in it come back at once."""


CarrierEvent = StreamStarted | AudioReceived | MarkPlayed | DtmfPressed | StreamStopped
CarrierMessage = SendAudio | SendMark | SendClear


class MediaCodec(Protocol):
    """Translates one stream of one carrier."""

    audio: AudioFormat
    """What the carrier plays and sends."""
    clears: bool
    """Whether it can drop buffered audio, so that audio may be sent far ahead."""

    def decode(self, text: str) -> list[CarrierEvent]:
        """The events of one received message; none for kinds that mean nothing to us; `CarrierError` for malformed ones."""

    def encode(self, message: CarrierMessage) -> list[str]:
        """The texts to send for one message."""


class CallLine(Protocol):
    """What a carrier does with one call beside carrying its audio. Each raises `CarrierError` when it is refused, and the call
    goes on as it was."""

    async def transfer(self, number: str) -> None:
        """Hand the call to `number`. The media stream ends when the carrier has taken it away."""

    async def warm_transfer(self, number: str, summary: str, answered: Callable[[], Awaitable[None]]) -> None:
        """Call `number`, tell whoever answers the summary, and join the two. Until somebody answers, the caller stays with the
        agent; `answered` is awaited then, before the caller is taken away. Raises when nobody does."""

    async def hang_up(self) -> None:
        """End the call at the carrier, also one that still rings. Harmless when it is over."""


class Connection(Protocol):
    """The socket of a call's media stream, or what stands for it."""

    async def receive(self) -> str | None:
        """The next message; None when the other side has closed."""

    async def send(self, text: str) -> None:
        """Hand a message over. After the other side has closed it does nothing."""

    async def close(self) -> None:
        """Hang up. Harmless when already closed."""
