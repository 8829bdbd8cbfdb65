"""What a method needs of a frame, and one sentence for what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patter_nb.errors import ConfigError, ConfigTypeError

if TYPE_CHECKING:
    import pandas as pd


def need_columns(frame: pd.DataFrame, names: Iterable[str], who: str) -> None:
    """`ConfigError` for the columns the frame lacks. `who`: the method, as its user writes it ("percentiles()")."""
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        which = f"column {lacking[0]}" if len(lacking) == 1 else f"columns {', '.join(lacking)}"
        raise ConfigError(f"{who} needs the {which}, which this frame has not: keep them when you select columns.")


def listed(given: str | Iterable[str] | None, what: str) -> list[str]:
    """One name or several, as a list; none where nothing was given."""
    if given is None:
        return []
    names = [given] if isinstance(given, str) else list(given)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise ConfigTypeError(f"{what} has {wrong[0]!r} in it; it must be the name of a column, or a list of names.")
    return names


def caller_turns(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that statistics are over: turns of the caller. All of them in a frame that does not say what kind they are."""
    return frame[(frame["kind"] == "caller").fillna(value=False).astype(bool)] if "kind" in frame.columns else frame


def floats(frame: pd.DataFrame, name: str, who: str) -> NDArray[np.float64]:
    """A column as floats, NaN where it is missing."""
    try:
        return np.asarray(frame[name].to_numpy(dtype="float64", na_value=np.nan))
    except (TypeError, ValueError):
        raise ConfigTypeError(f"{who} needs numbers, but the column {name} is of dtype {frame[name].dtype}.") from None


def groups(frame: pd.DataFrame, by: Sequence[str]) -> list[tuple[tuple[object, ...], NDArray[np.intp]]]:
    """Each combination of the values of `by`, in their order, with its rows by position; missing values come last."""
    if not by:
        return [((), np.arange(len(frame)))]
    found = frame.groupby(list(by), dropna=False, sort=True, observed=True).indices
    return [(key if isinstance(key, tuple) else (key,), np.asarray(rows)) for key, rows in found.items()]


def group_index(frame: pd.DataFrame, keys: Sequence[tuple[object, ...]], names: Sequence[str]) -> pd.Index[Any]:
    """The index of a table of groups: the values of the grouping columns, with their types, and last what each row is of."""
    import pandas as pd

    last = pd.Index([key[-1] for key in keys], name=names[-1], dtype=object if not keys else None)
    if len(names) == 1:
        return last
    levels = [pd.Series([key[at] for key in keys], dtype=frame[name].dtype) for at, name in enumerate(names[:-1])]
    return pd.MultiIndex.from_arrays([*levels, last], names=list(names))
