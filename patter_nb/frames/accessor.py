"""`frame.voice`: what can be asked of a table of ours, also after it was filtered, cut or joined.

Every method works on any DataFrame that has the columns it needs, and names the one that is missing. Here is where a method is
found; what it does is written in a module of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from patter_nb.errors import warn
from patter_nb.frames import documentation, files, patter, percentiles, plots
from patter_nb.records import tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAME = "voice"


class Voice:
    """The methods of `frame.voice`."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def columns(self) -> pd.DataFrame:
        """What each column is, its unit, its owner, and when it is missing and why."""
        return documentation.columns_of(self._frame)

    def percentiles(
        self,
        by: str | Iterable[str] | None = None,
        *,
        columns: str | Iterable[str] | None = None,
        q: float | Iterable[float] = percentiles.QUANTILES,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Percentiles over the caller's turns, interrupted ones included, missing values left out.

        `by`: a column, or several, to tell apart ("revision"). `columns`: the measures; all latencies of ours when left out. `q`:
        shares between 0 and 1. One row per measure; `turns` and `calls` count those that have a value. Each percentile stands
        between `_low` and `_high`, an interval which holds the true percentile in `level` of all cases. Turns of one call are
        alike, so it is calls that count: with fewer than 5, or fewer than one beyond the percentile (p90 needs 10 calls, p95 20,
        p99 100), there is no interval, and `note` says that n is too small.

        Method: Woodruff (1952) with a variance over calls, see `patter_nb.frames.intervals`.
        """
        return percentiles.percentiles(self._frame, by, columns=columns, q=q, level=level)

    def patter(self, by: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Patter's own fields with its statistics: n, avg, p50, p90, p95, p99, in ms.

        By its rules: over turns that were not interrupted and have a `total_ms`; percentiles (type 7) leave out zeros, except of
        `total_ms`; rounded to tenths. What is missing is NaN here, never 0. `by="call_id"`: one call each, as Patter tells them.
        """
        return patter.patter(self._frame, by)

    def to_parquet(self, path: files.Place) -> None:
        """Write the frame as Parquet; needs pyarrow. Dictionaries and lists become JSON text.

        `patter_nb.frames.read_parquet(path)` gives it back as it was; anything else that reads Parquet reads it, too.
        """
        files.to_parquet(self._frame, path)

    def to_csv(self, path: files.Place) -> None:
        """Write the frame as CSV, in UTF-8. Dictionaries and lists become JSON text, times are ISO text in UTC.

        `patter_nb.frames.read_csv(path)` gives it back with its types. CSV cannot tell an empty text from a missing one.
        """
        files.to_csv(self._frame, path)

    def waterfall(
        self, by: str | Iterable[str] | None = "turn", statistic: plots.Statistic = "median", *, dark: bool | None = None
    ) -> Figure:
        """Where the wait of each turn went, or that of each group. See `patter_nb.frames.plots.waterfall`."""
        return plots.waterfall(self._frame, by, statistic, dark=dark)

    def ecdf(
        self, slo: float | None = 800.0, by: str | Iterable[str] | None = "revision", *, dark: bool | None = None
    ) -> Figure:
        """How many replies came how soon, and within `slo` ms. See `patter_nb.frames.plots.ecdf`."""
        return plots.ecdf(self._frame, slo, by, dark=dark)

    def timeline(self, *, dark: bool | None = None) -> Figure:
        """The gap over time; of a table of events, who spoke when. See `patter_nb.frames.plots.timeline`."""
        return plots.timeline(self._frame, dark=dark)

    def cost(self, by: str | Iterable[str] | None = "turn", *, dark: bool | None = None) -> Figure:
        """What it cost, by turn, call, service or any column. See `patter_nb.frames.plots.cost`."""
        return plots.cost(self._frame, by, dark=dark)


@cache
def register() -> None:
    """Give every DataFrame its `.voice`. Loads pandas. Where somebody else's `.voice` is there already, that one stays."""
    import pandas as pd

    there = getattr(pd.DataFrame, NAME, None)
    if there is not None and f"{getattr(there, '__module__', '')}.{getattr(there, '__qualname__', '')}" != f"{__name__}.Voice":
        warn(f"DataFrame.{NAME} is {there!r}; ours is patter_nb.frames.accessor.Voice(frame).")
        return
    if there is not None:
        delattr(pd.DataFrame, NAME)  # of this module before it was reloaded
    pd.api.extensions.register_dataframe_accessor(NAME)(Voice)


tables.before_frames(register)
