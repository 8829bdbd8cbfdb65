"""Every column is documented, and every frame has exactly the documented columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from patter_nb.records.columns import (
    CALL_COLUMNS,
    EVENT_COLUMNS,
    REVISION_COLUMNS,
    TOOL_COLUMNS,
    TURN_COLUMNS,
    Column,
    EventRow,
)
from patter_nb.records.facts import CallFacts, EventFacts, RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.metrics import LATENCIES
from patter_nb.records.readings import CallReading
from patter_nb.records.revised import revisions_with_turns
from patter_nb.records.spans import SPANS
from patter_nb.records.tables import TABLES, columns_markdown, percentiles, turns_frame
from patter_nb.records.toolruns import tool_runs
from patter_nb.turns.facts import ToolRun, TurnFacts

STARTED_AT = datetime(2026, 7, 20, tzinfo=UTC)
UNITS = {"_ms": "ms", "_usd": "USD", "usd": "USD", "_seconds": "s", "_at": "UTC"}


@pytest.mark.parametrize("table", TABLES)
def test_each_column_says_what_it_is_and_when_it_is_missing(table: str) -> None:
    names = [each.name for each in TABLES[table]]
    assert len(set(names)) == len(names)
    for each in TABLES[table]:
        assert each.doc.endswith("."), each.name
        assert each.missing, each.name


@pytest.mark.parametrize("table", TABLES)
def test_the_end_of_a_columns_name_is_its_unit(table: str) -> None:
    for each in TABLES[table]:
        wanted = next((unit for end, unit in UNITS.items() if each.name.endswith(end)), None)
        clock = each.doc.endswith("by the call's clock.")  # an instant of the call, not of the day
        assert wanted is None or each.unit == ("s" if clock else wanted), each.name


@pytest.mark.parametrize("table", TABLES)
def test_the_documentation_shows_each_column_once(table: str) -> None:
    text = columns_markdown()
    section = text.split(f"### {table}\n")[1].split("###")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in lines] == [each.name for each in TABLES[table]]
    assert {line.count("|") for line in lines} == {7}


def test_no_frame_has_a_column_that_is_not_documented(log: CallLog, call: Callable[..., CallFacts]) -> None:
    log.begin(call())
    frames = {
        "calls": log.calls(),
        "turns": log.turns(),
        "events": log.events(),
        "revisions": log.revisions(),
        "spans": log.spans(),
        "tools_log": log.tools_log(),
        "cost": log.cost("call_1"),
    }
    for table, frame in frames.items():
        assert list(frame.columns) == [each.name for each in TABLES[table]]


def test_turns_have_every_span_and_every_latency() -> None:
    names = {each.name for each in TURN_COLUMNS}
    assert {kind.column for kind in SPANS} | set(LATENCIES) <= names


def test_a_column_that_is_never_missing_has_a_value_in_a_call_where_nothing_is_known(
    read: Callable[..., CallReading], turn: Callable[..., TurnFacts]
) -> None:
    found = read(turn(1, tools=(ToolRun("t", "book", "{}"),)), events=(EventFacts(0.0, "note"),))
    made = RevisionFacts("agent", 1, "abc", None, "", STARTED_AT)
    rows: list[tuple[Sequence[Column[Any]], object]] = [
        (CALL_COLUMNS, found), (TURN_COLUMNS, found.turns[0]), (EVENT_COLUMNS, EventRow(found, found.record.events[0])),
        (TOOL_COLUMNS, next(tool_runs(found))), (REVISION_COLUMNS, revisions_with_turns([("", made)], [])[0]),
    ]  # fmt: skip
    for columns, row in rows:
        for each in columns:
            if each.missing == "never":
                value = each.read(row)
                assert each.dtype == "object" or not pd.isna(value), each.name
                assert value is not None, each.name


def test_every_text_that_could_hold_a_number_is_masked(read: Callable[..., CallReading], turn: Callable[..., TurnFacts]) -> None:
    text = "it is +15557654321"
    spoken = dict.fromkeys(("caller_text", "overlap_text", "agent_text", "heard_text", "error"), text)
    found = read(turn(1, tools=(ToolRun("t", "book", "{}"),), **spoken), events=(EventFacts(1.0, "note", {"text": text}),))
    row = {each.name: each.read(found.turns[0]) for each in TURN_COLUMNS}
    assert {row[name] for name in spoken} == {"it is +1•••••4321"}
    assert row["tools"] == "book"
    event = EventRow(found, found.record.events[0])
    shown = [*(each.read(found) for each in CALL_COLUMNS), *(each.read(event) for each in EVENT_COLUMNS)]
    assert "5557654321" not in repr(shown)
    assert shown[-1] == {"text": "it is +1•••••4321"}


def test_guardrails_and_edits_stand_in_their_turns_row(read: Callable[..., CallReading], turn: Callable[..., TurnFacts]) -> None:
    edited = turn(2, guardrails=("no prices", "no law", "no prices"), edit_requested_at=12.3, edit_effective_turn=2)
    before, after = ({each.name: each.read(found) for each in TURN_COLUMNS} for found in read(turn(1), edited).turns)
    names = ("guardrails", "edit_requested_at", "edit_effective_turn")
    assert [before[name] for name in names] == [None, None, None]
    assert [after[name] for name in names] == ["no prices, no law", 12.3, 2]


def test_keys_are_the_reason_for_a_gap_that_is_missing(read: Callable[..., CallReading], turn: Callable[..., TurnFacts]) -> None:
    missing = next(each for each in TURN_COLUMNS if each.name == "missing")
    told = missing.read(read(turn(1, {"audible_at": 3.0}, caller_text="[DTMF: 42#]")).turns[0])
    assert told.startswith("gap_ms: no speech: the caller pressed keys; ")


def test_a_turn_that_nobody_answered_has_a_row(read: Callable[..., CallReading], turn: Callable[..., TurnFacts]) -> None:
    spoken = {"speech_started_at": 1.0, "speech_ended_at": 2.0, "vad_stopped_at": 2.1, "endpointed_at": 2.3, "stt_final_at": 2.2}
    found = read(turn(1, spoken, reply=0, revision=None, caller_text="hello?"))
    row = {each.name: each.read(found.turns[0]) for each in TURN_COLUMNS}
    assert (row["caller_text"], row["revision"], row["agent_text"], row["heard_text"]) == ("hello?", None, "", "")
    assert row["missing"].startswith("gap_ms: audible_at was not recorded; ")
    assert (row["llm_usd"], row["tts_usd"]) == (0, 0)
    assert found.metrics.latency_n["llm_ms"] == 0
    assert len(percentiles(turns_frame([found]))) > 20


def test_the_reasons_of_a_turn_are_told_in_its_row(
    read: Callable[..., CallReading], turn: Callable[..., TurnFacts], full: dict[str, float]
) -> None:
    missing = next(each for each in TURN_COLUMNS if each.name == "missing")
    assert missing.read(read(turn(1, full)).turns[0]) is None
    without = {name: at for name, at in full.items() if name != "hooks_ended_at"}
    assert missing.read(read(turn(1, without)).turns[0]) == "hooks_ms: hooks_ended_at was not recorded"
    greeting = missing.read(read(turn(0, kind="greeting")).turns[0])
    assert greeting.startswith("gap_ms: a turn of kind 'greeting' answers no caller speech; ")
