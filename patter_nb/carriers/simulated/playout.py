"""What the far end plays to its ear, by sample position of its own clock: 8000 samples a second, 0 at the start of the stream.

Audio plays from the instant it arrives, or from the end of what is queued: there is no jitter buffer. A mark falls due at the
sample after the audio queued before it. Pure: instants are arguments.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from patter_nb.audio.samples import Samples
from patter_nb.carriers.simulated.hearing import HZ, PAUSE
from patter_nb.errors import CarrierError

MAX_QUEUED_SECONDS = 600.0
"""Audio that may wait to be played. Twilio documents no bound; more than a whole call is a mistake."""


@dataclass(frozen=True, slots=True)
class Dry:
    """Silence between two pieces of audio because nothing was queued: from sample `start` to before `end`."""

    start: int
    end: int
    after_mark: bool
    """Whether a mark stood at its start, as at the end of a segment."""

    @property
    def is_underrun(self) -> bool:
        """False for a silence that may well be meant: after a mark and as long as what parts two stretches of talk."""
        return not self.after_mark or self.end - self.start < PAUSE


class Playout:
    """The queue of a line, and the record of what came out of it."""

    def __init__(self) -> None:
        self._record = np.zeros(30 * HZ, np.int16)
        self._ends = 0
        self._cleared = False
        self._marked = -1
        self.marks: deque[tuple[int, str]] = deque()
        """The marks that are due: sample position and name, in order."""
        self.dry: list[Dry] = []
        """Those of the whole call, except what followed a clear."""

    @property
    def played(self) -> Samples:
        """The record from sample 0 to the end of the queue, so its last part may lie in the future. A view, to be read only."""
        return self._record[: self._ends]

    def play(self, samples: Samples, now: int) -> None:
        """Queue audio that arrived at sample `now`. `CarrierError` when more than `MAX_QUEUED_SECONDS` would wait."""
        start = max(self._ends, now)
        end = start + len(samples)
        if end - now > MAX_QUEUED_SECONDS * HZ:
            raise CarrierError(f"the agent sent more than {MAX_QUEUED_SECONDS:.0f} s of audio ahead: send it in pieces")
        if start > self._ends > 0 and not self._cleared:
            self.dry.append(Dry(self._ends, start, self._marked == self._ends))
        self._reserve(end)
        self._record[start:end] = samples
        self._ends, self._cleared = end, False

    def mark(self, name: str, now: int) -> None:
        """A mark that arrived at sample `now`."""
        if self._ends:
            self._marked = self._ends
        self.marks.append((max(self._ends, now), name))

    def clear(self, now: int) -> list[str]:
        """Drop what has not played at sample `now`. Returns the names of the marks still due: they come back at once."""
        if self._ends > now:
            self._record[now : self._ends] = 0
            self._ends = now
        self._cleared = True
        names = [name for _, name in self.marks]
        self.marks.clear()
        return names

    def heard(self, until: int) -> Samples:
        """What was played from sample 0 to `until`: a copy with zeros where nothing was queued."""
        heard = np.zeros(until, np.int16)
        size = min(until, self._ends)
        heard[:size] = self._record[:size]
        return heard

    def _reserve(self, size: int) -> None:
        if size > len(self._record):
            record = np.zeros(max(size, 2 * len(self._record)), np.int16)
            record[: self._ends] = self.played
            self._record = record
