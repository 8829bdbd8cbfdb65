"""The turns of a table by what they have in common: a revision, a call, a carrier, or any column of the reader's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from patter_nb.frames import needs
from patter_nb.frames.percentiles import codes
from patter_nb.notebook.view import ms_text, whole_text, words

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NUMBERED = "numbered call · turn"
By = str | Iterable[str] | None


@dataclass(frozen=True, slots=True)
class Group:
    """Turns that have something in common."""

    name: str
    """As a reader says it ("revision 3")."""
    turns: pd.DataFrame

    @property
    def calls(self) -> int:
        return count_of_calls(self.turns)

    @property
    def told(self) -> str:
        """How many turns in how many calls."""
        return extent(len(self.turns), self.calls)


def last_groups(turns: pd.DataFrame, by: By, who: str, most: int) -> tuple[list[Group], int]:
    """The groups in the order of what they share, the missing last; of more than `most` the last ones, and how many there are.

    `by` None: one group of all turns.
    """
    names = needs.listed(by, "by")
    needs.need_columns(turns, names, who)
    if not names:
        return [Group("all turns", turns)], 1
    found = needs.groups(turns, names)
    return [Group(name_of(names, key), turns.iloc[rows]) for key, rows in found[-most:]], len(found)


def name_of(names: Sequence[str], key: tuple[Any, ...]) -> str:
    """What a group is called whose columns have these values."""
    return " · ".join(_value(name, value) for name, value in zip(names, key, strict=True))


def _value(name: str, value: Any) -> str:
    if absent(value):
        return f"no {name}"
    if isinstance(value, bool | np.bool_):
        return name if value else f"not {name}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return words(value) if isinstance(value, str) else f"{name} {value}"


def caller_turns(frame: pd.DataFrame, who: str) -> pd.DataFrame:
    """The turns that statistics are over, call after call, in the order of time."""
    import pandas as pd

    needs.need_columns(frame, ["gap_ms"], who)
    mine = needs.caller_turns(frame)
    if "started_at" not in mine.columns:
        return mine
    calls, at = pd.Series(calls_of(mine)), mine["started_at"].reset_index(drop=True)
    began = at.groupby(calls).transform("min")
    order = pd.DataFrame({"began": began, "call": calls, "at": at}).sort_values(["began", "call", "at"], kind="stable")
    return mine.iloc[order.index]


def numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column as floats; NaN where it is missing."""
    return needs.floats(frame, name, "a plot")


def calls_of(turns: pd.DataFrame) -> NDArray[np.int64]:
    """Which call each turn is of, counted from 0; all of one call where the table does not say."""
    return codes(turns) if "call_id" in turns.columns else np.zeros(len(turns), dtype=np.int64)


def measured(turns: pd.DataFrame) -> pd.DataFrame:
    """The turns that have a gap."""
    return turns[turns["gap_ms"].notna()]


def count_of_calls(turns: pd.DataFrame) -> int:
    """How many calls these turns are of; one where the table does not say."""
    return int(turns["call_id"].nunique()) if "call_id" in turns.columns else min(1, len(turns))


def extent(turns: int, calls: int) -> str:
    """Turns and calls, counted in words."""
    return f"{many(turns, 'turn')} in {many(calls, 'call')}"


def many(count: int, noun: str) -> str:
    return f"{whole_text(count)} {noun}{'' if count == 1 else 's'}"


def nothing_measured(turns: pd.DataFrame) -> str:
    """Why there is no gap in any of these turns."""
    if turns.empty:
        return "No turn of a caller is in this table: hold a call, then draw again."
    reasons = turns["missing"].dropna().astype(str).str.extract(r"gap_ms: ([^;]*)")[0].dropna() if "missing" in turns else None
    usual = "" if reasons is None or reasons.empty else f"; most often, {reasons.mode().iloc[0]}"
    return f"None of {many(len(turns), 'turn')} has a gap{usual}."


def without_gap(count: int) -> str:
    """How many turns are left out."""
    return f"{many(count, 'turn')} without a gap left out" if count else ""


def capital(name: str) -> str:
    """The name as a sentence begins with it."""
    return name[:1].upper() + name[1:]


def compared_ms(change: float, name: str) -> str:
    """How many milliseconds more or less than another group."""
    if round(change) == 0:
        return f"the same as {name}"
    return f"{ms_text(abs(change))} ms {'less' if change < 0 else 'more'} than {name}"


def places_of(frame: pd.DataFrame) -> Mapping[object, int]:
    """The calls, numbered in the order of the table; nothing where there is one."""
    calls = dict.fromkeys(frame["call_id"].tolist()) if "call_id" in frame.columns else {}
    return {call: place for place, call in enumerate(calls, start=1)} if len(calls) > 1 else {}


def numbered(row: Mapping[str, Any] | pd.Series[Any], places: Mapping[object, int]) -> str:
    """Which call and which turn it is; empty where there is one call."""
    turn = row.get("turn")
    return f"{places[row['call_id']]} · {'–' if absent(turn) else turn}" if places else ""


def absent(value: object) -> bool:
    """Whether a value of a row is missing, in any of pandas' ways."""
    import pandas as pd

    return bool(pd.isna(value))  # type: ignore[call-overload]
