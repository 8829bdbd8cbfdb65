"""Copies of the user's own parts, one for each call."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.errors import PatterWarning
from patter_nb.session.copies import own_copy, voice_model


class Remembers:
    def __init__(self) -> None:
        self.heard: list[str] = []


def test_what_one_call_leaves_behind_is_nothing_to_another() -> None:
    given = Remembers()
    own_copy("hum", given).heard.append("a")
    assert given.heard == []


class Panic(BaseException):
    """As extensions written in Rust have it."""


RAISED = [
    *(TypeError, ValueError, AttributeError, RecursionError, KeyError, OSError, copy.Error),
    *(pickle.PicklingError, BufferError, MemoryError, EOFError, SystemExit, Panic),
]


@pytest.mark.parametrize("raised", RAISED)
def test_whatever_keeps_it_from_being_copied_it_is_shared_and_that_is_told_once(raised: type[BaseException]) -> None:
    class Stubborn:
        def __deepcopy__(self, memo: Any) -> Any:
            raise raised("no")

    given = Stubborn()
    why = rf"copy\.deepcopy raised {raised.__name__}: .*no.*"
    said = rf"^hum \(Stubborn\) cannot be copied \({why}\), so it is shared between calls\.$"
    with pytest.warns(PatterWarning, match=said):
        assert own_copy("hum", given) is given
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert own_copy("hum", given) is given


class Detector:
    """One that is taken apart in a way of its own."""

    def process_frame(self, pcm: bytes, sample_rate: int) -> None:
        return None

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise pickle.PicklingError("it holds a device")

    reset = None


@pytest.mark.filterwarnings("ignore:vad")
def test_a_detector_that_cannot_be_copied_is_used() -> None:
    assert "Detector" in voice_model(Detector()).reason


class Judge:
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise pickle.PicklingError("it holds a model")

    async def evaluate(self, *, transcript: str, is_interim: bool, agent_speaking: bool) -> bool:
        return True

    async def reset(self) -> None: ...


@pytest.mark.filterwarnings("ignore:(barge_in_strategies|audio_filter)")
def test_a_call_whose_parts_cannot_be_copied_is_held(hold: Callable[..., Any]) -> None:
    class Filter:
        def process(self, pcm: bytes, sample_rate: int) -> bytes:
            return pcm

        def __reduce_ex__(self, protocol: Any) -> Any:
            raise pickle.PicklingError("it holds a device")

    held = hold(["One?"], audio_filter=Filter(), barge_in_strategies=[Judge()])
    assert (held.turn(1).heard_text, held.error) == ("First answer.", None)
