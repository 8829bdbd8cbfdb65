"""Where speech begins and ends, to a block of 10 ms, once a voice model has said roughly where.

A model of voice activity runs late at both ends: it wants to be sure. Over 191 telephone prompts in quiet, the Silero model's
last window above 0.2 ended 80 ms after the last block of speech (median; 90 %: 124 ms, worst 256 ms), and its first window
above 0.4 began 18 ms after the first block (90 %: 106 ms, worst 328 ms). Loudness knows better, by the rule of `loudness`: a
block is speech from 40 dB below the loudest block of its utterance. Where noise lies above that, loudness cannot see the
quiet ends of words; then the model is trusted, less its usual lateness.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from patter_nb.audio.loudness import block_rms, block_samples, speech_level
from patter_nb.audio.samples import Samples

_ABOVE_NOISE = 10.0 ** (5.0 / 20.0)
"""A block is told from noise when it is 5 dB above the floor. The floor is a minimum, about 2 dB below the noise's own level."""
_IN_NOISE = 10.0 ** (2.0 / 20.0)
"""A window with no block even 2 dB above the floor holds no speech, whatever the model says."""
_REMEMBERED = 100
"""Blocks, one second: how far back an end is looked for, and over how much of the quiet the floor is the minimum."""
_BELIEVED = 30
"""Blocks of quiet, 0.3 s, before there is a floor: a stream that begins with speech has none while the model still hesitates."""
_BEFORE_SECONDS = 0.3
"""How long before the model's first voiced window speech may have begun."""
_GAP_BLOCKS = 3
"""Quiet within the first sound: the closure of a stop consonant."""
_LATE_SECONDS = 0.07
"""How late the model's end usually is, for ends that noise hides."""


class SpeechEdges:
    """The blocks of one stream. Positions are counted in samples from its start."""

    def __init__(self, hz: int) -> None:
        self._hz = hz
        self._size = block_samples(hz)
        self._rest: Samples = np.zeros(0, np.int16)
        self._blocks: deque[float] = deque(maxlen=_REMEMBERED)
        self._count = 0
        self._quiet: deque[float] = deque(maxlen=_REMEMBERED)
        self._peak = 0.0

    def add(self, window: Samples, *, voiced: bool) -> bool:
        """Take the stream's next samples and whether the model found voice in them. True when they hold speech."""
        heard = np.concatenate((self._rest, window))
        whole = len(heard) - len(heard) % self._size
        self._rest = heard[whole:]
        blocks = block_rms(heard[:whole], self._hz).tolist()
        self._blocks.extend(blocks)
        self._count += len(blocks)
        if not voiced:
            self._quiet.extend(blocks)
            return False
        loudest = max(blocks, default=0.0)
        self._peak = max(self._peak, loudest)
        return loudest >= max(speech_level(self._peak), self._floor * _IN_NOISE)

    def forget(self) -> None:
        """The utterance is over: how loud it was says nothing about the next."""
        self._peak = 0.0

    def start(self, first: int, earliest: int) -> int:
        """Where the speech began whose first voiced window begins at `first`; not before `earliest`."""
        oldest = self._count - len(self._blocks)
        lowest = max(oldest, first // self._size - round(_BEFORE_SECONDS * self._hz / self._size), -(-earliest // self._size))
        near = list(self._blocks)[lowest - oldest :]
        level = max(speech_level(max(near, default=0.0)), self._floor * _ABOVE_NOISE)
        loud = [lowest + n for n, rms in enumerate(near) if rms >= level]
        if not loud:
            return first
        found = next((n for n in loud if n * self._size >= first), loud[-1])
        for n in reversed(loud):
            if found - _GAP_BLOCKS - 1 <= n < found:
                found = n
        return found * self._size

    def end(self, start: int, last: int) -> int:
        """Where the speech ended that began at `start` and whose last voiced window ends at `last`."""
        oldest = self._count - len(self._blocks)
        noise = self._floor * _ABOVE_NOISE
        level = speech_level(self._peak)
        hidden = noise > level
        until = last // self._size if hidden else self._count
        begin = max(oldest, start // self._size)
        near = list(self._blocks)[begin - oldest : until - oldest]
        loud = [begin + n + 1 for n, rms in enumerate(near) if rms >= max(level, noise)]
        found = loud[-1] * self._size if loud else start
        if hidden:
            found = max(found, last - round(_LATE_SECONDS * self._hz))
        return max(found, start)

    @property
    def _floor(self) -> float:
        """The RMS of the line's own noise: the least of the quiet's blocks, once there are enough to believe it."""
        return min(self._quiet) if len(self._quiet) >= _BELIEVED else 0.0
