"""What the columns of the tables mean, as a frame to read in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from patter_nb.errors import ConfigError
from patter_nb.records.columns import Column
from patter_nb.records.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd


def columns(table: str | None = None) -> pd.DataFrame:
    """Every column of a table ("calls", "turns", "spans", ...): what it is, its unit, its owner, and when it is missing and why.

    Without a name: the columns of all tables.
    """
    if table is not None and table not in TABLES:
        raise ConfigError(f"table is {table!r}, which is none of {', '.join(TABLES)}.")
    return _documented({name: found for name, found in TABLES.items() if table in (None, name)})


def columns_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The same for the columns of this frame; those that no table of ours has are left out."""
    table = table_of(frame.columns)
    if table is None:
        given, tables = ", ".join(map(str, frame.columns)) or "none", ", ".join(TABLES)
        raise ConfigError(f"columns() knows none of this frame's columns ({given}): it documents those of {tables}.")
    known = {each.name: each for each in TABLES[table]}
    return _documented({table: [known[name] for name in frame.columns if name in known]})


def table_of(names: Iterable[object]) -> str | None:
    """The table that has most of these columns, the first of equals; None when none has any."""
    given = set(names)
    counts = {table: sum(each.name in given for each in found) for table, found in TABLES.items()}
    best = max(counts, key=lambda table: counts[table])
    return best if counts[best] else None


def _documented(tables: Mapping[str, Sequence[Column[Any]]]) -> pd.DataFrame:
    import pandas as pd

    documented = [(table, each) for table, found in tables.items() for each in found]
    names = {"what it is": "doc", "dtype": "dtype", "unit": "unit", "owner": "owner", "missing": "missing"}
    told = {title: [getattr(each, name) for _, each in documented] for title, name in names.items()}
    frame = pd.DataFrame(told, dtype=pd.StringDtype("python"))
    columns = pd.Index([each.name for _, each in documented], name="column")
    index = pd.MultiIndex.from_arrays([[table for table, _ in documented], columns], names=["table", "column"])
    return frame.set_index(columns if len(tables) == 1 else index)
