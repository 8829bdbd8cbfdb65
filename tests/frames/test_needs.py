"""What methods ask of a frame."""

from __future__ import annotations

import pandas as pd
import pytest

from patter_nb.errors import ConfigError
from patter_nb.frames.needs import caller_turns, floats, groups, need_columns


def test_the_column_that_is_missing_is_named() -> None:
    frame = pd.DataFrame({"a": [1], "b": [2]})
    need_columns(frame, ["a", "b"], "x()")
    with pytest.raises(ConfigError, match=r"^x\(\) needs the column c, which this frame has not: keep them"):
        need_columns(frame, ["a", "c"], "x()")


def test_a_frame_that_does_not_tell_kinds_is_all_turns() -> None:
    assert len(caller_turns(pd.DataFrame({"a": [1, 2]}))) == 2
    assert len(caller_turns(pd.DataFrame({"kind": ["caller", "said", None]}))) == 1


def test_any_numbers_become_floats() -> None:
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean")})
    assert floats(frame, "a", "x()").tolist() == pytest.approx([1, float("nan")], nan_ok=True)
    assert floats(frame, "b", "x()").tolist() == pytest.approx([1, float("nan")], nan_ok=True)


def test_without_a_name_there_is_one_group_of_all_rows() -> None:
    ((key, rows),) = groups(pd.DataFrame({"a": [3, 1]}), [])
    assert (key, rows.tolist()) == ((), [0, 1])
    assert [(key, rows.tolist()) for key, rows in groups(pd.DataFrame({"a": [3, 1, 3]}), ["a"])] == [((1,), [1]), ((3,), [0, 2])]
