"""Stages that text and audio pass."""

import re

import numpy as np
import pytest

from patter_nb.errors import PatterError
from patter_nb.session.chains import AudioChain, Samples, TextChain


class Hold:
    """Holds the last character back."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, text: str) -> str:
        text = self.held + text
        self.held = text[-1:]
        return text[:-1]

    def end(self) -> str:
        held, self.held = self.held, ""
        return held


class Upper:
    def feed(self, text: str) -> str:
        return text.upper()

    def end(self) -> str:
        return ""


def test_text_comes_through_whole_whatever_a_stage_holds_back() -> None:
    for stages in ([], [Hold()], [Hold(), Hold()], [Hold(), Upper(), Hold()]):
        chain = TextChain(stages)
        text = "".join(chain.feed(piece) for piece in ("ab", "c", "", "def")) + chain.end()
        assert text.lower() == "abcdef"


def test_stages_run_in_order() -> None:
    chain = TextChain([Hold(), Upper()])
    assert chain.feed("ab") == "A"
    assert chain.end() == "B"


def test_an_audio_chain_is_true_only_with_stages_and_runs_them_in_order() -> None:
    samples = np.array([1, 2], np.int16)
    assert not AudioChain()
    chain = AudioChain([lambda s: s + 1, lambda s: s * 2])
    assert chain
    assert chain.run(samples).tolist() == [4, 6]


class Fails:
    def feed(self, text: str) -> str:
        raise KeyError("no such word")

    def end(self) -> str:
        raise KeyError("no such word")


def test_a_text_stage_that_raises_is_named() -> None:
    for use in (lambda chain: chain.feed("a"), lambda chain: chain.end()):
        with pytest.raises(PatterError, match=r"^Fails raised KeyError: 'no such word'$"):
            use(TextChain([Hold(), Fails()]))


def broken(samples: Samples) -> Samples:
    raise IndexError("too few taps")


def halves(samples: Samples) -> Samples:
    samples //= 2
    return samples


def test_an_audio_stage_that_fails_is_told_once_and_left_out() -> None:
    told: list[str] = []
    chain = AudioChain([broken, halves], told.append)
    samples = np.array([4, 8], np.int16)
    assert [chain.run(samples).tolist() for _ in range(3)] == [[2, 4]] * 3
    assert told == ["broken raised IndexError: too few taps"]
    assert samples.tolist() == [4, 8]


def test_an_audio_stage_must_give_back_what_it_was_given_in_kind() -> None:
    for stage, what in ((lambda s: s / 2, "float64"), (lambda s: s[:1], r"shape \(1,\)"), (lambda s: s.tolist(), "list")):
        told: list[str] = []
        chain = AudioChain([stage], told.append)
        assert chain.run(np.array([4, 8], np.int16)).tolist() == [4, 8]
        assert re.search(what, told[0])
        assert not chain
