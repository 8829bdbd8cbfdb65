"""Tables as files and back: Parquet and CSV.

Columns that hold dictionaries and lists (`data`, `content`, `pieces`) are JSON text in a file. In other texts half surrogate
pairs, which UTF-8 has no room for, become "?", and the zero character becomes U+FFFD. Parquet keeps everything else as it is. CSV
has no types and one way to write nothing: reading it back gives the columns of our tables their documented types, and takes
nothing for a missing value, but for texts that are never missing, where it is the empty text.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any

from patter_nb.errors import ConfigError, need
from patter_nb.frames.documentation import table_of
from patter_nb.records.columns import Column
from patter_nb.records.plain import storable
from patter_nb.records.tables import TABLES, pandas_dtype, prepare_frames

if TYPE_CHECKING:
    import pandas as pd

Place = str | PathLike[str]


def to_parquet(frame: pd.DataFrame, path: Place) -> None:
    """See `Voice.to_parquet`."""
    need("pyarrow", extra="parquet", what="to_parquet()")
    _as_file(frame).to_parquet(path, engine="pyarrow")


def to_csv(frame: pd.DataFrame, path: Place) -> None:
    """See `Voice.to_csv`."""
    import pandas as pd

    # Quoted, since a reader may take a carriage return that is not for the end of the row.
    _as_file(frame).to_csv(path, index=not isinstance(frame.index, pd.RangeIndex), quoting=csv.QUOTE_NONNUMERIC)


def read_parquet(path: Place) -> pd.DataFrame:
    """A table that `.voice.to_parquet(path)` wrote, with its documented types."""
    import pandas as pd

    need("pyarrow", extra="parquet", what="read_parquet()")
    prepare_frames()
    frame = pd.read_parquet(path, engine="pyarrow")
    for each in _documented(frame):
        values = frame[each.name]
        frame[each.name] = _from_json(values) if each.dtype == "object" else values.astype(pandas_dtype(each))
    return frame


def read_csv(path: Place) -> pd.DataFrame:
    """A table that `.voice.to_csv(path)` wrote, with its documented types; other columns as pandas reads them."""
    import pandas as pd

    prepare_frames()
    frame = pd.read_csv(path, dtype="object", keep_default_na=False, na_filter=False)
    known = {each.name: each for each in _documented(frame)}
    if unknown := [name for name in frame.columns if name not in known]:
        guessed = pd.read_csv(path, usecols=unknown)
        frame[unknown] = guessed[unknown]
    for name, each in known.items():
        frame[name] = _from_text(frame[name], each)
    return frame


def _documented(frame: pd.DataFrame) -> list[Column[Any]]:
    """The columns of the table that this frame is of, as far as the frame has them; none where most of it is something else."""
    table = table_of(frame.columns)
    found = [each for each in TABLES[table] if each.name in frame.columns] if table is not None else []
    return found if 2 * len(found) >= len(frame.columns) else []


def _as_file(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text only where it holds texts, dictionaries or lists."""
    import pandas as pd

    if len(set(frame.columns)) < len(frame.columns):
        raise ConfigError("The frame has two columns of one name, which a file cannot tell apart: rename one.")
    made = frame.copy()
    for name, values in frame.items():
        if values.dtype == "object":
            made[name] = pd.Series([_text(value) for value in values], index=frame.index, dtype="object")
        elif isinstance(values.dtype, pd.StringDtype):
            texts = [storable(value) if isinstance(value, str) else None for value in values]
            made[name] = pd.Series(texts, index=frame.index, dtype=pd.StringDtype("python"))
    return made


def _text(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):
        text = json.dumps(value, ensure_ascii=False, default=str)
        return text if _is_utf8(text) else json.dumps(value, default=str)
    return storable(value) if isinstance(value, str) else value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _from_json(values: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    found = [json.loads(value) if isinstance(value, str) and value else None for value in values]
    return pd.Series(found, index=values.index, dtype="object")


def _from_text(values: pd.Series[Any], column: Column[Any]) -> pd.Series[Any]:
    import pandas as pd

    if column.dtype == "object":
        return _from_json(values)
    if column.dtype == "datetime64[us, UTC]":
        return pd.to_datetime(values.where(values != ""), format="ISO8601", utc=True).astype(column.dtype)
    read = _READ[column.dtype]
    kept = column.dtype == "string" and column.missing == "never"
    found = [read(value) if value or kept else None for value in values]
    return pd.Series(found, index=values.index, dtype=pandas_dtype(column))


_READ: dict[str, Callable[[str], Any]] = {
    "string": str,
    "Int64": int,
    "float64": float,
    "boolean": lambda text: text == "True",
}
