"""What is heard under the agent's voice: a sound of yours, or a synthetic one of ours.

It is mixed where the agent's audio is queued for the ear, so it is heard while the agent speaks and not between its replies:
silence between them is how callers, recordings and figures know that the agent has ended.
"""

from __future__ import annotations

import enum
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.resample import Resampler
from patter_nb.audio.samples import Samples
from patter_nb.audio.wav import read_wav
from patter_nb.errors import ConfigError, ConfigTypeError

CLIP_HZ = 8000
CLIP_SECONDS = 8
"""Length of the synthetic clips, which begin again without a seam."""


class BuiltinAudioClip(enum.Enum):
    """Sounds that are made here by arithmetic, from noise and tones: they suggest a place and are recordings of none."""

    CITY_AMBIENCE = "city ambience"
    FOREST_AMBIENCE = "forest ambience"
    OFFICE_AMBIENCE = "office ambience"
    CROWDED_ROOM = "crowded room"
    KEYBOARD_TYPING = "keyboard typing"
    KEYBOARD_TYPING2 = "keyboard typing 2"
    HOLD_MUSIC = "hold music"


@dataclass(frozen=True)
class AudioConfig:
    """One of several sounds of which each call hears one: with which volume, and how probably (those of all add up to 1 at
    most)."""

    source: Any
    volume: float = 1.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        _unit("volume", self.volume)
        _unit("probability", self.probability)


@dataclass(frozen=True)
class BackgroundAudioPlayer:
    """A sound under the agent's voice, at `volume` (0 to 1) of its own level.

    `source`: the path of a WAV file, `(samples, hz)` with int16 or floats in -1..1, a `BuiltinAudioClip`, or a list of
    `AudioConfig` of which each call hears one. `loop`: begin again at the end, else it is silent from there on. `ConfigError`
    for what cannot be heard.
    """

    source: Any = field(repr=False)
    volume: float = field(default=0.1, kw_only=True)
    loop: bool = field(default=True, kw_only=True)
    sound: str = field(init=False, default="", compare=True)
    """What it is, for the agent's content: names, and the SHA-256 of samples."""

    def __post_init__(self) -> None:
        _unit("volume", self.volume)
        if not isinstance(self.loop, bool):
            raise ConfigTypeError(f"loop is {self.loop!r}; it must be True or False.")
        named = (f"{_named(each.source)} x{each.volume:g} p{each.probability:g}" for each in self._all())
        object.__setattr__(self, "sound", ", ".join(named))

    def start(self, hz: int, seed: int = 0) -> Mixer:
        """The sound of one call, at the rate of its line; `seed` draws which of several."""
        chances = np.array([each.probability for each in self._all()])
        drawn = np.random.default_rng(seed).random() * max(1.0, float(chances.sum()))
        which = int(np.searchsorted(np.cumsum(chances), drawn, side="right"))
        if which >= len(chances):
            return Mixer(np.zeros(1, np.float64), loop=True)
        chosen = self._all()[which]
        samples, rate = _sound(chosen.source)
        return Mixer(_at_rate(samples, rate, hz) * (self.volume * chosen.volume), loop=self.loop)

    def _all(self) -> Sequence[AudioConfig]:
        if isinstance(self.source, list):
            if not self.source or not all(isinstance(each, AudioConfig) for each in self.source):
                raise ConfigTypeError("source of background audio is a list; it must hold AudioConfig objects.")
            return self.source
        return [AudioConfig(self.source)]

    def __hash__(self) -> int:
        return hash((self.sound, self.volume, self.loop))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BackgroundAudioPlayer):
            return NotImplemented
        return (self.sound, self.volume, self.loop) == (other.sound, other.volume, other.loop)


class Mixer:
    """The background of one call: it goes on from where it was with every piece of the agent's audio."""

    def __init__(self, sound: NDArray[np.float64], *, loop: bool) -> None:
        self._sound = sound
        self._loop = loop
        self._at = 0

    def mix(self, samples: Samples) -> Samples:
        """`samples` (int16, shape (n,)) with the next n samples of the background under them, clipped."""
        under = self._next(len(samples))
        return (samples + np.round(under)).clip(-32768, 32767).astype(np.int16)

    def _next(self, count: int) -> NDArray[np.float64]:
        at, self._at = self._at, self._at + count
        if self._loop:
            return np.take(self._sound, np.arange(at, at + count), mode="wrap")
        rest = self._sound[at : at + count]
        return np.pad(rest, (0, count - len(rest)))


def check_background(value: object) -> None:
    """`ConfigTypeError` for anything but a `BackgroundAudioPlayer`."""
    if not isinstance(value, BackgroundAudioPlayer):
        given, usual = f"{type(value).__name__} {value!r}", "BackgroundAudioPlayer('hum.wav')"
        raise ConfigTypeError(f"background_audio is {given}; it must be a BackgroundAudioPlayer, such as {usual}.")


def _unit(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigTypeError(f"{name} of background audio is {value!r}; it must be a number from 0 to 1.")
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} of background audio is {value!r}; it must lie from 0 to 1.")


def _sound(source: Any) -> tuple[Samples, int]:
    """The samples of a source, and their rate."""
    if isinstance(source, BuiltinAudioClip):
        return _clip(source), CLIP_HZ
    if isinstance(source, str | os.PathLike):
        return _file(os.fspath(source))
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray):
        samples, hz = source
        if isinstance(hz, bool) or not isinstance(hz, int | np.integer) or not 4000 <= hz <= 192_000:
            raise ConfigError(f"hz of background audio is {hz!r}; it must be a whole number from 4000 to 192000.")
        if samples.ndim != 1 or not samples.size:
            raise ConfigError(f"samples of background audio have the shape {samples.shape}; they must be mono, (n,), and some.")
        return (np.round(samples * 32767).astype(np.int16) if samples.dtype.kind == "f" else samples.astype(np.int16)), int(hz)
    how = "give the path of a WAV file, (samples, hz), a BuiltinAudioClip, or a list of AudioConfig"
    raise ConfigTypeError(f"source of background audio is {type(source).__name__}: {how}.")


def _file(name: str) -> tuple[Samples, int]:
    try:
        samples, hz = read_wav(name)
    except OSError as error:
        raise ConfigError(f"source of background audio is {name!r}, which cannot be read ({error.strerror or error}).") from error
    if not len(samples):
        raise ConfigError(f"source of background audio is {name!r}, which holds no sound.")
    return samples, hz


def _named(source: Any) -> str:
    if isinstance(source, BuiltinAudioClip):
        return source.value
    samples, hz = _sound(source)
    name = Path(os.fspath(source)).name if isinstance(source, str | os.PathLike) else "samples"
    return f"{name} {len(samples) / hz:.1f} s {hashlib.sha256(samples.tobytes()).hexdigest()[:8]}"


def _at_rate(samples: Samples, source_hz: int, hz: int) -> NDArray[np.float64]:
    resampler = Resampler(source_hz, hz)
    return np.concatenate((resampler.feed(samples), resampler.flush())).astype(np.float64)


@lru_cache(maxsize=len(BuiltinAudioClip))
def _clip(which: BuiltinAudioClip) -> Samples:
    """A synthetic clip: always the same, of `CLIP_SECONDS`, its end fitting its beginning."""
    draw = np.random.default_rng(list(BuiltinAudioClip).index(which))
    size = CLIP_HZ * CLIP_SECONDS
    if which is BuiltinAudioClip.HOLD_MUSIC:
        sound = _chords(size)
    elif which in (BuiltinAudioClip.KEYBOARD_TYPING, BuiltinAudioClip.KEYBOARD_TYPING2):
        sound = _clicks(draw, size, per_second=6 if which is BuiltinAudioClip.KEYBOARD_TYPING else 9)
    else:
        bands = {
            BuiltinAudioClip.CITY_AMBIENCE: (60, 700),
            BuiltinAudioClip.FOREST_AMBIENCE: (1200, 3600),
            BuiltinAudioClip.OFFICE_AMBIENCE: (90, 400),
            BuiltinAudioClip.CROWDED_ROOM: (200, 2400),
        }
        sound = _noise(draw, size, *bands[which])
    clip: Samples = np.round(sound / np.abs(sound).max() * 0.5 * 32767).astype(np.int16)
    return clip


def _noise(draw: np.random.Generator, size: int, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """Noise of a band, that swells and sinks; made in the frequency domain, so it is periodic."""
    spectrum = np.fft.rfft(draw.standard_normal(size))
    frequency = np.fft.rfftfreq(size, 1 / CLIP_HZ)
    spectrum[(frequency < low_hz) | (frequency > high_hz)] = 0
    spectrum[1:] /= np.sqrt(frequency[1:])
    swell = 1 + 0.4 * np.sin(2 * np.pi * np.arange(size) * 3 / size + draw.random() * 6.28)
    return np.asarray(np.fft.irfft(spectrum, size) * swell, dtype=np.float64)


def _clicks(draw: np.random.Generator, size: int, *, per_second: int) -> NDArray[np.float64]:
    sound = np.zeros(size)
    decay = np.exp(-np.arange(CLIP_HZ // 25) / (CLIP_HZ * 0.006))
    for at in draw.integers(0, size, per_second * CLIP_SECONDS):
        click = draw.standard_normal(len(decay)) * decay * draw.uniform(0.4, 1.0)
        np.add.at(sound, (at + np.arange(len(click))) % size, click)
    return sound


def _chords(size: int) -> NDArray[np.float64]:
    """Four chords of two seconds each, every note fading in and out within its chord."""
    chords = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))
    length = size // len(chords)
    at = np.arange(length) / CLIP_HZ
    envelope = np.sin(np.pi * np.arange(length) / length) ** 0.5
    return np.concatenate([sum(np.sin(2 * np.pi * note * at) for note in chord) * envelope for chord in chords])
