"""Messages of the carrier on their way in."""

from __future__ import annotations

from collections.abc import Callable

from patter_nb.carriers.base import (
    AudioReceived,
    CarrierEvent,
    Connection,
    DtmfPressed,
    MarkPlayed,
    MediaCodec,
    StreamStarted,
    StreamStopped,
)
from patter_nb.errors import CarrierError

MOST_TOLD = 100
"""Malformed messages of a call that are told of: a carrier that sends more has one fault, not thousands."""


class Reception:
    """Reads the line, and tells each event to whom it concerns. Audio that comes before the stream's start is nobody's."""

    def __init__(
        self,
        connection: Connection,
        codec: MediaCodec,
        *,
        started: Callable[[], None],
        audio: Callable[[bytes, float], None],
        mark: Callable[[str], None],
        key: Callable[[str], None],
        stopped: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._codec = codec
        self._started = started
        self._audio = audio
        self._mark = mark
        self._key = key
        self._stopped = stopped
        self._failed = failed
        self._open = False
        self._malformed = 0

    async def run(self) -> None:
        """Read until the other side has closed."""
        while (text := await self._connection.receive()) is not None:
            try:
                events = self._codec.decode(text)
            except CarrierError as error:
                # One malformed message loses itself, never the call.
                self._malformed += 1
                if self._malformed <= MOST_TOLD:
                    self._failed(str(error))
                continue
            for event in events:
                self._tell(event)

    def _tell(self, event: CarrierEvent) -> None:
        match event:
            case AudioReceived(audio, at_ms):
                if self._open:
                    self._audio(audio, at_ms)
            case MarkPlayed(name):
                self._mark(name)
            case StreamStarted():
                if not self._open:
                    self._open = True
                    self._started()
            case DtmfPressed(digit):
                self._key(digit)
            case StreamStopped():
                self._stopped()
