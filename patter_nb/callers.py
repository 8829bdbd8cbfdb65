"""Who calls in a test: lines to be spoken, a WAV file, or samples."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.wav import read_wav
from patter_nb.errors import ConfigError, ConfigTypeError

if TYPE_CHECKING:
    from patter_nb.carriers.simulated import SpokenLine
    from patter_nb.providers.local import LocalTTS

HOW = 'give a list of lines (["Hi, when is dinner?", "Thanks, bye."]), the path of a WAV file, (samples, hz), or a Softphone()'

LONGEST_WAIT_SECONDS = 600.0
"""A test caller that is silent for longer than a whole call is a mistake."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing a test caller says."""

    text: str
    wait_seconds: float = 0.4
    """Silence of the agent, as the caller hears it, before this line begins."""
    interrupt_after_seconds: float | None = None
    """Begin this long after the agent's next reply became audible, instead of waiting for its end."""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ConfigTypeError(f"text of a caller's line is {type(self.text).__name__} {self.text!r}; it must be a string.")
        if not any(map(str.isalnum, self.text)):
            raise ConfigError(f"text of a caller's line is {self.text!r}; it must hold words to say.")
        _check_seconds("wait_seconds", self.wait_seconds)
        if self.interrupt_after_seconds is not None:
            _check_seconds("interrupt_after_seconds", self.interrupt_after_seconds)


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigTypeError(f"{name} of a caller's line is {value!r}; it must be a number of seconds.")
    if not 0 <= value <= LONGEST_WAIT_SECONDS:
        raise ConfigError(f"{name} of a caller's line is {value!r}; it must lie from 0 to {LONGEST_WAIT_SECONDS:g} seconds.")


@dataclass(frozen=True, slots=True)
class Sound:
    """A caller that is a recording: mono int16 samples of shape (n,), and their rate."""

    samples: NDArray[np.int16]
    hz: int
    name: str


Script = tuple[Line, ...] | Sound


def read_caller(caller: Any) -> Script:
    """What `phone.test(caller=...)` was given, checked. `ConfigError` or `ConfigTypeError` say what is wrong with it."""
    if caller is None:
        raise ConfigError(f"caller is missing: {HOW}.")
    if isinstance(caller, np.ndarray):
        raise ConfigTypeError(f"caller is a bare array of shape {caller.shape}, whose rate is unknown: give (samples, hz).")
    if isinstance(caller, str | os.PathLike):
        return _file(os.fspath(caller))
    if isinstance(caller, tuple) and len(caller) == 2 and isinstance(caller[0], np.ndarray):
        return _samples(caller[0], caller[1])
    if isinstance(caller, Sequence) and not isinstance(caller, bytes):
        return _lines(caller)
    raise ConfigTypeError(f"caller is {type(caller).__name__}: {HOW}.")


def check_first_line(script: Script, *, greets: bool) -> None:
    """`ConfigError` for a caller who interrupts a greeting that will not come."""
    if isinstance(script, Sound) or greets or script[0].interrupt_after_seconds is None:
        return
    raise ConfigError(
        "interrupt_after_seconds of the caller's first line interrupts a greeting, but the agent has no first_message: "
        "give it one, or leave interrupt_after_seconds out."
    )


def _file(name: str) -> Sound:
    try:
        samples, hz = read_wav(name)
    except FileNotFoundError:
        raise ConfigError(f"caller is {_short(name)}, and there is no such file: {HOW}.") from None
    except OSError as error:
        raise ConfigError(f"caller is {_short(name)}, a file that cannot be read ({error.strerror or error}): {HOW}.") from error
    return Sound(samples, hz, Path(name).name)


def _samples(samples: NDArray[Any], hz: object) -> Sound:
    if isinstance(hz, bool) or not isinstance(hz, int | np.integer):
        raise ConfigTypeError(f"hz of the caller's samples is {type(hz).__name__} {hz!r}; it must be a whole number.")
    if not 4000 <= hz <= 192_000:
        raise ConfigError(f"hz of the caller's samples is {hz!r}; it must lie from 4000 to 192000.")
    if samples.ndim != 1 or samples.size == 0:
        raise ConfigError(f"samples of the caller have the shape {samples.shape}; they must be mono, shape (n,), and not empty.")
    if samples.dtype.kind == "f":
        if not np.isfinite(samples).all() or float(np.abs(samples).max()) > 1.0:
            raise ConfigError("samples of the caller are floats beyond -1..1; scale them to -1..1, or give int16.")
        samples = np.round(samples * 32767)
    elif samples.dtype != np.int16:
        raise ConfigTypeError(f"samples of the caller are {samples.dtype}; they must be int16, or floats in -1..1.")
    return Sound(samples.astype(np.int16), int(hz), "samples")


def _lines(caller: Sequence[Any]) -> tuple[Line, ...]:
    if not caller:
        raise ConfigError(f"caller is an empty list: {HOW}.")
    lines = []
    for number, line in enumerate(caller, 1):
        if not isinstance(line, str | Line):
            raise ConfigTypeError(f"line {number} of caller is {type(line).__name__}; it must be a string or a Line.")
        lines.append(line if isinstance(line, Line) else Line(line))
    return tuple(lines)


async def render(script: Script, *, synthetic: bool) -> list[SpokenLine]:
    """The caller's lines as samples: spoken by the on-device voice, a little higher than the agent's.

    `synthetic`: by a signal that is speech to an energy detector only, made without any model, for recognisers that are told what
    they hear.
    """
    from patter_nb.carriers.simulated import SpokenLine

    if isinstance(script, Sound):
        return [SpokenLine("", script.samples, script.hz)]
    spoken = []
    for line in script:
        samples, hz = await _speak(line.text, synthetic)
        spoken.append(SpokenLine(line.text, samples, hz, line.wait_seconds, line.interrupt_after_seconds))
    return spoken


async def _speak(text: str, synthetic: bool) -> tuple[NDArray[np.int16], int]:
    if synthetic:
        from patter_nb.audio.synthetic import synthetic_voice

        return await asyncio.to_thread(synthetic_voice, text)
    samples, hz = await caller_voice().render(text)
    return samples, hz


def caller_voice() -> LocalTTS:
    """The on-device voice of a test caller; `MissingExtra` where it is not installed."""
    from patter_nb.providers.local import LocalTTS

    voice = LocalTTS(pitch=1.25)
    voice.ready()
    return voice


def _short(text: str) -> str:
    return repr(text if len(text) <= 200 else f"{text[:100]}…{text[-60:]}")
