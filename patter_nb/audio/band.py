"""A telephone line's band, and noise in it: for simulated callers and for tests of what a bad line does."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, pi

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples, require_mono
from patter_nb.errors import ConfigError

LOW_HZ, HIGH_HZ = 300.0, 3400.0
"""The band a telephone carries; the filter's halfway points lie 100 Hz outside it, so that the band itself is flat."""
_SLOPE_HZ = 200.0
_STOP_DB = 50.0


@lru_cache(maxsize=8)
def _filter(hz: int) -> NDArray[np.float64]:
    """A linear-phase band-pass: an odd number of weights, Kaiser-windowed."""
    half = ceil((_STOP_DB - 7.95) / (2.285 * 2 * pi * _SLOPE_HZ / hz) / 2)
    step = np.arange(-half, half + 1)

    def low_pass(cutoff_hz: float) -> NDArray[np.float64]:
        cutoff = 2 * cutoff_hz / hz
        return np.asarray(cutoff * np.sinc(cutoff * step))

    beta = 0.5842 * (_STOP_DB - 21) ** 0.4 + 0.07886 * (_STOP_DB - 21)
    return np.asarray((low_pass(HIGH_HZ + _SLOPE_HZ / 2) - low_pass(LOW_HZ - _SLOPE_HZ / 2)) * np.kaiser(2 * half + 1, beta))


def _in_band(wave: NDArray[np.float64], hz: int) -> NDArray[np.float64]:
    if hz / 2 < HIGH_HZ + _SLOPE_HZ:
        raise ConfigError(f"hz must be at least 7200 to hold a telephone's band, not {hz!r}")
    weights = _filter(hz)
    half = len(weights) // 2
    return np.asarray(np.convolve(wave, weights)[half : half + len(wave)]) if len(wave) else wave


def _rounded(wave: NDArray[np.float64]) -> Samples:
    return np.rint(wave).clip(-32768, 32767).astype(np.int16)


def telephone_band(samples: Samples, hz: int) -> Samples:
    """What a telephone leaves of int16 samples, shape (n,): 300-3400 Hz, not delayed, same length."""
    require_mono(samples)
    return _rounded(_in_band(samples.astype(np.float64), hz))


def _noise(seed: int, n: int, hz: int, rms: float) -> NDArray[np.float64]:
    wave = _in_band(np.random.default_rng(seed).standard_normal(n), hz)
    level = float(np.sqrt(np.mean(np.square(wave)))) if n else 0.0
    return wave * (rms / level) if level else wave


def white_noise(seed: int, n: int, hz: int, rms: float) -> Samples:
    """`n` samples of white noise within the telephone's band, of that RMS (full scale 32768). The same seed, the same noise."""
    return _rounded(_noise(seed, n, hz, rms))
