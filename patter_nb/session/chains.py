"""What lies between the parts of a pipeline: stages that see the text or the audio pass, in order. Empty unless something is plugged in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
AudioStage = Callable[[Samples], Samples]
"""Takes samples of one direction of one call and returns as many; quick, since it runs for every frame."""


class TextStage(Protocol):
    """Sees a reply's text between the model and the voice. One object serves one reply and may hold text back."""

    def feed(self, text: str) -> str:
        """The text that may pass now."""

    def end(self) -> str:
        """What was held back, when the reply's text is complete."""


class TextChain:
    """Stages in order; the text of one reply runs through all of them."""

    def __init__(self, stages: Sequence[TextStage] = ()) -> None:
        self._stages = tuple(stages)

    def feed(self, text: str) -> str:
        for stage in self._stages:
            text = stage.feed(text)
        return text

    def end(self) -> str:
        rest = ""
        for stage in self._stages:
            rest = (stage.feed(rest) if rest else "") + stage.end()
        return rest


class AudioChain:
    """Stages in order; every frame of one direction runs through all of them."""

    def __init__(self, stages: Sequence[AudioStage] = ()) -> None:
        self._stages = tuple(stages)

    def __bool__(self) -> bool:
        return bool(self._stages)

    def run(self, samples: Samples) -> Samples:
        for stage in self._stages:
            samples = stage(samples)
        return samples
