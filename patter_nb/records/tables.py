"""Calls, turns, events and costs as DataFrames. Every frame has all its columns with their types, also when it is empty."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from patter_nb.records.columns import (
    CALL_COLUMNS,
    EVENT_COLUMNS,
    REVISION_COLUMNS,
    TOOL_COLUMNS,
    TURN_COLUMNS,
    Column,
    EventRow,
)
from patter_nb.records.costrows import COST_COLUMNS, CostRow
from patter_nb.records.facts import RevisionFacts
from patter_nb.records.metrics import STATISTICS
from patter_nb.records.readings import CallReading, TurnReading
from patter_nb.records.revised import revisions_with_turns
from patter_nb.records.spanrows import SPAN_COLUMNS, span_rows
from patter_nb.records.toolruns import tool_runs

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row")

TABLES: Mapping[str, Sequence[Column[Any]]] = {
    "calls": CALL_COLUMNS,
    "turns": TURN_COLUMNS,
    "spans": SPAN_COLUMNS,
    "events": EVENT_COLUMNS,
    "tools_log": TOOL_COLUMNS,
    "revisions": REVISION_COLUMNS,
    "cost": COST_COLUMNS,
}
"""The columns of each table, by the table's name."""


_preparations: list[Callable[[], None]] = []


def before_frames(prepare: Callable[[], None]) -> None:
    """Have `prepare` called whenever a frame is about to be made: what it loads pandas for need not be loaded before."""
    _preparations.append(prepare)


def prepare_frames() -> None:
    """Do what was asked for with `before_frames`."""
    for prepare in _preparations:
        prepare()


def frame(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> pd.DataFrame:
    """One row per `row`, one column per `Column`, of that column's dtype."""
    import pandas as pd

    prepare_frames()
    left = iter(rows)
    parts = [_part(columns, left)]
    while len(parts[-1]) == _AT_ONCE:
        parts.append(_part(columns, left))
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


_AT_ONCE = 5000
"""Rows that are single values at the same time, which take three times as much room as in a frame."""


def _part(columns: Sequence[Column[Row]], rows: Iterator[Row]) -> pd.DataFrame:
    """The next rows; what each was read from need not stay in memory."""
    import pandas as pd

    found: list[list[Any]] = [[] for _ in columns]
    steps = [(each.read, values.append) for each, values in zip(columns, found, strict=True)]
    for row in islice(rows, _AT_ONCE):
        for read, keep in steps:
            keep(read(row))
    series = (pd.Series(values, dtype=pandas_dtype(each)) for each, values in zip(columns, found, strict=True))
    return pd.DataFrame(dict(zip((each.name for each in columns), series, strict=True)))


def pandas_dtype(column: Column[Any]) -> Any:
    """The dtype of a column, the same whatever is installed.

    With pyarrow, "string" alone would keep text as UTF-8, which cannot hold the half surrogate pairs that text may have.
    """
    import pandas as pd

    return pd.StringDtype("python") if column.dtype == "string" else column.dtype


def calls_frame(calls: Iterable[CallReading]) -> pd.DataFrame:
    """One row per call."""
    return frame(CALL_COLUMNS, calls)


Revisions = Collection[int] | None
"""Of which revisions' turns a table is made; None: of all."""


def turns_frame(calls: Iterable[CallReading], revisions: Revisions = None) -> pd.DataFrame:
    """One row per closed turn."""
    return frame(TURN_COLUMNS, (turn for call in calls for turn in call.turns if _of(revisions, turn)))


def spans_frame(calls: Iterable[CallReading], revisions: Revisions = None) -> pd.DataFrame:
    """One row per span of a closed turn, and one for what its spans leave unexplained."""
    return frame(SPAN_COLUMNS, (span for call in calls for span in span_rows(call) if _of(revisions, span.turn)))


def _of(revisions: Revisions, turn: TurnReading) -> bool:
    return revisions is None or turn.facts.revision in revisions


def events_frame(calls: Iterable[CallReading]) -> pd.DataFrame:
    """One row per event, in the order in which they were recorded."""
    return frame(EVENT_COLUMNS, (EventRow(call, event) for call in calls for event in call.record.events))


def cost_frame(call: CallReading) -> pd.DataFrame:
    """The bill of one call: three rows per turn, then what belongs to the call, then the total."""
    return frame(COST_COLUMNS, (CostRow(call, item) for item in (*call.cost_items, call.total)))


def tools_frame(calls: Iterable[CallReading], revisions: Revisions = None) -> pd.DataFrame:
    """One row per execution of a tool."""
    return frame(TOOL_COLUMNS, (run for call in calls for run in tool_runs(call) if _of(revisions, run.turn)))


def revisions_frame(revisions: Iterable[tuple[str, RevisionFacts]], calls: Iterable[CallReading]) -> pd.DataFrame:
    """One row per revision, with the turns it answered. `revisions`: with the id of the `Patter` object they were made in."""
    return frame(REVISION_COLUMNS, revisions_with_turns(revisions, calls))


def call_row(call: CallReading) -> dict[str, Any]:
    """The call's row of the table of calls as plain values; None where one is missing."""
    values = {each.name: each.read(call) for each in CALL_COLUMNS}
    return {name: None if value != value else value for name, value in values.items()}  # noqa: PLR0124 (only NaN differs from itself)


def percentiles(turns: pd.DataFrame) -> pd.DataFrame:
    """Statistics of every latency over the caller's turns, interrupted ones included.

    Index: the columns of `turns` in ms. Columns: `n` (turns that have a value), `avg`, `p50`, `p90`, `p95`, `p99` (linear between
    ranks); NaN where n is 0.
    """
    import pandas as pd

    mine = turns[turns["kind"] == "caller"]
    names = [each.name for each in TURN_COLUMNS if each.unit == "ms" and each.name in mine.columns]
    values = {name: mine[name].astype("float64").tolist() for name in names}
    rows = {name: {key: compute(found) for key, compute in STATISTICS.items()} for name, found in values.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(STATISTICS), dtype="float64")
    table.insert(0, "n", pd.Series({name: int(mine[name].notna().sum()) for name in names}, dtype="int64"))
    return table.rename_axis("latency")


def columns_markdown() -> str:
    """The documentation of every column, as Markdown tables."""
    return "\n".join(line for name, columns in TABLES.items() for line in _markdown(name, columns))


def _markdown(name: str, columns: Sequence[Column[Any]]) -> list[str]:
    rows = [f"| `{each.name}` | {each.dtype} | {each.unit} | {each.owner} | {each.doc} | {each.missing} |" for each in columns]
    return [f"### {name}", "", "| Column | dtype | Unit | Owner | What it is | Missing |", "|---|---|---|---|---|---|", *rows, ""]
