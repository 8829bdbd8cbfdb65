"""The far end's own ear: where speech and sound lie in 8 kHz samples. It shares no code with what it is a witness for.

Levels are decided in blocks of 10 ms by their root mean square; within the first and the last block of a stretch the bound is the
sample that reaches the level, so bounds are finer than blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patter_nb.audio.samples import Samples

HZ = 8000
BLOCK = HZ // 100
"""Samples of a block: 10 ms."""

_SPEECH_RATIO = 10 ** (-40 / 20)
"""A block belongs to the speech from -40 dB on, relative to the loudest block of the utterance."""
_NO_SPEECH = 32768 * 10 ** (-70 / 20)
"""An utterance whose loudest block is quieter (-70 dBFS) holds no speech."""
AUDIBLE = 32768 * 10 ** (-50 / 20)
"""A block is audible from -50 dBFS on."""
PAUSE = int(0.4 * HZ)
"""Silence that parts two stretches of talk: what a caller waits by default before speaking."""


def speech_bounds(samples: Samples) -> tuple[int, int] | None:
    """The first sample of speech in an utterance and the one after its last; None when there is no speech."""
    levels = [_rms(samples[start : start + BLOCK]) for start in range(0, len(samples), BLOCK)]
    loudest = max(levels, default=0.0)
    if loudest < _NO_SPEECH:
        return None
    level = loudest * _SPEECH_RATIO
    spoken = [number for number, block in enumerate(levels) if block >= level]
    first, last = spoken[0] * BLOCK, spoken[-1] * BLOCK
    return first + _reaching(samples[first : first + BLOCK], level)[0], last + _reaching(samples[last : last + BLOCK], level)[1]


@dataclass(slots=True)
class Talk:
    """A stretch of audible sound, its pauses shorter than `PAUSE`: from sample `start` to before `end`."""

    start: int
    end: int
    cut: bool = False
    """Whether a clear ended it, so that whatever follows is another stretch."""


class Ear:
    """Hears the agent block by block and keeps its stretches of talk, oldest first."""

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self._heard_until = 0

    def listen(self, played: Samples, until: int) -> None:
        """Hear what was played before sample `until`. `played` is the whole record from sample 0; past its end all is silent."""
        while self._heard_until < min(until, len(played)):
            end = min(until, self._heard_until - self._heard_until % BLOCK + BLOCK)
            self._block(self._heard_until, played[self._heard_until : end])
            self._heard_until = end
        self._heard_until = max(self._heard_until, until)

    def cut(self, played: Samples, at: int) -> None:
        """What played until sample `at` was cleared there."""
        self.listen(played, at)
        if self.talks and at - self.talks[-1].end < PAUSE:
            self.talks[-1].cut = True

    def _block(self, start: int, samples: Samples) -> None:
        if _rms(samples) < AUDIBLE:
            return
        first, last = _reaching(samples, AUDIBLE)
        talk = self.talks[-1] if self.talks else None
        if talk is None or talk.cut or start + first - talk.end >= PAUSE:
            self.talks.append(Talk(start + first, start + last))
        else:
            talk.end = start + last


def reply_to(talks: Sequence[Talk], onset: int, end: int) -> Talk | None:
    """The first stretch that answers an utterance which lasted from sample `onset` to `end`.

    It began after the utterance did and was heard after it. One that began during the utterance and was cleared is none: the
    agent took it back.
    """
    for talk in talks:
        if talk.start > onset and talk.end > end and not (talk.cut and talk.start < end):
            return talk
    return None


def _rms(samples: Samples) -> float:
    wide = samples.astype(np.float64)
    return float(np.sqrt(wide @ wide / len(wide)))


def _reaching(samples: Samples, level: float) -> tuple[int, int]:
    """The first sample as loud as `level`, and the one after the last. There is one wherever the RMS is as loud."""
    loud = np.flatnonzero(np.abs(samples.astype(np.float64)) >= level - 1e-6)
    return int(loud[0]), int(loud[-1]) + 1
