"""What the far end reports of a call: what it heard and said, on its own clock. Seconds count from the start of the stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal

import numpy as np

from patter_nb.audio.samples import Samples
from patter_nb.carriers.simulated.hearing import HZ, Talk, reply_to
from patter_nb.carriers.simulated.lines import LineAudio
from patter_nb.carriers.simulated.playout import Playout
from patter_nb.carriers.simulated.script import Script, Spoken

EndedBy = Literal["caller", "agent", "limit", "carrier"]
"""The carrier ends a stream when it is told to do something else with the call."""
EventKind = Literal["no_reply", "no_greeting", "too_long", "key_pressed"]


@dataclass(frozen=True, slots=True)
class HeardReply:
    """What the agent said to a line: from the first to after the last audible sample (10 ms blocks of at least -50 dBFS)."""

    start_at: float
    end_at: float
    underrun_ms: float
    """Silence inside it because nothing was queued to play; not the silence after a mark that lasts 0.4 s or more."""
    cleared: bool
    """Whether its end was a clear."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A line of the caller and what was heard in return."""

    line: int
    """Number of the line, from 0."""
    text: str
    started_at: float
    """The line's first sample, which may be silence."""
    onset_at: float | None
    """The first sample of speech: of 10 ms blocks at least -40 dB relative to the loudest. None when there is none."""
    last_speech_at: float | None
    """The end of the last sample of speech."""
    ended_at: float
    """The end of the line, keys included."""
    reply: HeardReply | None
    """The first talk of the agent that began after the onset and was heard after the end of speech; None when there was none."""
    stopped_at: float | None
    """Where the agent was talking at the onset: the end of the last audible sample of that talk. Otherwise None."""

    @property
    def gap_seconds(self) -> float | None:
        """From the caller's last speech to the reply's first audible sample; negative when the agent did not wait for the end."""
        if self.reply is None or self.last_speech_at is None:
            return None
        return self.reply.start_at - self.last_speech_at

    @property
    def barge_in_stop_seconds(self) -> float | None:
        """From the onset of a barge-in to the end of the last audible sample of the talk it interrupted."""
        if self.stopped_at is None or self.onset_at is None:
            return None
        return self.stopped_at - self.onset_at


@dataclass(frozen=True, slots=True)
class MarkEcho:
    """A mark as it was sent back."""

    name: str
    at: float
    cleared: bool
    """Sent back because of a clear, not because the audio before it had played."""


@dataclass(frozen=True, slots=True)
class FarEndEvent:
    """Something out of the ordinary. `line` is the line it belongs to, None for the call."""

    kind: EventKind
    at: float
    line: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FarEndReport:
    """The witness of a call."""

    heard: Samples = field(repr=False)
    """The agent as it was played, silence where nothing was: int16, 8 kHz, shape (n,)."""
    spoken: Samples = field(repr=False)
    """The caller as it was sent, noise included and after µ-law: int16, 8 kHz, as long as `heard`, same positions."""
    greeting: HeardReply | None
    exchanges: tuple[Exchange, ...]
    marks: tuple[MarkEcho, ...]
    clears: tuple[float, ...]
    events: tuple[FarEndEvent, ...]
    ended_by: EndedBy
    duration_seconds: float
    frames_sent: int
    late_seconds: float
    """How late its worst 20 ms tick was: an error bound of every instant here that depends on when something arrived."""
    zero_loop_seconds: float
    """The event loop's time (on CPython `time.monotonic()`) at second 0."""
    dry: tuple[tuple[float, float], ...] = ()
    """Each silence between two pieces of audio because nothing was queued, from when to when; not what followed a clear."""
    hz: int = HZ

    @property
    def stereo(self) -> Samples:
        """Caller left, agent right: int16, shape (n, 2)."""
        return np.stack((self.spoken, self.heard), axis=1)


def exchanges(lines: list[LineAudio], script: Script, talks: list[Talk], playout: Playout) -> tuple[Exchange, ...]:
    """Each line that was begun, with what was heard until the next one."""
    until = [spoken.onset for spoken in script.spoken[1:]]
    return tuple(
        _exchange(lines[spoken.number], spoken, _before(talks, next_onset), playout)
        for spoken, next_onset in zip_longest(script.spoken, until)
    )


def greeting(script: Script, talks: list[Talk], playout: Playout) -> HeardReply | None:
    """What the agent said before the first line."""
    before = _before(talks, script.spoken[0].onset if script.spoken else None)
    return _heard(before, playout) if before else None


def _exchange(audio: LineAudio, spoken: Spoken, talks: list[Talk], playout: Playout) -> Exchange:
    reply = reply_to(talks, spoken.onset, spoken.last)
    over = next((talk for talk in talks if talk.start <= spoken.onset < talk.end), None)
    has_speech = audio.speech is not None
    return Exchange(
        line=spoken.number,
        text=audio.line.text,
        started_at=spoken.start / HZ,
        onset_at=spoken.onset / HZ if has_speech else None,
        last_speech_at=spoken.last / HZ if has_speech else None,
        ended_at=spoken.end / HZ,
        reply=_heard([talk for talk in talks if talk.start >= reply.start], playout) if reply else None,
        stopped_at=over.end / HZ if over and has_speech else None,
    )


def _before(talks: list[Talk], until: int | None) -> list[Talk]:
    return [talk for talk in talks if until is None or talk.start <= until]


def _heard(talks: list[Talk], playout: Playout) -> HeardReply:
    start, end = talks[0].start, talks[-1].end
    dry = sum(max(0, min(end, gap.end) - max(start, gap.start)) for gap in playout.dry if gap.is_underrun)
    return HeardReply(start / HZ, end / HZ, dry / HZ * 1000, talks[-1].cut)
