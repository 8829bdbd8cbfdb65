"""Percentiles of latencies with their number of turns and calls, and an interval that knows which turns are of one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.frames.intervals import Estimate, calls_needed, estimates
from patter_nb.frames.needs import caller_turns, floats, group_index, groups, listed, need_columns
from patter_nb.records.columns import TURN_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

WHO = "percentiles()"
QUANTILES = (0.50, 0.90, 0.95, 0.99)


def percentiles(
    frame: pd.DataFrame,
    by: str | Iterable[str] | None = None,
    *,
    columns: str | Iterable[str] | None = None,
    q: float | Iterable[float] = QUANTILES,
    level: float = 0.95,
) -> pd.DataFrame:
    """See `Voice.percentiles`."""
    names, grouping = listed(columns, "columns") or milliseconds(frame), listed(by, "by")
    need_columns(frame, [*names, *grouping, "call_id"], WHO)
    if not names:
        raise ConfigError(f"{WHO} finds no latency of ours in this frame: say columns=[...].")
    wanted, share = _shares(q), _share(level, "level")
    turns = caller_turns(frame)
    values = {name: floats(turns, name, WHO) for name in names}
    calls = codes(turns)
    keys, rows = [], []
    for key, where in groups(turns, grouping):
        for name in names:
            keys.append((*key, name))
            rows.append(_row(values[name][where], calls[where], wanted, share))
    return _table(turns, keys, rows, grouping, wanted)


def milliseconds(frame: pd.DataFrame) -> list[str]:
    """The latencies of the turns table that this frame has, in that table's order."""
    return [each.name for each in TURN_COLUMNS if each.unit == "ms" and each.name in frame.columns]


def codes(turns: pd.DataFrame) -> NDArray[np.int64]:
    """Which call each row is of, as numbers from 0 on; a row without a call is a call of its own."""
    import pandas as pd

    found = pd.factorize(turns["call_id"])[0].astype(np.int64)
    alone = found < 0
    found[alone] = len(found) + np.arange(int(alone.sum()))
    return found


def label(q: float) -> str:
    """0.95 is "p95", 0.999 "p99.9"."""
    return f"p{100 * q:.10g}"


_Row = tuple[int, int, list[Estimate]]


def _row(values: NDArray[np.float64], calls: NDArray[np.int64], q: Sequence[float], level: float) -> _Row:
    known = ~np.isnan(values)
    mine, number = np.unique(calls[known], return_inverse=True)
    return int(known.sum()), len(mine), estimates(values[known], number, q, level)


def _table(
    turns: pd.DataFrame, keys: list[tuple[object, ...]], rows: list[_Row], by: list[str], q: Sequence[float]
) -> pd.DataFrame:
    import pandas as pd

    data: dict[str, NDArray[Any]] = {
        name: np.array([row[at] for row in rows], dtype=np.int64) for at, name in enumerate(("turns", "calls"))
    }
    for number, each in enumerate(q):
        found = [estimate[number] for _, _, estimate in rows]
        for field in Estimate._fields:
            name = label(each) if field == "value" else f"{label(each)}_{field}"
            data[name] = np.array([getattr(estimate, field) for estimate in found], dtype=np.float64)
    table = pd.DataFrame(data)
    table["note"] = pd.Series([_note(m, q) for _, m, _ in rows], dtype=pd.StringDtype("python"))
    return table.set_index(group_index(turns, keys, [*by, "latency"]))


def _note(calls: int, q: Sequence[float]) -> str | None:
    small = [f"{label(each)} ({calls_needed(each)} calls)" for each in q if calls < calls_needed(each)]
    return f"n too small for {', '.join(small)}" if small else None


def _shares(q: float | Iterable[float]) -> list[float]:
    found = [_share(each, "q") for each in ([q] if isinstance(q, int | float) or not isinstance(q, Iterable) else q)]
    if not found:
        raise ConfigError("q is empty: give one share or several, for example q=[0.5, 0.95].")
    return found


def _share(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise ConfigTypeError(f"{what} is {value!r}; it must be a share between 0 and 1, for example 0.95.")
    if not 0 < value < 1:
        raise ConfigError(f"{what} is {value!r}; it must lie between 0 and 1: 0.95, not 95.")
    return float(value)
