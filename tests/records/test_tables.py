"""Frames of calls, turns, events and costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import pytest

from patter_nb.records.facts import CallFacts, EventFacts, RevisionFacts
from patter_nb.records.readings import CallReading
from patter_nb.records.tables import (
    TABLES,
    call_row,
    calls_frame,
    cost_frame,
    events_frame,
    frame,
    percentiles,
    revisions_frame,
    spans_frame,
    tools_frame,
    turns_frame,
)
from patter_nb.turns.facts import ToolRun, TurnFacts

Turn = Callable[..., TurnFacts]
Read = Callable[..., CallReading]


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_frame_has_the_same_types_as_a_full_one(table: str, full: dict[str, float], turn: Turn, read: Read) -> None:
    run = ToolRun("t1", "look_up", "{}", "found", None, 1.0, 1.5)
    call = read(turn(1, full, tools=(run,)), turn(2), events=(EventFacts(1.0, "note"),))
    revision = RevisionFacts("agent", 1, "abc", None, "", datetime(2026, 7, 20, tzinfo=UTC), {"voice": "joe"})
    filled = {
        "calls": calls_frame([call]), "turns": turns_frame([call]), "events": events_frame([call]), "cost": cost_frame(call),
        "revisions": revisions_frame([("p", revision)], [call]),
        "tools_log": tools_frame([call]),
        "spans": spans_frame([call]),
    }[table]  # fmt: skip
    empty = frame(TABLES[table], [])
    assert len(filled) > 0
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == filled.dtypes.to_dict()
    assert {name: str(dtype) for name, dtype in empty.dtypes.items()} == {each.name: each.dtype for each in TABLES[table]}


def test_text_is_kept_as_it_came_whatever_is_installed(turn: Turn, read: Read) -> None:
    broken = "half a pair \ud800, a zero \x00"
    turns = turns_frame([read(turn(1, caller_text=broken, agent_text="fine"))])
    assert turns["caller_text"].tolist() == [broken]
    texts = [dtype for dtype in turns.dtypes if str(dtype) == "string"]
    assert {(dtype.storage, dtype.na_value is pd.NA) for dtype in texts} == {("python", True)}


def test_a_turn_becomes_a_row_with_its_figures(full: dict[str, float], turn: Turn, read: Read) -> None:
    row = turns_frame([read(turn(0, kind="greeting"), turn(1, full, caller_text="hi", interrupted=True))]).iloc[1]
    assert (row["turn"], row["kind"], row["caller_text"], bool(row["interrupted"])) == (1, "caller", "hi", True)
    assert row["gap_ms"] == pytest.approx(1045)
    assert row["endpointing_ms"] == pytest.approx(320)
    assert row["unexplained_ms"] == pytest.approx(4)
    assert row["started_at"] == pd.Timestamp("2026-07-20T18:00:00.5Z")


@pytest.mark.parametrize("at", [1e15, float("inf"), -1e15])
def test_an_instant_beyond_the_calendar_loses_its_time_of_day_and_no_row(at: float, turn: Turn, read: Read) -> None:
    turns = turns_frame([read(turn(1, {"audible_at": at}), turn(2, {"audible_at": 1.0}))])
    assert turns["started_at"].isna().tolist() == [True, False]


def test_the_spans_of_a_row_and_the_unexplained_rest_add_up_to_its_gap(full: dict[str, float], turn: Turn, read: Read) -> None:
    without = {name: at for name, at in full.items() if name != "sentence_started_at"}
    turns = turns_frame([read(turn(1, full), turn(2, without))])
    spans = [each.name for each in TABLES["turns"] if each.doc.startswith("Part of gap_ms")]
    sums = turns[[*spans, "unexplained_ms"]].sum(axis=1)
    assert sums.tolist() == pytest.approx(turns["gap_ms"].tolist())
    assert math.isnan(turns["first_sentence_ms"].iloc[1])
    assert turns["unexplained_ms"].iloc[1] == pytest.approx(204)


def test_percentiles_are_over_the_callers_turns_with_their_number(worked: dict[str, float], turn: Turn, read: Read) -> None:
    slow = {name: at + 1.0 if at > 2.0 else at for name, at in worked.items()}
    calls = [read(turn(0, worked, kind="greeting"), turn(1, worked), turn(2, slow, interrupted=True), turn(3))]
    found = percentiles(turns_frame(calls))
    assert list(found.columns) == ["n", "avg", "p50", "p90", "p95", "p99"]
    assert found.loc["gap_ms"].tolist() == pytest.approx([2, 1550, 1550, 1950, 2000, 2040])
    assert found.loc["perceived_ms", "n"] == 0
    assert math.isnan(found.loc["perceived_ms", "p50"])
    assert found.loc["tts_ms", "n"] == 2


def test_percentiles_of_no_turns_are_nan_with_the_same_index(full: dict[str, float], turn: Turn, read: Read) -> None:
    empty, filled = percentiles(turns_frame([])), percentiles(turns_frame([read(turn(1, full))]))
    assert list(empty.index) == list(filled.index)
    assert empty.dtypes.to_dict() == filled.dtypes.to_dict()
    assert set(empty["n"]) == {0}


def test_a_calls_row_as_plain_values_has_none_where_one_is_missing(
    turn: Turn, read: Read, call: Callable[..., CallFacts]
) -> None:
    row = call_row(read(turn(1), facts=call(carrier="twilio")))
    assert list(row) == [each.name for each in TABLES["calls"]]
    assert (row["caller"], row["duration_seconds"], row["gap_p50_ms"], row["usd"]) == ("+1•••••4321", None, None, None)
    assert row["unknown"] == "no usage of telephony was reported by twilio"
    assert row["turns"] == 1
