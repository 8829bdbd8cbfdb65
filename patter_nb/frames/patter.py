"""Patter's own statistics of turns, by its field names and its rules.

They are those of getpatter 0.7.0's accumulator (`tests/bench/patter_equality.py` compares them), but for this, on purpose:

- What is missing is NaN with its reason in the row, where 0.7.0 has 0 for the four fields of `CORE`; its averages count that 0.
- A first token that came at once is an `llm_ttft_ms` of 0 in its turn, where 0.7.0 has none; `agent_response_ms` is known, too,
  where `tts_ms` is 0.
- Turns of the caller are counted alone; there the greeting is a turn.
- A turn that begins within 100 ms of a barge-in keeps its `stt_ms` and `endpoint_ms`.
- `bargein_ms` belongs to interrupted turns alone, which are left out, so it is always NaN here, as it is None there;
  `percentiles()` has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from patter_nb.frames.needs import caller_turns, floats, group_index, groups, listed, need_columns
from patter_nb.records.metrics import CORE, LATENCIES

if TYPE_CHECKING:
    import pandas as pd

WHO = "patter()"
_SHARES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


def patter(frame: pd.DataFrame, by: str | Iterable[str] | None = None) -> pd.DataFrame:
    """See `Voice.patter`."""
    import pandas as pd

    grouping = listed(by, "by")
    need_columns(frame, [*LATENCIES, "interrupted", *grouping], WHO)
    turns = caller_turns(frame)
    cut = turns["interrupted"].fillna(value=False).astype(bool).to_numpy()
    turns = turns[~cut & (floats(turns, "total_ms", WHO) > 0)]
    values = {name: np.round(floats(turns, name, WHO), 1) for name in LATENCIES}
    found = {
        (*key, name): _statistics(name, values[name][where]) for key, where in groups(turns, grouping) for name in LATENCIES
    }
    index = group_index(turns, list(found), [*grouping, "field"])
    table = pd.DataFrame(list(found.values()), index=index, columns=["n", "avg", *_SHARES])
    return table.astype({"n": "int64", **dict.fromkeys(("avg", *_SHARES), "float64")})


def _statistics(name: str, values: NDArray[np.float64]) -> list[float]:
    """Percentiles leave zeros out, except of the total; averages keep the zeros of the four fields that are always numbers."""
    known = values[~np.isnan(values)]
    counted = known if name == "total_ms" else known[known > 0]
    averaged = known if name in CORE else counted
    shares = np.quantile(counted, list(_SHARES.values())) if len(counted) else [math.nan] * len(_SHARES)
    mean = math.fsum(averaged) / len(averaged) if len(averaged) else math.nan
    return [len(counted), *(round(float(each), 1) for each in (mean, *shares))]
