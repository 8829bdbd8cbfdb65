"""Each call has copies of the user's own parts: what one call leaves behind in an object is nothing to another."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

from patter_nb.audio.plug import AudioFilter, EdgeModel, FilterStage, VADProvider
from patter_nb.audio.samples import Samples
from patter_nb.audio.vad import VoiceModel
from patter_nb.errors import PatterWarning
from patter_nb.session.boundary import guard

T = TypeVar("T")

_shared: WeakSet[type] = WeakSet()
"""Classes of which it was told that their objects are shared."""


def voice_model(vad: VoiceModel | VADProvider) -> VoiceModel:
    """The model of one call. Copies of a `SileroModel` share its network, which remembers nothing, and nothing else."""
    own = own_copy("vad", vad)
    return own if isinstance(own, VoiceModel) else EdgeModel(own)


def audio_stage(audio_filter: AudioFilter | Callable[[Samples], Samples], hz: int) -> Callable[[Samples], Samples]:
    """The filter of one call, from samples to samples: int16, shape (n,), at `hz`. A `FilterStage` has a `close()`."""
    own = own_copy("audio_filter", audio_filter)
    return FilterStage(own, hz, shared=own is audio_filter) if isinstance(own, AudioFilter) else own


def own_copy(name: str, value: T) -> T:
    """A deep copy for one call. The object itself where it cannot be copied, with a warning, once for each class."""
    copied, failed = [value], list[str]()
    with guard(failed.append, who="copy.deepcopy"):
        copied.append(copy.deepcopy(value))
    if failed and type(value) not in _shared:
        _shared.add(type(value))
        told = f"{name} ({type(value).__name__}) cannot be copied ({failed[0]}), so it is shared between calls."
        warnings.warn(told, PatterWarning, stacklevel=3)
    return copied[-1]
