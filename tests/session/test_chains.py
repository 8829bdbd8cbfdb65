"""Stages that text and audio pass."""

import numpy as np

from patter_nb.session.chains import AudioChain, TextChain


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
