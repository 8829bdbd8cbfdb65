"""Shares and means with the interval they may lie in, and what can be said of two of them: how much they differ, or nothing.

The turns of one call are alike, so calls are what counts, as for percentiles (see `patter_nb.frames.intervals`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from patter_nb.frames.intervals import FEWEST_CALLS, Estimate, estimates, student_t
from patter_nb.notebook.view import whole_text

TOO_SMALL = "n too small"
TOO_FEW = "too few to tell"
LEVEL = 0.95

Floats = NDArray[np.float64]
Calls = NDArray[np.int64]


def quantile(values: Floats, calls: Calls, q: float) -> Estimate:
    """The quantile with its interval."""
    (found,) = estimates(values, calls, [q], LEVEL)
    return found


def mean(values: Floats, calls: Calls) -> Estimate:
    """The mean; its variance is that of a ratio over calls."""
    middle = float(values.mean())
    count = len(np.unique(calls))
    if count < FEWEST_CALLS:
        return Estimate(middle, math.nan, math.nan)
    reach = student_t(LEVEL, count - 1) * math.sqrt(_variance(values - middle, calls, count))
    return Estimate(middle, middle - reach, middle + reach)


def share(hits: NDArray[np.bool_], calls: Calls) -> Estimate:
    """The share of hits: Wilson's interval for as many independent turns as these are worth. It never leaves 0 to 1."""
    values = hits.astype("float64")
    found, count = float(values.mean()), len(np.unique(calls))
    if count < FEWEST_CALLS:
        return Estimate(found, math.nan, math.nan)
    variance = _variance(values - found, calls, count)
    # Where all are hits, or none, nothing shows how alike the turns of a call are: then calls alone are counted.
    worth = min(len(values), found * (1 - found) / variance) if variance > 0 else count
    t = student_t(LEVEL, count - 1)
    middle = (found + t**2 / (2 * worth)) / (1 + t**2 / worth)
    reach = t / (1 + t**2 / worth) * math.sqrt(found * (1 - found) / worth + t**2 / (4 * worth**2))
    return Estimate(found, max(0.0, middle - reach), min(1.0, middle + reach))


def known(estimate: Estimate) -> bool:
    """Whether there is an interval."""
    return math.isfinite(estimate.low) and math.isfinite(estimate.high)


def difference(after: Estimate, before: Estimate) -> Estimate:
    """How much more `after` is, from the two intervals (MOVER), as if the two were independent.

    Calls that are in both make them alike, and the true interval narrower than this one.

        Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general approach. Statistics
        in Medicine 27, 1693-1702.
    """
    low = math.hypot(after.value - after.low, before.high - before.value)
    high = math.hypot(after.high - after.value, before.value - before.low)
    change = after.value - before.value
    return Estimate(change, change - low, change + high)


def verdict(change: Estimate, unit: str, scale: float = 1.0) -> str:
    """What the data say of a difference: its interval, or that they are too few."""
    if not known(change) or change.low <= 0 <= change.high:
        return f": {TOO_FEW}"
    low, high = sorted(abs(each) * scale for each in (change.low, change.high))
    return f"; the difference is {whole_text(low)} to {whole_text(high)} {unit}"


def _variance(deviations: Floats, calls: Calls, count: int) -> float:
    """Of their mean, from the sums of each call; never less than that of independent values."""
    sums, n = np.bincount(calls, deviations), len(deviations)
    return max(float(sums @ sums) * count / (count - 1), float(deviations @ deviations)) / n**2
