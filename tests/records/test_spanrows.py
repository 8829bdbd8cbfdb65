"""Spans as rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

from patter_nb.records.facts import EventFacts
from patter_nb.records.readings import CallReading
from patter_nb.records.spans import SPANS
from patter_nb.records.tables import spans_frame, turns_frame
from patter_nb.turns.facts import TurnFacts

Turn = Callable[..., TurnFacts]
Read = Callable[..., CallReading]


def test_a_turn_has_a_row_for_each_span_and_one_for_what_none_covers(full: dict[str, float], turn: Turn, read: Read) -> None:
    spans = spans_frame([read(turn(1, full, revision=3))])
    assert spans["span"].tolist() == [*(kind.name for kind in SPANS), "unexplained"]
    assert spans["owner"].tolist()[:2] == ["hangover_ms", "notebook cell"]
    assert pd.isna(spans["owner"].iloc[-1])
    assert set(spans["revision"]) == {3}
    row = spans.set_index("span").loc["llm_first_token"]
    assert (row["started_at"], row["ended_at"]) == (2.342, 2.642)
    assert (row["recorded_ms"], row["ms"]) == pytest.approx((300, 300))
    assert row["pieces"] == [[2.342, 2.642]]


def test_the_rows_of_a_turn_add_up_to_its_gap_and_are_its_columns(full: dict[str, float], turn: Turn, read: Read) -> None:
    calls = [read(turn(0, kind="greeting"), turn(1, full), turn(2, {k: at for k, at in full.items() if k != "hooks_ended_at"}))]
    spans, turns = spans_frame(calls), turns_frame(calls).set_index("turn")
    sums = spans.groupby("turn")["ms"].sum(min_count=1)
    assert sums.tolist() == pytest.approx(turns["gap_ms"].tolist(), nan_ok=True)
    for row in spans.itertuples():
        assert row.ms == pytest.approx(turns.loc[row.turn, f"{row.span}_ms"], nan_ok=True)
        inside = math.fsum(end - start for start, end in row.pieces) * 1000
        assert math.isnan(row.ms) or inside == pytest.approx(row.ms)


def test_a_span_that_nobody_waited_for_was_recorded_all_the_same(full: dict[str, float], turn: Turn, read: Read) -> None:
    row = spans_frame([read(turn(1, full))]).set_index("span").loc["stt_final"]
    assert row["ms"] == 0
    assert row["recorded_ms"] == pytest.approx(150)
    assert (row["started_at"], row["pieces"]) == (2.1, [])


def test_without_a_gap_the_reason_is_told_and_what_was_recorded_stays(full: dict[str, float], turn: Turn, read: Read) -> None:
    spans = spans_frame([read(turn(0, full, kind="greeting"))]).set_index("span")
    assert spans["ms"].isna().all()
    assert set(spans["missing"]) == {"a turn of kind 'greeting' answers no caller speech"}
    assert spans.loc["tts_first_byte", "recorded_ms"] == pytest.approx(120)
    assert math.isnan(spans.loc["unexplained", "started_at"])


def test_what_was_not_recorded_says_why_and_what_is_rare_took_no_time(full: dict[str, float], turn: Turn, read: Read) -> None:
    spans = spans_frame([read(turn(1, {k: at for k, at in full.items() if k != "llm_first_token_at"}))]).set_index("span")
    assert spans.loc["llm_first_token", "missing"] == "llm_first_token_at was not recorded"
    assert math.isnan(spans.loc["llm_first_token", "started_at"])
    assert spans.loc["stages", "ms"] == 0
    assert pd.isna(spans.loc["stages", "missing"])
    assert math.isnan(spans.loc["stages", "recorded_ms"])


def test_stalls_are_those_that_touch_the_gap(full: dict[str, float], turn: Turn, read: Read) -> None:
    stalls = [EventFacts(at, "loop_stall", {"started_at": at, "seconds": 0.1, "cell": None}) for at in (1.0, 2.4, 2.55, 9.0)]
    row = spans_frame([read(turn(1, full), events=tuple(stalls))]).set_index("span").loc["stall"]
    assert (row["started_at"], row["ended_at"]) == pytest.approx((2.4, 2.65))
    assert row["recorded_ms"] == pytest.approx(200)
    assert row["ms"] == pytest.approx(200)
    assert row["pieces"] == [pytest.approx([2.4, 2.5]), pytest.approx([2.55, 2.65])]


def test_turns_of_other_revisions_may_be_left_out(full: dict[str, float], turn: Turn, read: Read) -> None:
    calls = [read(turn(1, full, revision=1), turn(2, full, revision=2), turn(3, full, revision=None))]
    assert set(spans_frame(calls, [2])["turn"]) == {2}
    assert turns_frame(calls, {1, 2})["turn"].tolist() == [1, 2]
