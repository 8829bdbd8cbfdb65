"""Stages that audio passes."""

import re

import numpy as np

from patter_nb.session.chains import AudioChain, Samples


def test_an_audio_chain_is_true_only_with_stages_and_runs_them_in_order() -> None:
    samples = np.array([1, 2], np.int16)
    assert not AudioChain()
    chain = AudioChain([lambda s: s + 1, lambda s: s * 2])
    assert chain
    assert chain.run(samples).tolist() == [4, 6]


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
