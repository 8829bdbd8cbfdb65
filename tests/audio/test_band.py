"""The telephone's band and its noise, measured by an independent spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from patter_nb.audio.band import telephone_band, white_noise
from patter_nb.errors import ConfigError


def tone(frequency: float, hz: int, seconds: float = 1.0, amplitude: float = 8000.0) -> np.ndarray:
    return np.rint(amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * hz)) / hz)).astype(np.int16)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(float)))))


def level_db(frequency: float, hz: int) -> float:
    before, after = tone(frequency, hz), telephone_band(tone(frequency, hz), hz)
    middle = slice(hz // 10, -hz // 10)
    return 20 * np.log10(max(rms(after[middle]), 1e-3) / rms(before[middle]))


@pytest.mark.parametrize("hz", [8000, 16000, 22050, 24000])
def test_the_band_passes_level_and_the_rest_is_gone(hz):
    assert all(abs(level_db(f, hz)) < 0.1 for f in (300, 500, 1000, 2000, 3000, 3400))
    assert all(level_db(f, hz) < -45 for f in (20, 50, 100))
    assert all(level_db(f, hz) < -45 for f in (3600, 3900, 5000, 7000) if f < hz / 2)


def test_the_band_delays_nothing_and_keeps_the_length():
    samples = np.zeros(801, np.int16)
    samples[400] = 20000
    passed = telephone_band(samples, 8000)
    assert len(passed) == 801
    assert int(np.argmax(passed)) == 400
    assert np.array_equal(passed, passed[::-1])
    assert len(telephone_band(np.zeros(0, np.int16), 8000)) == 0


def test_noise_has_the_level_asked_for_and_lies_in_the_band():
    noise = white_noise(3, 80000, 8000, 500.0)
    assert noise.dtype == np.int16
    assert rms(noise) == pytest.approx(500, rel=0.001)
    frequency, power = signal.welch(noise.astype(float), 8000, nperseg=1024, detrend=False)
    inside = power[(frequency > 350) & (frequency < 3350)]
    assert inside.max() / inside.min() < 3
    assert power[frequency < 100].max() < inside.mean() / 1000
    assert power[frequency > 3650].max() < inside.mean() / 1000


def test_the_same_seed_is_the_same_noise():
    assert np.array_equal(white_noise(5, 1000, 8000, 300.0), white_noise(5, 1000, 8000, 300.0))
    assert not np.array_equal(white_noise(5, 1000, 8000, 300.0), white_noise(6, 1000, 8000, 300.0))


@pytest.mark.parametrize("hz", [4000, 6800, 7100])
def test_a_rate_too_low_for_the_band_is_refused(hz):
    with pytest.raises(ConfigError, match=f"hz must be at least 7200 to hold a telephone's band, not {hz}"):
        telephone_band(np.zeros(10, np.int16), hz)
