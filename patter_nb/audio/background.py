"""What is heard under the agent's voice: a sound of yours, or a synthetic one of ours.

It is mixed where the agent's audio is queued for the ear, so it is heard while the agent speaks and not between its replies:
silence between them is how callers, recordings and figures know that the agent has ended.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from math import ceil, gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.clips import CLIP_HZ, BuiltinAudioClip, clip
from patter_nb.audio.resample import Resampler
from patter_nb.audio.samples import Samples
from patter_nb.audio.wav import read_wav
from patter_nb.errors import ConfigError, ConfigTypeError

_LOWEST_HZ, _HIGHEST_HZ = 1000, 192_000


@dataclass(frozen=True)
class AudioConfig:
    """One of several sounds, of which each call hears one: how loud, and how probable (both 0 to 1).

    `source` as in `BackgroundAudioPlayer`, but no list.
    """

    source: Any = field(repr=False, compare=False)
    volume: float = 1.0
    probability: float = 1.0
    sound: str = field(init=False)
    """Which sound it is: its name, and the SHA-256 of its samples."""
    _samples: tuple[Samples, int] | None = field(init=False, repr=False, compare=False)
    """Those of a source that is no clip; clips are made when a call wants them."""

    def __post_init__(self) -> None:
        _unit("volume", self.volume)
        _unit("probability", self.probability)
        samples = None if isinstance(self.source, BuiltinAudioClip) else _read(self.source)
        object.__setattr__(self, "_samples", samples)
        object.__setattr__(self, "sound", _name(self.source, samples))

    def samples(self) -> tuple[Samples, int]:
        """int16, shape (n,), and their rate in Hz."""
        return (clip(self.source), CLIP_HZ) if self._samples is None else self._samples


@dataclass(frozen=True)
class BackgroundAudioPlayer:
    """A sound under the agent's voice, while it speaks, at `volume` (0 to 1) of the sound's own level.

    `source`: the path of a WAV file, `(samples, hz)` with int16 or floats in -1..1, a `BuiltinAudioClip` (synthetic), or a list
    of `AudioConfig`: each call draws one by their probabilities. What these lack to 1 is the chance that a call hears none; if
    they exceed 1, they are relative. `loop`: begin again at the end, else it is silent from there on. A file is read here, once;
    `ConfigError` for one that is missing or holds no sound.
    """

    source: Any = field(repr=False, compare=False)
    volume: float = field(default=0.1, kw_only=True)
    loop: bool = field(default=True, kw_only=True)
    sounds: tuple[str, ...] = field(init=False)
    """What may be heard, as an agent's revision tells it: name and SHA-256, volume and probability of each."""
    _choices: tuple[AudioConfig, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _unit("volume", self.volume)
        if not isinstance(self.loop, bool):
            raise ConfigTypeError(f"loop of background audio is {self.loop!r}; it must be True or False.")
        choices = _choices(self.source)
        object.__setattr__(self, "_choices", choices)
        told = (f"{each.sound}, volume {each.volume:g}, probability {each.probability:g}" for each in choices)
        object.__setattr__(self, "sounds", tuple(told))

    def start(self, hz: int, seed: int = 0) -> Mixer:
        """The background of one call whose audio has `hz`; `seed` draws which of several sounds."""
        chosen = self._drawn(seed)
        if chosen is None:
            return Mixer(np.zeros(1, np.int32), loop=True)
        samples, rate = chosen.samples()
        sound = _at_rate(samples, rate, hz, loop=self.loop) * (self.volume * chosen.volume)
        return Mixer(np.rint(sound).astype(np.int32), loop=self.loop)

    def _drawn(self, seed: int) -> AudioConfig | None:
        ends = np.cumsum([each.probability for each in self._choices])
        drawn = np.random.default_rng(seed).random() * max(1.0, float(ends[-1]))
        return next((each for each, end in zip(self._choices, ends, strict=True) if drawn < end), None)


class Mixer:
    """The background of one call: it goes on from where it was with every piece of the agent's audio.

    About 15 µs for a frame of 20 ms at 8 kHz.
    """

    def __init__(self, sound: NDArray[np.int32], *, loop: bool) -> None:
        self._sound = sound
        self._loop = loop
        self._at = 0

    def mix(self, samples: Samples) -> Samples:
        """`samples` (int16, shape (n,)) with the next n samples of the background under them, clipped."""
        mixed = self._next(len(samples))
        mixed += samples
        return np.clip(mixed, -32768, 32767, out=mixed).astype(np.int16)

    def _next(self, count: int) -> NDArray[np.int32]:
        """A copy of the next `count` samples."""
        found = np.zeros(count, np.int32)
        done = 0
        while done < count and self._at < len(self._sound):
            piece = self._sound[self._at : self._at + count - done]
            found[done : done + len(piece)] = piece
            done += len(piece)
            self._at += len(piece)
            if self._loop and self._at == len(self._sound):
                self._at = 0
        return found


def check_background(value: object) -> None:
    """`ConfigTypeError` for anything but a `BackgroundAudioPlayer`."""
    if not isinstance(value, BackgroundAudioPlayer):
        given = type(value).__name__
        raise ConfigTypeError(f"background_audio is a {given}; it must be a sound, such as BackgroundAudioPlayer('hum.wav').")


def _choices(source: Any) -> tuple[AudioConfig, ...]:
    several = isinstance(source, list) or (isinstance(source, tuple) and any(isinstance(each, AudioConfig) for each in source))
    if not several:
        return (AudioConfig(source),)
    if not source:
        raise ConfigError("source of background audio is an empty list; give at least one AudioConfig.")
    if wrong := [each for each in source if not isinstance(each, AudioConfig)]:
        given = type(wrong[0]).__name__
        raise ConfigTypeError(f"source of background audio holds a {given}; a list of sounds takes AudioConfig objects.")
    return tuple(source)


def _unit(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigTypeError(f"{name} of background audio is {value!r}; it must be a number from 0 to 1.")
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} of background audio is {value!r}; it must lie from 0 to 1.")


def _read(source: Any) -> tuple[Samples, int]:
    """The samples of a file, or those given, as int16, and their rate."""
    if isinstance(source, str | os.PathLike):
        try:
            return read_wav(source)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(f"source of background audio is {os.fspath(source)!r}, which cannot be read: {reason}.") from error
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray):
        samples, hz = source
        if isinstance(hz, bool) or not isinstance(hz, int | np.integer) or not _LOWEST_HZ <= hz <= _HIGHEST_HZ:
            raise ConfigError(f"hz of background audio is {hz!r}; it must be a whole number from {_LOWEST_HZ} to {_HIGHEST_HZ}.")
        return _as_int16(samples), int(hz)
    how = "give the path of a WAV file, (samples, hz), a BuiltinAudioClip, or a list of AudioConfig"
    raise ConfigTypeError(f"source of background audio is a {type(source).__name__}: {how}.")


def _as_int16(samples: NDArray[Any]) -> Samples:
    """A copy, so that the sound stays what it is."""
    if samples.ndim != 1 or not samples.size:
        raise ConfigError(f"samples of background audio have the shape {samples.shape}; they must be mono, (n,), and not empty.")
    if samples.dtype == np.int16:
        return samples.copy()
    if samples.dtype.kind != "f":
        raise ConfigTypeError(f"samples of background audio are {samples.dtype}; they must be int16, or floats in -1..1.")
    if not np.isfinite(samples).all() or np.abs(samples).max() > 1.0:
        raise ConfigError("samples of background audio are floats that leave -1..1; scale them to that range.")
    return np.rint(samples.astype(np.float64) * 32767).astype(np.int16)


def _name(source: Any, samples: tuple[Samples, int] | None) -> str:
    if samples is None:
        return f"{source.value} (synthetic)"
    sound, hz = samples
    name = Path(source).name if isinstance(source, str | os.PathLike) else "samples"
    return f"{name}, {len(sound)} samples at {hz} Hz, sha256 {hashlib.sha256(sound.astype('<i2').tobytes()).hexdigest()[:16]}"


def _at_rate(samples: Samples, source_hz: int, hz: int, *, loop: bool) -> Samples:
    """The whole sound at another rate. One that loops is its own neighbour, so that its ends still fit each other."""
    resampler = Resampler(source_hz, hz)
    if source_hz == hz:
        return samples
    down = source_hz // gcd(source_hz, hz)
    around = down * ceil(resampler.held_back_seconds * source_hz / down) if loop else 0
    padded = np.take(samples, np.arange(-around, len(samples) + around), mode="wrap")
    changed = np.concatenate((resampler.feed(padded), resampler.flush()))
    start = around * hz // source_hz
    return changed[start : start + max(1, round(len(samples) * hz / source_hz))]
