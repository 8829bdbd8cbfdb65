"""Facts as rows, and back."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.records.facts import CallEnd, CallFacts, EventFacts, RevisionFacts
from patter_nb.records.price_list import PriceRow
from patter_nb.records.rows import (
    call_facts,
    call_row,
    end_row,
    event_facts,
    event_row,
    price_facts,
    price_row,
    revision_facts,
    revision_row,
    turn_facts,
    turn_row,
)
from patter_nb.records.schema import schema
from patter_nb.turns.facts import INSTANTS, ToolRun, TurnFacts
from patter_nb.turns.usage import Price, Usage

NOW = datetime(2026, 7, 20, 20, 30, tzinfo=timezone(timedelta(hours=2)))


def columns(table: str) -> set[str]:
    return {column.name for column in schema().tables[table].columns}


@given(
    st.builds(
        TurnFacts,
        turn=st.integers(0, 99),
        kind=st.sampled_from(["greeting", "caller", "said", "goodbye"]),
        reply=st.integers(0, 99),
        revision=st.none() | st.integers(1, 9),
        caller_text=st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",))),
        heard_estimated=st.booleans(),
        error=st.none() | st.just("gone"),
        tools=st.just((ToolRun("t1", "book", "{}", error="busy"), ToolRun("t2", "pay", "{}", "paid", None, 1.5, 2.25, 3))),
        guardrails=st.lists(st.sampled_from(["no prices", "no law"])).map(tuple),
        edit_requested_at=st.none() | st.floats(0, 1e5),
        edit_effective_turn=st.none() | st.integers(0, 99),
        instants=st.dictionaries(st.sampled_from(sorted(INSTANTS)), st.floats(0, 1e5)),
        usage=st.just((Usage("llm", "acme", "m", input_tokens=3, price_id="p"),)),
    )
)
def test_a_turn_comes_back_as_it_was(facts: TurnFacts) -> None:
    row = turn_row("call_1", 4, facts)
    assert set(row) == columns("turns")
    assert turn_facts(json.loads(json.dumps(row, allow_nan=False))) == facts


def test_a_row_of_an_earlier_version_reads_as_a_turn_without_what_it_could_not_hold() -> None:
    lacking = {"guardrails": None, "edit_requested_at": None, "edit_effective_turn": None}
    old = [{"id": "t1", "name": "book", "arguments": "{}", "result": "done", "error": None}]
    found = turn_facts({**turn_row("call_1", 0, TurnFacts(1, "caller", 1)), **lacking, "tools": old})
    assert found == TurnFacts(1, "caller", 1, tools=(ToolRun("t1", "book", "{}", "done"),))
    revision = revision_row(RevisionFacts("agent", 2, "abc", 1, "", NOW, {}, "all calls"), "phone_1")
    assert revision_facts({**revision, "scope": None}).scope == "next call"


def test_an_instant_that_is_not_a_number_is_stored_as_missing() -> None:
    row = turn_row("call_1", 0, TurnFacts(1, "caller", 1, instants={"played_at": math.nan}))
    assert row["played_at"] is None
    assert turn_facts(row).instants == {}


def test_a_call_comes_back_as_it_was_and_ended(call: Callable[..., CallFacts]) -> None:
    facts, end = call(stand_in=("stt", "tts"), started_at=NOW), CallEnd(12.5, "caller_hung_up", "no voice", "recordings/x.wav")
    row = call_row(facts, "phone_1")
    assert set(row) <= columns("calls")
    assert row["phone_id"] == "phone_1"
    assert call_facts({**dict.fromkeys(columns("calls")), **row}) == (facts, None)
    ended = {**dict.fromkeys(columns("calls")), **row, **end_row(end), "started_at": row["started_at"].replace(tzinfo=None)}
    assert call_facts(ended) == (facts, end)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs tzset")
def test_a_time_without_a_zone_in_the_store_is_utc_wherever_it_is_read(
    monkeypatch: pytest.MonkeyPatch, call: Callable[..., CallFacts]
) -> None:
    row = {**dict.fromkeys(columns("calls")), **call_row(call(), "phone_1"), "started_at": datetime(2026, 7, 20, 18, 30)}
    try:
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert call_facts(row)[0].started_at == datetime(2026, 7, 20, 18, 30, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_events_revisions_and_prices_come_back_as_they_were() -> None:
    event = EventFacts(1.5, "note", {"a": [1, "b"]}, 3)
    assert event_facts(event_row("call_1", 0, event)) == event
    revision = RevisionFacts("agent", 2, "abc", 1, "warmer", NOW, {"voice": "joe", "lines": ["+15557654321"]}, "all calls")
    assert set(revision_row(revision, "phone_1")) == columns("revisions")
    assert revision_facts(revision_row(revision, "phone_1")) == revision
    price = PriceRow("acme/m/llm@2026-07-20", "llm", "acme", "m", Price(1, 2, 3, 4, 5), date(2026, 7, 20))
    assert set(price_row(price)) == columns("prices")
    assert price_facts(price_row(price)) == price
    assert revision_row(revision, "phone_1")["created_at"] == datetime(2026, 7, 20, 18, 30, tzinfo=UTC)
