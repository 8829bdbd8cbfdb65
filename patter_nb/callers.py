"""Who calls in a test: lines to be spoken, a WAV file, or samples."""

from __future__ import annotations

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

HOW = 'give a list of lines (["Hi, when is dinner?", "Thanks, bye."]), the path of a WAV file, or (samples, hz)'


@dataclass(frozen=True, slots=True)
class Line:
    """One thing a test caller says."""

    text: str
    wait_seconds: float = 0.4
    """Silence of the agent, as the caller hears it, before this line begins."""
    interrupt_after_seconds: float | None = None
    """Begin this long after the agent's next reply became audible, instead of waiting for its end."""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise ConfigError(f"text of a caller's line is {self.text!r}; it must hold words to say.")
        if self.wait_seconds < 0:
            raise ConfigError(f"wait_seconds is {self.wait_seconds!r}; it must be 0 or more.")
        if self.interrupt_after_seconds is not None and self.interrupt_after_seconds < 0:
            raise ConfigError(f"interrupt_after_seconds is {self.interrupt_after_seconds!r}; it must be 0 or more, or None.")


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
    if isinstance(caller, str | Path):
        return _file(Path(caller))
    if isinstance(caller, tuple) and len(caller) == 2 and isinstance(caller[0], np.ndarray):
        return _samples(caller[0], caller[1])
    if isinstance(caller, Sequence) and not isinstance(caller, bytes):
        return _lines(caller)
    raise ConfigTypeError(f"caller is {type(caller).__name__}: {HOW}.")


def _file(path: Path) -> Sound:
    if not path.exists():
        raise ConfigError(f"caller is {str(path)!r}, and there is no such file: {HOW}.")
    samples, hz = read_wav(path)
    return Sound(samples, hz, path.name)


def _samples(samples: NDArray[Any], hz: object) -> Sound:
    if isinstance(hz, bool) or not isinstance(hz, int | np.integer) or not 4000 <= hz <= 192_000:
        raise ConfigError(f"hz of the caller's samples is {hz!r}; it must be a whole number from 4000 to 192000.")
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

        return synthetic_voice(text)
    return await caller_voice().render(text)


def caller_voice() -> Any:
    """The on-device voice of a test caller; `MissingExtra` where it is not installed."""
    from patter_nb.providers.local import LocalTTS

    voice = LocalTTS(pitch=1.25)
    voice.ready()
    return voice
