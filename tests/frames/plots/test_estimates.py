from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.frames.intervals import Estimate
from patter_nb.frames.plots.estimates import TOO_FEW, difference, known, mean, share, verdict

HITS = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=80)


@given(HITS)
def test_a_share_lies_in_its_interval_and_the_interval_between_nothing_and_all(turns: list[tuple[bool, int]]) -> None:
    hits, calls = np.array([hit for hit, _ in turns]), np.array([call for _, call in turns])
    found = share(hits, calls)
    assert found.value == pytest.approx(hits.mean())
    assert known(found) == (len(set(calls.tolist())) >= 5)
    if known(found):
        assert 0 <= found.low <= found.value + 1e-9
        assert found.value - 1e-9 <= found.high <= 1


def test_where_all_turns_are_hits_as_much_is_known_as_there_are_calls() -> None:
    few, many = (share(np.ones(count * 10, dtype=bool), np.repeat(np.arange(count), 10)) for count in (6, 60))
    assert (few.high, many.high) == (1.0, pytest.approx(1.0))
    assert few.low < 0.7 < many.low < 1.0


def test_turns_that_are_alike_within_a_call_are_worth_less() -> None:
    calls = np.repeat(np.arange(20), 10)
    alike, mixed = share(calls % 2 == 0, calls), share(np.arange(200) % 2 == 0, calls)
    assert alike.value == mixed.value == 0.5
    assert alike.high - alike.low > 2.5 * (mixed.high - mixed.low)


@pytest.mark.parametrize(("what", "truth"), [(mean, 800.0), (share, 0.4)], ids=["mean", "share"])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(what, truth) -> None:  # type: ignore[no-untyped-def]
    """1000 samples of 10 calls of 8 turns that are alike (seed 5)."""
    dice, held = np.random.default_rng(5), 0
    calls = np.repeat(np.arange(10), 8)
    for _ in range(1000):
        if what is mean:
            values = 800 + np.repeat(60 * dice.standard_normal(10), 8) + 100 * dice.standard_normal(80)
        else:
            chance = dice.beta(4, 6, 10)  # its mean is 0.4
            values = dice.random(80) < np.repeat(chance, 8)
        found = what(values, calls)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / 1000 <= 0.975


def test_of_four_calls_there_is_no_interval() -> None:
    found = mean(np.arange(40.0), np.arange(40) % 4)
    assert (found.value, known(found)) == (19.5, False)


def test_a_difference_is_as_unsure_as_both_are() -> None:
    change = difference(Estimate(840.0, 800.0, 900.0), Estimate(960.0, 930.0, 980.0))
    assert change == Estimate(-120.0, -120 - math.hypot(40, 20), -120 + math.hypot(60, 30))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Estimate(-120.0, -165.0, -53.0), "; the difference is 53 to 165 ms"),
        (Estimate(70.0, 20.0, 110.0), "; the difference is 20 to 110 ms"),
        (Estimate(-120.0, -260.0, 20.0), f": {TOO_FEW}"),
        (Estimate(-120.0, math.nan, math.nan), f": {TOO_FEW}"),
    ],
)
def test_a_difference_is_told_where_nothing_is_not_among_what_it_may_be(change: Estimate, told: str) -> None:
    assert verdict(change, "ms") == told


def test_points_are_hundreds_of_a_share() -> None:
    assert verdict(Estimate(0.1, 0.04, 0.16), "points", 100) == "; the difference is 4 to 16 points"
