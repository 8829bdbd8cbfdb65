"""What was sent to the caller's ear, and how much of it has been heard.

`Ledger` is the pure part: it decides what may be sent at an instant, names the marks, and knows from the marks that came back
which audio played when. `Playout` moves bytes by it.

Audio is sent ahead of real time, so that a busy loop is not heard as a gap; how far ahead depends on whether the carrier can drop
it again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from patter_nb.audio.formats import AudioFormat
from patter_nb.audio.loudness import AudibleFinder
from patter_nb.carriers.base import CarrierMessage, SendAudio, SendClear, SendMark
from patter_nb.clock import LEAST_WAIT_SECONDS, Clock
from patter_nb.session.chains import Samples

LEAD_SECONDS = 3.0
"""How far ahead audio is sent to a carrier that has clear and mark: outlasts the stalls of notebook cells (a 2 s busy cell)."""

LEAD_WITHOUT_CLEAR_SECONDS = 0.2
"""How far ahead to a carrier that cannot drop audio: this much is still heard after a barge-in."""

MARK_SECONDS = 0.2
"""Audio between two marks: the grain of what is known to be heard."""


@dataclass(slots=True)
class _Piece:
    """Audio of one segment that waits to be sent."""

    reply: int
    segment: int
    audio: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class _Sent:
    """A mark in the carrier's buffer: the audio since the mark before, and where in segment and reply it ends (seconds)."""

    reply: int
    segment: int
    audio: bytes
    segment_seconds: float
    reply_seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """A mark came back: the segment's first `seconds` played, ending at `at` with this `audio`."""

    reply: int
    segment: int
    seconds: float
    reply_seconds: float
    audio: bytes
    at: float


class Ledger:
    """Pending, sent and heard audio of one call. Knows no clock and no carrier: instants are arguments."""

    def __init__(self, audio: AudioFormat, lead_seconds: float) -> None:
        self._audio = audio
        self._lead = lead_seconds
        self._pending: deque[_Piece] = deque()
        self._sent: dict[str, _Sent] = {}
        self._sent_until = 0.0
        self._marks = 0
        self._segment = (0, 0)
        self._segment_bytes = 0
        self._reply_bytes = 0
        self._unmarked = b""
        self.playing_since: float | None = None
        """When the audio of the oldest unreturned mark began to play, as far as marks tell."""

    def append(self, reply: int, segment: int, audio: bytes, *, last: bool = False) -> None:
        """Queue audio. `last` closes the segment with a mark, also when `audio` is empty."""
        self._pending.append(_Piece(reply, segment, audio, last))

    def due(self, now: float) -> list[CarrierMessage]:
        """The next messages to send, none while enough is ahead; at most one stretch up to the next mark."""
        # A timer may wake a rounding error early.
        if not self._pending or self._sent_until - self._lead > now + LEAST_WAIT_SECONDS:
            return []
        piece = self._pending[0]
        if (piece.reply, piece.segment) != self._segment:
            self._begin(piece)
        # The first mark stands after one frame: its return tells when the reply began to play.
        first = self._reply_bytes == 0
        room = self._audio.frame_bytes if first else self._bytes(MARK_SECONDS) - len(self._unmarked)
        chunk, piece.audio = piece.audio[:room], piece.audio[room:]
        done = not piece.audio
        if done:
            self._pending.popleft()
        messages: list[CarrierMessage] = [SendAudio(chunk)] if chunk else []
        self._unmarked += chunk
        self._segment_bytes += len(chunk)
        self._reply_bytes += len(chunk)
        self._sent_until = max(now, self._sent_until) + self._audio.seconds(len(chunk))
        if (done and piece.last) or (chunk and first) or len(self._unmarked) >= self._bytes(MARK_SECONDS):
            messages.append(self._mark())
        return messages

    @property
    def reply(self) -> int:
        """The reply whose audio was sent last."""
        return self._segment[0]

    def unplayed_seconds(self, now: float) -> float:
        """How much audio, sent or pending, the ear has still to get, if all goes as planned."""
        return max(0.0, self._sent_until - now) + sum(self._audio.seconds(len(piece.audio)) for piece in self._pending)

    def wait_until(self) -> float | None:
        """When more may be sent; None while nothing is pending."""
        return self._sent_until - self._lead if self._pending else None

    def reached(self, name: str, at: float) -> Heard | None:
        """The audio before a returned mark was heard. None for a mark that was cleared or is not ours."""
        sent = self._sent.pop(name, None)
        if sent is None:
            return None
        self.playing_since = at if self._sent else None
        return Heard(sent.reply, sent.segment, sent.segment_seconds, sent.reply_seconds, sent.audio, at)

    def clear(self) -> bytes:
        """Forget everything pending and sent: what comes back from now on proves nothing.

        Returns the sent audio not known to be heard.
        """
        unheard = b"".join(sent.audio for sent in self._sent.values()) + self._unmarked
        self._pending.clear()
        self._sent.clear()
        self._unmarked = b""
        self._sent_until = 0.0
        self._segment = (0, 0)
        self.playing_since = None
        return unheard

    def _begin(self, piece: _Piece) -> None:
        if piece.reply != self._segment[0]:
            self._reply_bytes = 0
        self._segment = (piece.reply, piece.segment)
        self._segment_bytes = 0

    def _mark(self) -> SendMark:
        self._marks += 1
        reply, segment = self._segment
        name = f"r{reply}.s{segment}.{self._marks}"
        seconds = self._audio.seconds
        self._sent[name] = _Sent(reply, segment, self._unmarked, seconds(self._segment_bytes), seconds(self._reply_bytes))
        self._unmarked = b""
        return SendMark(name)

    def _bytes(self, seconds: float) -> int:
        return int(seconds * self._audio.hz) * self._audio.sample_bytes


class Playout:
    """Sends a call's outbound audio by its ledger, and tells when the first audible sample of a reply played.

    `send` hands one message to the carrier; `mix` puts a background of equal length under the agent's audio; `on_heard` and
    `on_instant(reply, name, at)` are told what marks prove.
    """

    def __init__(
        self,
        *,
        audio: AudioFormat,
        clears: bool,
        clock: Clock,
        send: Callable[[CarrierMessage], object],
        decode: Callable[[bytes], Samples],
        mix: Callable[[bytes], bytes] | None = None,
        on_heard: Callable[[Heard], None],
        on_instant: Callable[[int, str, float], None],
    ) -> None:
        self._audio = audio
        self._clock = clock
        self._send = send
        self._decode = decode
        self._mix = mix
        self._on_heard = on_heard
        self._on_instant = on_instant
        self._ledger = Ledger(audio, LEAD_SECONDS if clears else LEAD_WITHOUT_CLEAR_SECONDS)
        self._more = asyncio.Event()
        self._finder: AudibleFinder | None = None
        self._reply = 0
        self._audible: float | None = None
        self._sent_reply = 0
        self._played_reply = 0

    def append(self, reply: int, segment: int, audio: bytes, *, last: bool = False) -> None:
        """Queue audio in the carrier's format for the ear; `last` says the segment is complete."""
        if reply != self._reply:
            self._reply, self._audible, self._finder = reply, None, AudibleFinder(self._audio.hz)
            self._on_instant(reply, "send_started_at", self._clock.now())
        if self._finder is not None and audio:
            self._audible = self._finder.feed(self._decode(audio))
            if self._audible is not None:
                self._finder = None
        if self._mix is not None and audio and reply:
            audio = self._mix(audio)  # after the search for the voice, which the background is not
        self._ledger.append(reply, segment, audio, last=last)
        self._send_due()
        self._more.set()

    async def room(self) -> None:
        """Wait until so little is left to play that more should be made; what is made sooner is wasted by a clear."""
        while (excess := self._ledger.unplayed_seconds(self._clock.now()) - LEAD_SECONDS) > 0:
            await self._clock.sleep_until(self._clock.now() + excess)

    def clear(self) -> tuple[bytes, float | None]:
        """Stop: drop what is pending and order the carrier to drop what it has.

        Returns the sent audio not known to be heard, and since when its first sample has been playing.
        """
        since = self._ledger.playing_since
        unheard = self._ledger.clear()
        self._send(SendClear())
        return unheard, since

    def mark(self, name: str, at: float) -> None:
        """A mark came back from the carrier; it was sent back at `at`."""
        heard = self._ledger.reached(name, at)
        if heard is None:
            return
        if heard.reply != self._played_reply and heard.reply_seconds > 0:
            self._played_reply = heard.reply
            self._on_instant(heard.reply, "played_at", heard.at - heard.reply_seconds)
        if heard.reply == self._reply and self._audible is not None and heard.reply_seconds > self._audible:
            self._on_instant(heard.reply, "audible_at", heard.at - heard.reply_seconds + self._audible)
            self._audible = None
        self._on_heard(heard)

    async def run(self) -> None:
        """Send, for ever, what was too far ahead when it was queued."""
        while True:
            self._send_due()
            at = self._ledger.wait_until()
            self._more.clear()
            if at is None:
                await self._more.wait()
                continue
            with contextlib.suppress(TimeoutError):
                # Never shorter than a clock's rounding error: a wait that does not move the clock on would be asked for for ever.
                async with asyncio.timeout(max(at - self._clock.now(), LEAST_WAIT_SECONDS)):
                    await self._more.wait()

    def _send_due(self) -> None:
        while messages := self._ledger.due(self._clock.now()):
            if self._sent_reply != self._ledger.reply:
                self._sent_reply = self._ledger.reply
                self._on_instant(self._sent_reply, "sent_at", self._clock.now())
            for message in messages:
                self._send(message)
