"""Users' own parts in the way of the caller's audio: filters and voice activity detection, in Patter's form or in ours.

They run for every frame on the loop of the call, so they must be quick and are called plainly. Each call has a copy of its own.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np

from patter_nb.audio.samples import Samples
from patter_nb.audio.vad import VAD_HZ, WINDOW, VoiceModel
from patter_nb.errors import ConfigTypeError, PatterWarning

T = TypeVar("T")


@runtime_checkable
class AudioFilter(Protocol):
    """Changes the caller's audio before anything else hears it."""

    def process(self, pcm: bytes, sample_rate: int) -> bytes:
        """`pcm`: 16-bit little-endian mono at `sample_rate`, which is 8000 on a telephone line; as many bytes come back."""


@dataclass(frozen=True, slots=True)
class VADEvent:
    """What a detector of yours noticed."""

    type: Literal["speech_start", "speech_end", "silence"]
    confidence: float = 0.0
    duration_ms: float = 0.0


@runtime_checkable
class VADProvider(Protocol):
    """Voice activity detection that tells of edges."""

    def process_frame(self, pcm: bytes, sample_rate: int) -> VADEvent | None:
        """`pcm`: 32 ms of 16-bit little-endian mono at 8000 Hz. None: nothing changed."""


class EdgeModel:
    """A `VADProvider` as a `VoiceModel`: voiced from each "speech_start" to the next "speech_end".

    What such a detector waits before it says "speech_end" counts as speech, and adds to the hangover.
    """

    window = WINDOW

    def __init__(self, provider: VADProvider) -> None:
        self.reason = f"Voice activity by {type(provider).__name__}, as the agent asks for"
        self._provider = provider
        self._voiced = False

    def probability(self, samples: Samples) -> float:
        """1 while the detector says that somebody speaks, else 0."""
        event = self._provider.process_frame(samples.astype("<i2").tobytes(), VAD_HZ)
        if event is not None and event.type != "silence":
            self._voiced = event.type == "speech_start"
        return 1.0 if self._voiced else 0.0

    def reset(self) -> None:
        self._voiced = False
        reset = getattr(self._provider, "reset", None)
        if reset is not None:
            reset()


def check_vad(value: object) -> None:
    """`ConfigTypeError` for what is no voice activity detection."""
    if isinstance(value, type) or not isinstance(value, VoiceModel | VADProvider):
        given = f"{type(value).__name__} {value!r}"
        raise ConfigTypeError(f"vad is {given}; it must have window, reason, probability() and reset(), or process_frame().")
    _plain("vad.process_frame", getattr(value, "process_frame", None))


def check_filter(value: object) -> None:
    """`ConfigTypeError` for what is no filter."""
    if isinstance(value, type) or not (isinstance(value, AudioFilter) or callable(value)):
        given = f"{type(value).__name__} {value!r}"
        raise ConfigTypeError(f"audio_filter is {given}; it must have process(pcm, sample_rate), or be a function of samples.")
    _plain("audio_filter", getattr(value, "process", value))


def voice_model(vad: VoiceModel | VADProvider) -> VoiceModel:
    """The model of one call."""
    own = own_copy("vad", vad)
    return own if isinstance(own, VoiceModel) else EdgeModel(own)


def audio_stage(audio_filter: AudioFilter | Callable[[Samples], Samples], hz: int) -> Callable[[Samples], Samples]:
    """The filter of one call, from samples to samples: int16, shape (n,), at `hz`."""
    own = own_copy("audio_filter", audio_filter)
    if not isinstance(own, AudioFilter):
        return own
    process = own.process

    def stage(samples: Samples) -> Samples:
        return np.frombuffer(process(samples.astype("<i2").tobytes(), hz), "<i2").astype(np.int16)

    stage.__qualname__ = f"{type(own).__name__}.process"
    return stage


def own_copy(name: str, value: T) -> T:
    """A deep copy for one call; the object itself, with a warning, where it cannot be copied."""
    if inspect.isroutine(value):
        return value
    try:
        return copy.deepcopy(value)
    except (TypeError, ValueError, AttributeError, copy.Error) as error:
        warnings.warn(f"{name} cannot be copied ({error}), so calls share it.", PatterWarning, stacklevel=2)
        return value


def _plain(name: str, function: Any) -> None:
    if inspect.iscoroutinefunction(function):
        raise ConfigTypeError(f"{name} is async; it runs for every frame and must be a plain function.")
