"""Quantiles of values that come in clusters, with intervals: the turns of one call are more alike than turns of two calls.

The interval is Woodruff's: the share of values up to the quantile lies near q, give or take its standard error, and the values
that stand at the two ends of that range are the ends of the interval. It needs no model of the values and no random numbers, and
is the same in any unit. The standard error of the share is that of a ratio over clusters (linearised, from the sum of each call's
deviations), so that likeness within calls widens the interval as it should; it is never taken to be smaller than that of
independent values. It is multiplied by t with one degree of freedom less than there are calls.

    Woodruff, R. S. (1952). Confidence intervals for medians and other position measures. Journal of the American Statistical
    Association 47, 635-646.
    Francisco, C. A. and Fuller, W. A. (1991). Quantile estimation with a complex survey design. Annals of Statistics 19, 454-469.

Where the range reaches beyond 0 or 1 the interval ends at the smallest or the largest value there is. In simulations
(`tests/bench/interval_coverage.py`) intervals of 95 % held the truth in 92 to 100 % of all cases wherever they are given; those
of resampled calls (the cluster bootstrap) in 80 to 95 %, and in 71 to 74 % for the median of three calls. With fewer calls than
`calls_needed` there is no interval: it would have held the truth in as little as 16 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST_CALLS = 5
"""Fewer tell next to nothing of how much calls differ."""
FEWEST_IN_TAIL = 1.0
"""Calls times the share beyond the quantile: p90 needs 10 calls, p95 20, p99 100."""


class Estimate(NamedTuple):
    """A quantile and its interval, both NaN where n is too small for one."""

    value: float
    low: float
    high: float


def calls_needed(q: float) -> int:
    """From how many calls on a quantile has an interval."""
    return max(FEWEST_CALLS, math.ceil(round(FEWEST_IN_TAIL / min(q, 1 - q), 6)))


def estimates(values: NDArray[np.float64], calls: NDArray[np.int64], q: Sequence[float], level: float) -> list[Estimate]:
    """Each quantile of `q` (linear between ranks, type 7) with its interval. `calls`: which call each value is of, 0, 1, 2, ...

    Values are numbers, NaN left out before; calls without a value may be among the numbers of `calls`.
    """
    if not len(values):
        return [Estimate(math.nan, math.nan, math.nan)] * len(q)
    order = np.argsort(values, kind="stable")
    ranked, owners = values[order], calls[order]
    sizes = np.bincount(owners)
    return [_estimate(ranked, owners, sizes, each, level) for each in q]


def _estimate(
    ranked: NDArray[np.float64], owners: NDArray[np.int64], sizes: NDArray[np.int64], q: float, level: float
) -> Estimate:
    n, calls = len(ranked), int(np.count_nonzero(sizes))
    value = _quantile(ranked, q)
    if calls < calls_needed(q):
        return Estimate(value, math.nan, math.nan)
    up_to = int(np.searchsorted(ranked, value, side="right"))
    deviations = np.bincount(owners[:up_to], minlength=len(sizes)) - up_to / n * sizes
    between = float(deviations @ deviations) * calls / (calls - 1) / n**2
    reach = student_t(level, calls - 1) * math.sqrt(max(between, q * (1 - q) / n))
    # The smallest value up to which a share of q - reach lies, and the next one after a share of q + reach.
    first, last = math.ceil(n * (q - reach)) - 1, math.floor(n * (q + reach))
    return Estimate(value, float(ranked[max(first, 0)]), float(ranked[min(last, n - 1)]))


def _quantile(ranked: NDArray[np.float64], q: float) -> float:
    rank = q * (len(ranked) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ranked) - 1)
    return float(ranked[below] + (ranked[above] - ranked[below]) * (rank - below))


def student_t(level: float, freedom: int) -> float:
    """The t within whose bounds `level` of the distribution lies.

    From 4 degrees of freedom on it is within 0.04 % for levels up to 0.95, and within 0.3 % at 0.99.

    The expansion at the normal quantile: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.5.
    """
    z, v = NormalDist().inv_cdf((1 + level) / 2), freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / v ** (power + 1) for power, term in enumerate(terms))
