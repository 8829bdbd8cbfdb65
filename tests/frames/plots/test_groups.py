from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests_of_plots_tables import fake_turns

from patter_nb.errors import ConfigError
from patter_nb.frames.plots.groups import (
    compared_ms,
    count_of_calls,
    last_groups,
    nothing_measured,
    numbered,
    places_of,
    without_gap,
)

NAMES: list[tuple[str, Any, str]] = [
    ("revision", pd.array([3], dtype="Int64"), "revision 3"),
    ("revision", pd.array([None], dtype="Int64"), "no revision"),
    ("revision", [3.0], "revision 3"),
    ("noise_db", [2.5], "noise_db 2.5"),
    ("carrier", ["twilio"], "twilio"),
    ("interrupted", [True], "interrupted"),
    ("interrupted", [False], "not interrupted"),
    ("callee", ["+15557654321"], "+1•••••4321"),
]


@pytest.mark.parametrize(("column", "values", "name"), NAMES, ids=[name for *_, name in NAMES])
def test_a_group_is_called_what_a_reader_would_call_it(column: str, values: Any, name: str) -> None:
    (group,), _ = last_groups(pd.DataFrame({column: values, "gap_ms": 1.0}), column, "ecdf()", 5)
    assert group.name == name


def test_groups_are_in_order_and_the_missing_come_last() -> None:
    turns = pd.DataFrame({"revision": pd.array([2, None, 1, 2], dtype="Int64"), "call_id": list("abcd")})
    found, count = last_groups(turns, "revision", "ecdf()", 5)
    assert count == 3
    assert [(group.name, group.told) for group in found] == [
        ("revision 1", "1 turn in 1 call"), ("revision 2", "2 turns in 2 calls"), ("no revision", "1 turn in 1 call"),
    ]  # fmt: skip


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"ecdf\(\) needs the column carrier, which this frame has not"):
        last_groups(fake_turns(2), "carrier", "ecdf()", 5)


def test_of_many_groups_the_last_are_made_and_all_are_counted() -> None:
    found, count = last_groups(fake_turns(40, 1, 20), "revision", "ecdf()", 3)
    assert ([group.name for group in found], count) == (["revision 18", "revision 19", "revision 20"], 20)


def test_calls_are_numbered_where_there_are_several() -> None:
    turns = fake_turns(4, 2)
    places = places_of(turns)
    assert [numbered(row, places) for row in turns.to_dict("records")] == ["1 · 1", "1 · 2", "2 · 1", "2 · 2"]
    assert places_of(fake_turns(4)) == {}
    assert numbered({"turn": 1}, {}) == ""
    assert numbered({"turn": pd.NA, "call_id": "a"}, {"a": 1}) == "1 · –"


def test_a_table_that_does_not_say_which_call_is_one_call() -> None:
    assert count_of_calls(pd.DataFrame({"gap_ms": [1.0, 2.0]})) == 1
    assert count_of_calls(pd.DataFrame({"gap_ms": []})) == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [(-120.4, "120 ms less than revision 2"), (3.0, "3 ms more than revision 2"), (0.3, "the same as revision 2")],
)
def test_a_change_is_told_in_words(change: float, told: str) -> None:
    assert compared_ms(change, "revision 2") == told


def test_why_nothing_was_measured_is_told_with_the_reason_that_is_most_often_given() -> None:
    turns = fake_turns(3).assign(gap_ms=np.nan)
    turns["missing"] = ["gap_ms: a; tts_ms: b", "gap_ms: c", "gap_ms: c; stt_ms: d"]
    assert nothing_measured(turns) == "None of 3 turns has a gap; most often, c."
    assert nothing_measured(turns.drop(columns="missing")) == "None of 3 turns has a gap."
    assert nothing_measured(turns.iloc[:0]) == "No turn of a caller is in this table: hold a call, then draw again."
    assert (without_gap(0), without_gap(2)) == ("", "2 turns without a gap left out")
