"""Tables of a store: what they are narrowed to, and that little is read for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import event

from patter_nb.errors import ConfigError
from patter_nb.records.choice import ALL
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import ToolRun, TurnFacts

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]
TABLES = ("calls", "turns", "spans", "events", "tools_log")


@pytest.fixture
def kept(log: CallLog, store: Store, call: Call, turn: Turn, full: dict[str, float]) -> Store:
    """Three calls an hour apart: in the second one revision 2 took over in mid-call, the third is another agent's."""
    begun = call().started_at
    runs = (ToolRun("t", "book", "{}"),)
    for number, (agent, revisions) in enumerate((("desk", (1, 1)), ("desk", (1, 2)), ("night", (1, 1)))):
        name = f"call_{number}"
        carrier = ("simulated", "twilio")[number == 2]
        log.begin(call(name, agent=agent, started_at=begun + timedelta(hours=number), carrier=carrier))
        for place, revision in enumerate(revisions, 1):
            log.turn(name, turn(place, full, revision=revision, tools=runs))
            log.event(name, 3.0, "perceived", {"gap_ms": 1000.0}, place)
        log.finish(name, duration_seconds=9.0, end_reason="caller_hung_up")
    assert log.flush(10)
    return store


@pytest.mark.parametrize("table", TABLES)
def test_the_store_tells_what_the_log_remembers_whatever_is_read_at_once(
    table: str, kept: Store, log: CallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    pd.testing.assert_frame_equal(getattr(kept, table)(), getattr(log, table)())
    monkeypatch.setattr("patter_nb.records.store._AT_ONCE", 1)
    pd.testing.assert_frame_equal(getattr(kept, table)(), getattr(log, table)())


@pytest.mark.parametrize("table", TABLES)
def test_each_table_takes_the_filters(table: str, kept: Store) -> None:
    def calls(**filters: Any) -> set[str]:
        return set(getattr(kept, table)(**filters)["call_id"])

    assert calls(since="2026-07-20T18:30Z", until="2026-07-20T19:30Z") == {"call_1"}
    assert calls(agent="night") == calls(carrier="twilio") == {"call_2"}
    assert calls(call_id=["call_0", "call_2"]) == {"call_0", "call_2"}
    assert calls(since="2030-01-01") == set()
    with pytest.raises(ConfigError, match=r"agent is 'dusk', which nothing stored has; there is 'desk', 'night'\. Did you mean"):
        calls(agent="dusk")


def test_a_revision_is_the_one_that_replied_and_of_calls_and_events_the_one_they_began_with(kept: Store) -> None:
    for table in ("turns", "spans", "tools_log"):
        found = getattr(kept, table)(revision=2)
        assert set(zip(found["call_id"], found["turn"], strict=True)) == {("call_1", 2)}
    assert len(kept.calls(revision=1)) == 3
    for table in ("calls", "events"):
        with pytest.raises(ConfigError, match=r"revision is 2, which nothing stored has; there is 1\.$"):
            getattr(kept, table)(revision=2)


def test_of_calls_that_are_not_asked_for_neither_turns_nor_events_are_read(kept: Store) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(kept.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    kept.turns(call_id="call_1")
    of_turns = [given for statement, given in asked if "FROM turns" in statement and "speech_ended_at" in statement]
    assert of_turns == [("call_1",)]
    (of_events,) = [given for statement, given in asked if "FROM events" in statement]
    assert {"call_1", "perceived", "loop_stall"} <= set(of_events)
    assert "turn_closed" not in of_events


def test_a_table_is_what_was_stored_when_it_was_begun(kept: Store, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may write meanwhile."""
    monkeypatch.setattr("patter_nb.records.store._AT_ONCE", 1)
    other = Store(kept.name)
    readings = kept._read(ALL)
    first = next(readings)
    CallLog(other).begin(call("late"))
    assert other.close()
    assert [first.record.facts.call_id, *(each.record.facts.call_id for each in readings)] == ["call_0", "call_1", "call_2"]
    assert len(kept.calls()) == 4


def test_an_empty_store_has_every_table_with_its_types(store: Store, kept: Store, tmp_path: Any) -> None:
    empty = Store(tmp_path / "nothing.sqlite3")
    for table in TABLES:
        assert getattr(empty, table)(agent="anybody").dtypes.to_dict() == getattr(kept, table)().dtypes.to_dict()
    assert not (tmp_path / "nothing.sqlite3").exists()
