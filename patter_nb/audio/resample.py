"""A change of sample rate, frame by frame: a polyphase filter whose output does not depend on how its input was cut.

The rates are in the proportion L : M. Output k stands at the instant of input k * M / L and is a weighted sum of the inputs
around it; the weights are those points of one Kaiser-windowed sinc that its phase, k * M mod L, picks, so there are L sets of
them. A block of outputs is the product of a window of inputs with one matrix, which is what makes numpy quick enough.

Weights are whole multiples of 2**-24 and samples are whole numbers, so every product and every sum is exact in float64, in
whatever order a machine adds: the same input gives the same output, bit for bit, in frames of 20 ms or all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd, pi

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples, require_mono
from patter_nb.errors import ConfigError

_TRANSITION = 0.15
"""The filter falls from 85 % to 115 % of the lower rate's Nyquist frequency: for 8 kHz from 3400 Hz, where the telephone band
ends, to 4600 Hz, whose alias lies there. A steeper one would hold back more audio for frequencies that no telephone carries."""
_STOP_DB = 80.0
"""Attenuation behind the transition. 60 dB is asked for; beyond 98 dB the rounding to 16 bits hides it."""
_SCALE = 1 << 24
_BLOCK = 32
"""Outputs of one matrix product, at most: more would waste arithmetic, fewer would waste calls."""
_LOWEST_HZ, _HIGHEST_HZ = 1_000, 192_000


@dataclass(frozen=True, slots=True, eq=False)
class _Bank:
    """The matrices of one pair of rates. Block n of outputs uses matrix n mod `len(matrices)`."""

    up: int
    """L."""
    down: int
    """M."""
    centre: int
    """Half the filter's length, in steps of 1 / (source rate * L) seconds."""
    block: int
    """Outputs of one block."""
    window: int
    """Inputs that one block may depend on."""
    matrices: NDArray[np.float64]
    """Shape (matrices, window, block)."""

    def first_inputs(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the first input each of these blocks depends on, counted from the start of the stream."""
        firsts: NDArray[np.int64] = -((self.centre - blocks * (self.block * self.down)) // self.up)
        return firsts

    def outputs_of(self, inputs: int) -> int:
        """How many outputs have all their inputs among the first `inputs`."""
        return max(0, (inputs * self.up - self.centre - 1) // self.down + 1)


def _prototype(source_hz: int, target_hz: int, up: int) -> NDArray[np.float64]:
    """The low-pass at `up` times the source's rate: an odd number of weights, whole numbers in units of 1 / _SCALE."""
    lower_nyquist = min(source_hz, target_hz) / 2
    rate = source_hz * up
    width = 2 * pi * 2 * _TRANSITION * lower_nyquist / rate  # of the transition, in radians a sample
    half = ceil((_STOP_DB - 7.95) / (2.285 * width) / 2)  # Kaiser's estimate of the length
    beta = 0.1102 * (_STOP_DB - 8.7)  # and of the window's shape
    cutoff = lower_nyquist / rate
    step = np.arange(-half, half + 1)
    weights = 2 * cutoff * np.sinc(2 * cutoff * step) * np.kaiser(2 * half + 1, beta)
    whole: NDArray[np.float64] = np.rint(weights * (up / weights.sum()) * _SCALE)
    return whole


@lru_cache(maxsize=16)
def _bank(source_hz: int, target_hz: int) -> _Bank:
    shared = gcd(source_hz, target_hz)
    up, down = target_hz // shared, source_hz // shared
    weights = _prototype(source_hz, target_hz, up)
    centre = len(weights) // 2
    # Few different matrices: a block holds whole rounds of the phases, or divides one round.
    block = up * (_BLOCK // up) if up <= _BLOCK else max(n for n in range(1, _BLOCK + 1) if up % n == 0)
    count = up // gcd(up, block)
    window = (2 * centre + (block - 1) * down) // up + 1
    bank = _Bank(up, down, centre, block, window, np.zeros((count, window, block)))
    offsets = np.arange(block)[None, :] * down - np.arange(window)[:, None] * up + centre
    for number, first in enumerate(bank.first_inputs(np.arange(count))):
        step = offsets + (number * block * down - int(first) * up)
        inside = (step >= 0) & (step < len(weights))
        bank.matrices[number][inside] = weights[step[inside]] / _SCALE
    return bank


class Resampler:
    """The change of rate of one stream.

    Output k stands at the instant of input k * source / target: the audio is not delayed. The outputs nearest the newest
    input only come later, when the inputs around them are known; `held_back_seconds` says how much.

    Any two whole rates from 1,000 to 192,000 Hz; equal rates pass the samples through. With 8 kHz on either side it is flat
    over 300-3400 Hz, and what lies beyond 4600 Hz is 80 dB down, before (aliases) and after (images).
    """

    def __init__(self, source_hz: int, target_hz: int) -> None:
        for name, hz in (("source_hz", source_hz), ("target_hz", target_hz)):
            if not isinstance(hz, int) or not _LOWEST_HZ <= hz <= _HIGHEST_HZ:
                raise ConfigError(f"{name} must be a whole rate from {_LOWEST_HZ} to {_HIGHEST_HZ} Hz, not {hz!r}")
        self.source_hz = source_hz
        self.target_hz = target_hz
        self._bank = _bank(source_hz, target_hz) if source_hz != target_hz else None
        self._begin()

    def _begin(self) -> None:
        self._taken = 0
        self._given = 0
        self._kept_from = 0 if self._bank is None else int(self._bank.first_inputs(np.zeros(1, np.int64))[0])
        self._kept: NDArray[np.float64] = np.zeros(-self._kept_from)

    @property
    def held_back_seconds(self) -> float:
        """How far the newest output may lie behind the newest input: the filter's reach into the future."""
        return 0.0 if self._bank is None else self._bank.centre / (self.source_hz * self._bank.up)

    def feed(self, samples: Samples) -> Samples:
        """The outputs that `samples`, the stream's next, complete; perhaps none."""
        require_mono(samples)
        if self._bank is None:
            return samples
        self._taken += len(samples)
        return self._advance(samples, self._bank.outputs_of(self._taken), self._bank)

    def flush(self) -> Samples:
        """The outputs still held back, as if silence followed; in all there are then ceil(inputs * target / source).

        What is fed next begins a new stream.
        """
        if self._bank is None:
            return np.zeros(0, np.int16)
        rest = self._advance(np.zeros(0, np.int16), -(-self._taken * self._bank.up // self._bank.down), self._bank)
        self._begin()
        return rest

    def _advance(self, samples: Samples, until: int, bank: _Bank) -> Samples:
        """Take `samples` and give the outputs before number `until` that were not given yet."""
        if until <= self._given:
            self._kept = np.concatenate((self._kept, samples), dtype=np.float64)
            return np.zeros(0, np.int16)
        first, last = self._given // bank.block, (until - 1) // bank.block
        starts = bank.first_inputs(np.arange(first, last + 2)) - self._kept_from
        missing = max(0, int(starts[-2]) + bank.window - len(self._kept) - len(samples))
        heard = np.concatenate((self._kept, samples, np.zeros(missing)), dtype=np.float64)
        # Every window of consecutive inputs, as a view; the rows picked from it are copied.
        shape = (len(heard) - bank.window + 1, bank.window)
        windows = np.ndarray(shape, heard.dtype, heard, strides=(heard.itemsize, heard.itemsize))
        exact = _outputs(windows[starts[:-1]], bank.matrices, first)
        keep = int(starts[-1] if until % bank.block == 0 else starts[-2])
        self._kept = heard[keep : len(heard) - missing].copy()
        self._kept_from += keep
        exact = exact[self._given - first * bank.block : until - first * bank.block]
        self._given = until
        np.rint(exact, out=exact)
        np.clip(exact, -32768, 32767, out=exact)
        return exact.astype(np.int16)


def _outputs(windows: NDArray[np.float64], matrices: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """The outputs of consecutive blocks, from block number `first` on, one after the other."""
    count = len(matrices)
    if count == 1:
        rows: NDArray[np.float64] = np.matmul(windows, matrices[0])
        return rows.reshape(-1)
    pieces, done = [], 0
    while done < len(windows):
        phase = (first + done) % count
        size = min(count - phase, len(windows) - done)
        pieces.append(np.matmul(windows[done : done + size, None, :], matrices[phase : phase + size]).reshape(-1))
        done += size
    return np.concatenate(pieces)
