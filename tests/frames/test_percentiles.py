"""`.voice.percentiles()`: how many, how long, how sure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.frames.percentiles import percentiles

Turns = Callable[..., pd.DataFrame]


def test_a_measure_has_its_numbers_its_percentiles_and_their_intervals(turns: Turns) -> None:
    frame = turns(30, 10)
    found = frame.voice.percentiles()
    names = [f"p{q}{end}" for q in (50, 90, 95, 99) for end in ("", "_low", "_high")]
    assert found.index.tolist() == ["gap_ms"]
    assert found.index.name == "latency"
    assert found.columns.tolist() == ["turns", "calls", *names, "note"]
    row = found.loc["gap_ms"]
    assert (row["turns"], row["calls"]) == (300, 30)
    assert row[["p50", "p90", "p95", "p99"]].tolist() == pytest.approx(frame["gap_ms"].quantile([0.5, 0.9, 0.95, 0.99]).tolist())
    assert row["p50_low"] < row["p50"] < row["p50_high"]
    assert row["note"] == "n too small for p99 (100 calls)"
    assert np.isnan(row["p99_low"])


def test_too_few_calls_are_told_for_each_percentile_however_many_turns_they_have(turns: Turns) -> None:
    found = turns(3, 500).voice.percentiles().loc["gap_ms"]
    assert found["note"] == "n too small for p50 (5 calls), p90 (10 calls), p95 (20 calls), p99 (100 calls)"
    assert found.filter(regex="_(low|high)$").isna().all()
    assert pd.isna(turns(100, 2).voice.percentiles().loc["gap_ms", "note"])


def test_revisions_are_told_apart_each_from_its_own_turns(turns: Turns) -> None:
    frame = turns(30, 10)
    found = frame.voice.percentiles(by="revision", q=[0.5, 0.9])
    assert found.index.names == ["revision", "latency"]
    assert found.index.levels[0].dtype == "Int64"
    for revision in (1, 2):
        alone = frame[frame["revision"] == revision].voice.percentiles(q=[0.5, 0.9])
        pd.testing.assert_frame_equal(found.loc[revision], alone)


def test_turns_without_a_revision_are_a_group_of_their_own_and_several_columns_may_tell_groups_apart(turns: Turns) -> None:
    frame = turns(4, 2, kind="caller", revision=[1, 1, 1, 1, None, None, 2, 2], agent=["a", "b"] * 4)
    found = frame.voice.percentiles(by=["revision", "agent"], q=0.5)
    assert found["turns"].tolist() == [2, 2, 1, 1, 1, 1]
    assert found.index.get_level_values("revision").isna().tolist() == [False] * 4 + [True] * 2
    assert len(frame[:0].voice.percentiles(by="revision")) == 0


def test_only_turns_of_the_caller_count_and_what_is_missing_is_left_out(turns: Turns) -> None:
    frame = turns(6, 2)
    frame.loc[0, "kind"] = "greeting"
    frame.loc[1, "kind"] = pd.NA
    frame.loc[2, "gap_ms"] = np.nan
    found = frame.voice.percentiles(q=0.5).loc["gap_ms"]
    assert (found["turns"], found["calls"]) == (9, 5)
    assert found["p50"] == pytest.approx(frame["gap_ms"][3:].median())


def test_a_turn_whose_call_nobody_knows_is_a_call_of_its_own(turns: Turns) -> None:
    frame = turns(4, 3)
    frame.loc[frame["call_id"] == "call_3", "call_id"] = pd.NA
    assert frame.voice.percentiles(q=0.5)["calls"].tolist() == [6]


def test_any_numbers_may_be_asked_for_also_of_a_frame_that_was_joined_and_filtered(turns: Turns) -> None:
    frame = turns(12, 3).assign(words=pd.array(range(36), dtype="Int64"))
    joined = frame.merge(pd.DataFrame({"call_id": ["call_1", "call_2"], "room": ["a", "b"]}), on="call_id", how="left")
    found = joined[joined["gap_ms"] > 0].sort_values("gap_ms").voice.percentiles("room", columns="words", q=0.5)
    assert found["turns"].tolist() == [3, 3, 30]
    assert found.index.get_level_values("latency").tolist() == ["words"] * 3


def test_a_frame_without_any_turn_has_the_same_columns(turns: Turns) -> None:
    frame = turns(5, 2)
    empty, full = frame[:0].voice.percentiles(), frame.voice.percentiles()
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert empty.index.tolist() == full.index.tolist()
    assert empty["turns"].tolist() == [0]
    assert empty["p50"].isna().all()


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"columns": "gap"}, ConfigError, r"percentiles\(\) needs the column gap, which this frame has not: keep them"),
    ({"by": ["revison", "agent"]}, ConfigError, r"percentiles\(\) needs the columns revison, agent, which"),
    ({"by": [1]}, ConfigTypeError, r"by has 1 in it; it must be the name of a column"),
    ({"columns": "call_id"}, ConfigTypeError, r"percentiles\(\) needs numbers, but the column call_id is of dtype string\.$"),
    ({"q": 95}, ConfigError, r"q is 95; it must lie between 0 and 1: 0\.95, not 95\.$"),
    ({"q": []}, ConfigError, r"q is empty: give one share"),
    ({"q": ["p95"]}, ConfigTypeError, r"q is 'p95'; it must be a share"),
    ({"level": 1.0}, ConfigError, r"level is 1\.0; it must lie between 0 and 1"),
    ({"level": True}, ConfigTypeError, r"level is True; it must be a share"),
]


@pytest.mark.parametrize(("given", "error", "message"), WRONG, ids=[each[2][:30] for each in WRONG])
def test_what_cannot_be_asked_is_told_in_a_sentence(
    turns: Turns, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        turns(5, 2).voice.percentiles(**given)


def test_a_frame_without_calls_or_latencies_says_so(turns: Turns) -> None:
    with pytest.raises(ConfigError, match="needs the column call_id"):
        turns(5, 2).drop(columns="call_id").voice.percentiles()
    with pytest.raises(ConfigError, match=r"finds no latency of ours in this frame: say columns=\[\.\.\.\]\.$"):
        turns(5, 2)[["call_id"]].voice.percentiles()


def test_a_percentile_is_named_by_its_share(turns: Turns) -> None:
    found = turns(5, 2).voice.percentiles(q=[0.07, 0.999, 0.5, 0.5])
    assert [name for name in found.columns if "_" not in name] == ["turns", "calls", "p7", "p99.9", "p50", "note"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 3), st.none() | st.floats(0, 1e5)), max_size=60))
def test_every_value_is_in_one_group_and_no_percentile_falls_as_its_share_rises(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["call_id", "revision", "gap_ms"]).astype({"gap_ms": "float64"})
    found = percentiles(frame, "revision", q=[0.1, 0.5, 0.9])
    assert found["turns"].sum() == frame["gap_ms"].notna().sum()
    known = found[found["turns"] > 0]
    assert (known["p10"] <= known["p50"]).all()
    assert (known["p50"] <= known["p90"]).all()
    assert (known["calls"] <= known["turns"]).all()
    assert (known["p50_low"].isna() == (known["calls"] < 5)).all()
