"""Where sound is: the bounds of speech, and the first moment an ear would notice.

Everything is decided in blocks of 10 ms by their root mean square (RMS). 0 dBFS is the RMS of a square wave at full scale, 32768.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples, require_mono

BLOCK_SECONDS = 0.01
SPEECH_DB = -40.0
"""A block is speech when it is at least this loud, relative to the loudest block of its utterance."""
AUDIBLE_DBFS = -50.0
"""A block is audible from this level on."""
SILENCE_DBFS = -70.0
"""A block below this is never speech: a µ-law line that flickers between its two lowest levels reaches -72 dBFS."""


def _rms_at(dbfs: float) -> float:
    return 32768.0 * float(10.0 ** (dbfs / 20.0))


def block_samples(hz: int) -> int:
    """Samples of one block: 10 ms, rounded down to whole samples (22,050 Hz has 220)."""
    return max(1, int(hz * BLOCK_SECONDS))


def block_rms(samples: Samples, hz: int) -> NDArray[np.float64]:
    """The RMS of each block, in samples of full scale 32768: shape (blocks,). The last block may be a short one."""
    require_mono(samples)
    size = block_samples(hz)
    starts = np.arange(0, len(samples), size)
    if not len(starts):
        return np.zeros(0)
    energy = np.add.reduceat(np.square(samples, dtype=np.float64), starts)
    counts = np.diff(np.append(starts, len(samples)))
    return np.sqrt(energy / counts)


def speech_level(peak: float) -> float:
    """The RMS from which a block is speech in an utterance whose loudest block has the RMS `peak`."""
    return max(peak * float(10.0 ** (SPEECH_DB / 20.0)), _rms_at(SILENCE_DBFS))


def speech_blocks(samples: Samples, hz: int) -> NDArray[np.bool_]:
    """Which 10 ms blocks of an utterance are speech: shape (blocks,)."""
    rms = block_rms(samples, hz)
    return _at_least(rms, speech_level(float(rms.max(initial=0.0))))


def _at_least(rms: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    loud: NDArray[np.bool_] = rms >= level
    return loud


def speech_bounds(samples: Samples, hz: int) -> tuple[float, float] | None:
    """Start and end of speech in an utterance, in seconds from its first sample; None when there is none."""
    (speech,) = np.nonzero(speech_blocks(samples, hz))
    if not len(speech):
        return None
    size = block_samples(hz)
    return int(speech[0]) * size / hz, min((int(speech[-1]) + 1) * size, len(samples)) / hz


def _first_audible_sample(samples: Samples, hz: int) -> int | None:
    (audible,) = np.nonzero(_at_least(block_rms(samples, hz), _rms_at(AUDIBLE_DBFS)))
    return int(audible[0]) * block_samples(hz) if len(audible) else None


def first_audible(samples: Samples, hz: int) -> float | None:
    """Start of the first audible block, in seconds from the first sample; None when all is too quiet."""
    first = _first_audible_sample(samples, hz)
    return None if first is None else first / hz


class AudibleFinder:
    """Finds the first audible block of a stream. Blocks are counted from the stream's first sample, however it is cut."""

    def __init__(self, hz: int) -> None:
        self.hz = hz
        self.found = False
        self._rest = np.zeros(0, np.int16)
        self._before = 0

    def feed(self, samples: Samples) -> float | None:
        """When the first audible block is complete: the seconds from the stream's first sample to its start. Otherwise None."""
        require_mono(samples)
        if self.found:
            return None
        heard = np.concatenate((self._rest, samples))
        whole = len(heard) - len(heard) % block_samples(self.hz)
        first = _first_audible_sample(heard[:whole], self.hz)
        if first is not None:
            self.found = True
            return (self._before + first) / self.hz
        self._rest = heard[whole:].copy()
        self._before += whole
        return None
