"""Quantiles of clustered values, and how far off they may be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from patter_nb.frames.intervals import calls_needed, estimates, student_t

MEDIAN = [0.5]


def calls_of(sizes: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


@st.composite
def clustered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=25))
    values = draw(st.lists(st.floats(0, 1e6), min_size=sum(sizes), max_size=sum(sizes)))
    return np.array(values), calls_of(sizes)


@given(clustered(), st.floats(0.02, 0.98), st.floats(0.5, 0.99))
def test_the_quantile_is_numpys_and_lies_in_its_interval_whose_ends_are_values(
    drawn: tuple[np.ndarray, np.ndarray], q: float, level: float
) -> None:
    values, calls = drawn
    (found,) = estimates(values, calls, [q], level)
    assert found.value == pytest.approx(np.quantile(values, q), rel=1e-12, abs=1e-9)
    if calls[-1] + 1 < calls_needed(q):
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    else:
        assert found.low <= found.value <= found.high
        assert {found.low, found.high} <= set(values)


def by_definition(values: np.ndarray, calls: np.ndarray, q: float, level: float) -> tuple[float, float]:
    """The interval as it is described, call by call and value by value."""
    n, names = len(values), sorted(set(calls))
    at = np.quantile(values, q)
    share = sum(value <= at for value in values) / n
    squares = 0.0
    for name in names:
        mine = values[calls == name]
        squares += (sum(value <= at for value in mine) - share * len(mine)) ** 2
    between = squares * len(names) / (len(names) - 1) / n**2
    reach = student_t(level, len(names) - 1) * max(between, q * (1 - q) / n) ** 0.5
    low = min((x for x in values if sum(values <= x) >= n * (q - reach)), default=min(values))
    high = min((x for x in values if sum(values <= x) > n * (q + reach)), default=max(values))
    return low, high


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_is_what_it_is_said_to_be(seed: int) -> None:
    """Calls of very different lengths, values that are tied in a third of the cases."""
    draw = np.random.default_rng(seed)
    calls = calls_of(draw.integers(1, 30, size=draw.integers(10, 60)).tolist())
    values = draw.normal(size=calls[-1] + 1)[calls] * draw.uniform(0, 2) + draw.normal(size=len(calls))
    values = np.round(values, 0 if seed % 3 == 0 else 9)
    for q, level in ((0.5, 0.95), (0.9, 0.8), (0.2, 0.5), (0.5, 0.3)):
        (found,) = estimates(values, calls, [q], level)
        assert (found.low, found.high) == by_definition(values, calls, q, level)


@given(clustered(), st.floats(0.05, 0.95), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_turns_nor_the_names_of_the_calls_matter(drawn, q: float, dice) -> None:
    values, calls = drawn
    order = list(range(len(values)))
    dice.shuffle(order)
    renamed = np.array(dice.sample(range(1000), int(calls[-1]) + 1))[calls]
    (one,), (other,) = estimates(values[order], renamed[order], [q], 0.95), estimates(values, calls, [q], 0.95)
    assert one == pytest.approx(other, nan_ok=True)


@given(clustered(), st.floats(0.05, 0.95))
def test_a_higher_level_never_has_a_narrower_interval(drawn, q: float) -> None:
    values, calls = drawn
    low, high = (estimates(values, calls, [q], level)[0] for level in (0.8, 0.95))
    assert math.isnan(low.low) or (high.low <= low.low and low.high <= high.high)


@given(clustered(), st.floats(0.05, 0.95))
def test_the_ends_move_with_any_increasing_change_of_scale(drawn, q: float) -> None:
    values, calls = np.round(drawn[0]), drawn[1]
    (plain,), (changed,) = estimates(values, calls, [q], 0.95), estimates(2 * values + 7, calls, [q], 0.95)
    if not math.isnan(plain.low):
        assert (changed.low, changed.high) == (2 * plain.low + 7, 2 * plain.high + 7)


def test_turns_that_are_alike_within_calls_widen_the_interval() -> None:
    draw = np.random.default_rng(1)
    calls = calls_of([10] * 20)
    apart, together = draw.normal(size=200), np.repeat(draw.normal(size=20), 10)
    wide, narrow = (estimates(values, calls, MEDIAN, 0.95)[0] for values in (together, apart))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_independent_turns_have_the_interval_of_the_sign_test() -> None:
    values = np.sort(np.random.default_rng(2).normal(size=400))
    (found,) = estimates(values, np.arange(400), MEDIAN, 0.95)
    low, high = (int(stats.binom.ppf(p, 400, 0.5)) for p in (0.025, 0.975))
    assert values[low - 1] <= found.low <= values[low + 1]
    assert values[high - 1] <= found.high <= values[high + 1]


def test_a_worked_interval() -> None:
    """Six calls of one turn: reach is t(5) * sqrt(0.25 / 6 * 6 / 5) = 2.5706 * 0.2236, beyond either end of the values."""
    (found,) = estimates(np.array([1.0, 2, 3, 4, 5, 6]), np.arange(6), MEDIAN, 0.95)
    assert found == (3.5, 1.0, 6.0)
    (found,) = estimates(np.array([1.0, 2, 3, 4, 5, 6]), np.arange(6), MEDIAN, 0.5)
    # t(5) at 0.5 is 0.7267, so the range is 0.5 +- 0.1625: from 2.025 of 6 values to 3.975 of them.
    assert found == (3.5, 3.0, 4.0)


@pytest.mark.parametrize(("q", "calls"), [(0.5, 5), (0.9, 10), (0.1, 10), (0.95, 20), (0.99, 100), (0.999, 1000)])
def test_a_quantile_needs_a_call_beyond_it(q: float, calls: int) -> None:
    assert calls_needed(q) == calls
    values = np.random.default_rng(3).normal(size=2 * calls)
    enough, few = (estimates(values[: 2 * n], calls_of([2] * n), [q], 0.95)[0] for n in (calls, calls - 1))
    assert not math.isnan(enough.low)
    assert math.isnan(few.low)
    assert not math.isnan(few.value)


def test_values_that_are_all_the_same_have_an_interval_of_no_width_and_none_at_all_have_none() -> None:
    assert estimates(np.full(20, 3.0), calls_of([2] * 10), MEDIAN, 0.95) == [(3, 3, 3)]
    assert all(math.isnan(each) for each in estimates(np.array([]), np.array([], dtype=np.int64), MEDIAN, 0.95)[0])


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("freedom", [4, 5, 9, 29, 299])
def test_students_t_is_scipys(level: float, freedom: int) -> None:
    near = 0.003 if level > 0.95 else 0.0004
    assert student_t(level, freedom) == pytest.approx(stats.t.ppf((1 + level) / 2, freedom), rel=near)


@pytest.mark.parametrize(("q", "likeness"), [(0.5, 0.0), (0.5, 0.6), (0.9, 0.3)])
def test_the_truth_is_covered_about_as_often_as_said(q: float, likeness: float) -> None:
    """400 draws of 12 calls; `tests/bench/interval_coverage.py` has the whole table."""
    draw, calls = np.random.default_rng(4), calls_of([8] * 12)
    truth, covered = stats.norm.ppf(q), 0
    for _ in range(400):
        values = likeness**0.5 * draw.normal(size=12)[calls] + (1 - likeness) ** 0.5 * draw.normal(size=96)
        (found,) = estimates(values, calls, [q], 0.95)
        covered += found.low <= truth <= found.high
    assert covered / 400 > 0.915
