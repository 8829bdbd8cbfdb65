"""Stages that see the audio of one direction pass, in order.

A chain is empty unless something is plugged in. Stages are users' code: what goes wrong in one is told by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from patter_nb.errors import ConfigTypeError
from patter_nb.session.boundary import guard

Samples = NDArray[np.int16]
AudioStage = Callable[[Samples], Samples]
"""Takes samples of one direction of one call and returns as many; quick, since it runs for every frame."""


class AudioChain:
    """Stages in order; every frame of one direction runs through all of them.

    A stage that raises, or returns anything but as many int16 samples, is left out from then on, and `failed` is told once.
    """

    def __init__(self, stages: Sequence[AudioStage] = (), failed: Callable[[str], None] = lambda _: None) -> None:
        self._stages = list(stages)
        self._failed = failed

    def __bool__(self) -> bool:
        return bool(self._stages)

    def run(self, samples: Samples) -> Samples:
        for stage in tuple(self._stages):
            with guard(partial(self._leave_out, stage), who=_name(stage)):
                samples = _checked(stage(samples.copy()), samples, stage)
        return samples

    def _leave_out(self, stage: AudioStage, error: str) -> None:
        self._stages.remove(stage)
        self._failed(error)


def _checked(after: Samples, before: Samples, stage: AudioStage) -> Samples:
    if not isinstance(after, np.ndarray) or after.dtype != np.int16 or after.shape != before.shape:
        what = f"{after.dtype} of shape {after.shape}" if isinstance(after, np.ndarray) else type(after).__name__
        raise ConfigTypeError(f"{_name(stage)} returned {what}; an audio stage returns int16 of the shape it was given.")
    return after


def _name(stage: object) -> str:
    return getattr(stage, "__qualname__", type(stage).__name__).replace("<locals>.", "")
