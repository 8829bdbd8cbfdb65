"""Sounds to put under a voice, made by arithmetic: they suggest a place and are recordings of none.

Each is the same in every process, eight seconds long, and begins again without a seam.
"""

from __future__ import annotations

import enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples

CLIP_HZ = 8000
CLIP_SECONDS = 8
_PEAK = 0.5
"""Of full scale."""


class BuiltinAudioClip(enum.Enum):
    """Synthetic sounds, from noise, clicks and tones."""

    CITY_AMBIENCE = "city ambience"
    FOREST_AMBIENCE = "forest ambience"
    OFFICE_AMBIENCE = "office ambience"
    CROWDED_ROOM = "crowded room"
    KEYBOARD_TYPING = "keyboard typing"
    KEYBOARD_TYPING2 = "keyboard typing 2"
    HOLD_MUSIC = "hold music"


_BANDS_HZ = {
    BuiltinAudioClip.CITY_AMBIENCE: (60, 700),
    BuiltinAudioClip.FOREST_AMBIENCE: (1200, 3600),
    BuiltinAudioClip.OFFICE_AMBIENCE: (90, 400),
    BuiltinAudioClip.CROWDED_ROOM: (200, 2400),
}
"""Noise of which a place is made: traffic, leaves, a ventilation, voices that are no words."""
_KEYS_PER_SECOND = {BuiltinAudioClip.KEYBOARD_TYPING: 6, BuiltinAudioClip.KEYBOARD_TYPING2: 9}
_CHORDS_HZ = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))
"""C, A minor, F and G, in whole numbers of Hz."""


@lru_cache(maxsize=len(BuiltinAudioClip))
def clip(which: BuiltinAudioClip) -> Samples:
    """One of them, made when it is first wanted: int16, shape (64000,), at 8 kHz. Shared by all, so it is read-only."""
    draw = np.random.default_rng(list(BuiltinAudioClip).index(which))
    size = CLIP_HZ * CLIP_SECONDS
    if which in _BANDS_HZ:
        sound = _noise(draw, size, *_BANDS_HZ[which])
    elif which in _KEYS_PER_SECOND:
        sound = _clicks(draw, size, _KEYS_PER_SECOND[which])
    else:
        sound = _chords(size)
    samples: Samples = np.rint(sound / np.abs(sound).max() * _PEAK * 32767).astype(np.int16)
    samples.flags.writeable = False
    return samples


def _noise(draw: np.random.Generator, size: int, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """Noise of a band that swells and sinks. It is made of whole periods, so its end fits its beginning."""
    frequency = np.fft.rfftfreq(size, 1 / CLIP_HZ)
    inside = (frequency >= low_hz) & (frequency <= high_hz)
    spectrum = np.fft.rfft(draw.standard_normal(size))
    spectrum[~inside] = 0
    spectrum[inside] /= np.sqrt(frequency[inside])  # towards pink, as most places are
    swell = 1 + 0.4 * np.sin(2 * np.pi * (3 * np.arange(size) / size + draw.random()))
    return np.asarray(np.fft.irfft(spectrum, size) * swell)


def _clicks(draw: np.random.Generator, size: int, per_second: int) -> NDArray[np.float64]:
    """Short bursts of noise at random instants; one that runs over the end goes on at the beginning."""
    sound = np.zeros(size)
    length = CLIP_HZ // 25
    decay = np.exp(-np.arange(length) / (CLIP_HZ * 0.006))
    for start in draw.integers(0, size, per_second * CLIP_SECONDS):
        sound[(start + np.arange(length)) % size] += draw.standard_normal(length) * decay * draw.uniform(0.4, 1.0)
    return sound


def _chords(size: int) -> NDArray[np.float64]:
    """Chords of equal length, each fading in from silence and out into it."""
    length = size // len(_CHORDS_HZ)
    at = np.arange(length) / CLIP_HZ
    swell = np.sqrt(np.sin(np.pi * np.arange(length) / length))
    return np.concatenate([np.sin(2 * np.pi * np.outer(chord, at)).sum(axis=0) * swell for chord in _CHORDS_HZ])
