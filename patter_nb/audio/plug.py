"""Users' own parts in the way of the caller's audio: filters and voice activity detection, in Patter's form or in ours.

They run for every frame, on the loop of the call, so they must be quick and cannot be async. Each call has a deep copy (see
`session.copies`); what cannot be copied, and what a function keeps outside of itself, is shared between calls.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from patter_nb.audio.samples import Samples
from patter_nb.audio.vad import VAD_HZ, WINDOW, VoiceModel
from patter_nb.errors import ConfigError, ConfigTypeError


@runtime_checkable
class AudioFilter(Protocol):
    """Changes the caller's audio before anything else hears it. It may have `close()`, called when the call is over."""

    def process(self, pcm: bytes, sample_rate: int) -> bytes:
        """`pcm`: 16-bit little-endian mono at `sample_rate`, which is 8000 on a telephone line; as many bytes come back."""


@dataclass(frozen=True, slots=True)
class VADEvent:
    """What a detector of yours noticed; the type is what counts here."""

    type: Literal["speech_start", "speech_end", "silence"]
    confidence: float = 0.0
    duration_ms: float = 0.0


@runtime_checkable
class VADProvider(Protocol):
    """Voice activity detection that tells of edges. It may have `reset()`, called when another stream begins."""

    def process_frame(self, pcm: bytes, sample_rate: int) -> VADEvent | None:
        """`pcm`: 32 ms of 16-bit little-endian mono at 8000 Hz. None, or "silence": nothing changed."""


class EdgeModel:
    """A `VADProvider` as a `VoiceModel`: voiced from each "speech_start" to the window before the next "speech_end".

    In quiet its own wait before "speech_end" costs nothing, since a window without a loud block is no speech whatever a model
    says. In noise loudness cannot tell: there that wait is added to the agent's hangover, and speech seems to end later.
    """

    window = WINDOW

    def __init__(self, provider: VADProvider) -> None:
        self.reason = f"Voice activity by {type(provider).__name__}, as the agent asks for"
        self._provider = provider
        self._voiced = False

    def probability(self, samples: Samples) -> float:
        """1 while the detector says that somebody speaks, else 0. `ConfigTypeError` for what is no event."""
        event = self._provider.process_frame(samples.astype("<i2").tobytes(), VAD_HZ)
        if event is not None:
            self._take(event)
        return 1.0 if self._voiced else 0.0

    def _take(self, event: object) -> None:
        kind = getattr(event, "type", None)
        if kind not in ("speech_start", "speech_end", "silence"):
            name = f"{type(self._provider).__name__}.process_frame"
            raise ConfigTypeError(f"{name} returned {event!r}; it must return None or a VADEvent of a known type.")
        if kind != "silence":
            self._voiced = kind == "speech_start"

    def reset(self) -> None:
        """Another stream begins, in silence."""
        self._voiced = False
        reset = getattr(self._provider, "reset", None)
        if reset is not None:
            reset()


class FilterStage:
    """An `AudioFilter` as a stage of one call: from samples to samples."""

    def __init__(self, audio_filter: AudioFilter, hz: int, *, shared: bool) -> None:
        self.__qualname__ = f"{type(audio_filter).__name__}.process"
        self._filter = audio_filter
        self._hz = hz
        self._shared = shared

    def __call__(self, samples: Samples) -> Samples:
        """`samples` as the filter left them: int16, shape (n,)."""
        processed = self._filter.process(samples.astype("<i2").tobytes(), self._hz)
        if not isinstance(processed, bytes | bytearray | memoryview):
            raise ConfigTypeError(f"{self.__qualname__} returned {type(processed).__name__}; it must return bytes.")
        if len(processed) != 2 * len(samples):
            given = f"{len(processed)} bytes for {2 * len(samples)}"
            raise ConfigError(f"{self.__qualname__} returned {given}; it must return as many as it was given.")
        return np.frombuffer(processed, "<i2").astype(np.int16)

    def close(self) -> Any:
        """Call the filter's own `close()`, if it has one and serves this call alone; what it returned, perhaps an awaitable."""
        close = getattr(self._filter, "close", None)
        return close() if close is not None and not self._shared else None


def check_vad(value: object) -> None:
    """`ConfigTypeError` for what is no voice activity detection."""
    if isinstance(value, type) or not isinstance(value, VoiceModel | VADProvider):
        form = "window, reason, probability() and reset(), or process_frame(pcm, sample_rate)"
        raise ConfigTypeError(f"vad is {_given(value)}; it must be an object with {form}.")
    if not isinstance(value, VoiceModel):
        _require_plain("vad.process_frame", value.process_frame)
        return
    _require_plain("vad.probability", value.probability)
    if isinstance(value.window, bool) or not isinstance(value.window, int) or value.window < 1:
        raise ConfigError(f"vad.window is {value.window!r}; it must be the number of samples at 8 kHz that probability() takes.")


def check_filter(value: object) -> None:
    """`ConfigTypeError` for what is no filter."""
    if isinstance(value, type) or not (isinstance(value, AudioFilter) or callable(value)):
        form = "an object with process(pcm, sample_rate), or a function of int16 samples"
        raise ConfigTypeError(f"audio_filter is {_given(value)}; it must be {form}.")
    _require_plain("audio_filter", getattr(value, "process", value))


def _require_plain(name: str, function: Any) -> None:
    call = getattr(type(function), "__call__", None)  # noqa: B004 (an object with an async __call__)
    if any(test(each) for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction) for each in (function, call)):
        raise ConfigTypeError(f"{name} is async; it runs for every frame and must be a plain function.")


def _given(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
