"""How often the intervals of `.voice.percentiles()` hold the true percentile, by simulation, beside two other methods.

    python tests/bench/interval_coverage.py [simulations]

Calls of 4 to 16 turns (uniform); the logarithm of a gap is normal with a standard deviation of 0.5 around 6.3 (median 545 ms), a
share of that variance (the likeness) being the call's own. 2,000 simulations of each row unless you say otherwise, seed 12,
nominal 95 %. A cell shows the share of intervals that held the truth, and the mean ratio of their ends; in parentheses what would
have been held where n is too small and no interval is given. "naive" is the same method as if turns were independent; "bootstrap"
draws whole calls with replacement, 500 times, and takes the middle 95 % of the quantiles, in a quarter of the simulations.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from patter_nb.frames import intervals

SEED, LEVEL, DRAWS, SIGMA = 12, 0.95, 500, 0.5
CALLS = (3, 5, 10, 20, 30, 100)
LIKENESS = (0.0, 0.1, 0.3, 0.6)
SHARES = (0.50, 0.90, 0.95, 0.99)
NEEDED = {q: intervals.calls_needed(q) for q in SHARES}
Values = NDArray[np.float64]
Calls = NDArray[np.int64]
Interval = tuple[float, float]


def drawn(draw: np.random.Generator, calls: int, likeness: float) -> tuple[Values, Calls]:
    owners = np.repeat(np.arange(calls), draw.integers(4, 17, size=calls))
    spread = math.sqrt(likeness) * draw.normal(size=calls)[owners] + math.sqrt(1 - likeness) * draw.normal(size=len(owners))
    return np.exp(6.3 + SIGMA * spread), owners


def ours(values: Values, calls: Calls, q: float) -> Interval:
    (found,) = intervals.estimates(values, calls, [q], LEVEL)
    return found.low, found.high


def naive(values: Values, _calls: Calls, q: float) -> Interval:
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(q * (1 - q) / len(values))
    low, high = np.quantile(values, [max(q - reach, 0), min(q + reach, 1)])
    return float(low), float(high)


def bootstrap(values: Values, calls: Calls, q: float) -> Interval:
    draw, count = np.random.default_rng(len(values)), int(calls[-1]) + 1
    order = np.argsort(values)
    weights = draw.multinomial(count, np.full(count, 1 / count), size=DRAWS)[:, calls[order]].cumsum(axis=1)
    found = values[order][(weights >= q * weights[:, -1:]).argmax(axis=1)]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


METHODS: dict[str, Callable[[Values, Calls, float], Interval]] = {"ours": ours, "naive": naive, "bootstrap": bootstrap}


def cell(calls: int, likeness: float, simulations: int) -> list[str]:
    seen: dict[tuple[str, float], list[tuple[bool, float]]] = {}
    draw = np.random.default_rng([SEED, calls, round(100 * likeness)])
    for number in range(simulations):
        values, owners = drawn(draw, calls, likeness)
        for q in SHARES:
            truth = math.exp(6.3 + SIGMA * NormalDist().inv_cdf(q))
            for name, method in METHODS.items():
                if name == "bootstrap" and (number % 4 or calls > 30):
                    continue
                low, high = method(values, owners, q)
                seen.setdefault((name, q), []).append((low <= truth <= high, math.log(high / low)))
    return [shown(name, calls < NEEDED[q], seen.get((name, q), [])) for q in SHARES for name in METHODS]


def shown(name: str, too_few: bool, found: list[tuple[bool, float]]) -> str:
    if not found:
        return f"{name} {'-':>13}"
    held = f"{100 * sum(each for each, _ in found) / len(found):.1f} %"
    told = f"({held})" if too_few and name == "ours" else f"{held} "
    return f"{name} {told:>9} x{math.exp(float(np.mean([ratio for _, ratio in found]))):5.2f}"


def main() -> None:
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    intervals.FEWEST_CALLS, intervals.FEWEST_IN_TAIL = 2, 0.0  # so that one sees what the rule is for
    print(f"{simulations} simulations of each row, seed {SEED}, nominal {LEVEL:.0%}, load {os.getloadavg()[0]:.1f}")
    for calls in CALLS:
        for likeness in LIKENESS:
            found = cell(calls, likeness, simulations)
            for place, q in enumerate(SHARES):
                row = f"{calls:>4} calls, likeness {likeness:.1f}, p{100 * q:<3g}"
                print(row, *found[3 * place : 3 * place + 3], sep="  | ", flush=True)


if __name__ == "__main__":
    main()
