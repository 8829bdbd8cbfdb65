"""The meaning of columns, as a frame."""

from __future__ import annotations

import pandas as pd
import pytest

import patter_nb
from patter_nb.errors import ConfigError
from patter_nb.frames.documentation import columns, columns_of, table_of
from patter_nb.records.tables import TABLES, frame


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_documented_column_by_column(table: str) -> None:
    told = columns(table)
    assert told.index.tolist() == [each.name for each in TABLES[table]]
    assert told.columns.tolist() == ["what it is", "dtype", "unit", "owner", "missing"]
    assert not told.isna().any(axis=None)
    assert columns_of(frame(TABLES[table], [])).equals(told)


def test_without_a_name_all_tables_are_told() -> None:
    told = columns()
    assert told.index.names == ["table", "column"]
    assert told.index.get_level_values("table").unique().tolist() == list(TABLES)
    assert len(told) == sum(map(len, TABLES.values()))


def test_a_cut_frame_is_told_in_its_own_order_and_what_the_user_added_is_left_out() -> None:
    cut = frame(TABLES["turns"], [])[["gap_ms", "turn"]].assign(mine=1)
    assert columns_of(cut).index.tolist() == ["gap_ms", "turn"]
    assert columns_of(cut).loc["gap_ms", "unit"] == "ms"


def test_a_table_or_columns_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"table is 'turn', which is none of calls, turns, "):
        columns("turn")
    with pytest.raises(ConfigError, match=r"knows none of this frame's columns \(a\): it documents those of calls, turns, "):
        columns_of(pd.DataFrame({"a": [1]}))
    assert table_of([]) is None


def test_they_are_found_at_the_top() -> None:
    assert patter_nb.columns("turns").equals(columns("turns"))
