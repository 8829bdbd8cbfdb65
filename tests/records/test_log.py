"""The calls of one `Patter` object."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest

from patter_nb.errors import ConfigError
from patter_nb.records.facts import CallFacts, RevisionFacts
from patter_nb.records.log import TURN_CLOSED, CallLog
from patter_nb.records.prices import PriceBook
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Price, Usage

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]


def test_without_a_store_everything_is_in_memory(call: Call, turn: Turn, full: dict[str, float]) -> None:
    log = CallLog(None)
    log.begin(call())
    log.event("call_1", 1.0, "note", {"a": 1})
    log.turn("call_1", turn(1, full))
    log.finish("call_1", duration_seconds=5.0, end_reason="done")
    assert log.row("call_1")["recording_path"] is None
    log.recorded("call_1", Path("recordings/call_1.wav"))
    assert log.flush(0)
    assert log.problem is None
    assert (len(log.calls()), len(log.turns()), len(log.events())) == (1, 1, 2)
    row = log.row("call_1")
    assert (row["recording_path"], row["caller"], len(row["caller_hash"])) == ("recordings/call_1.wav", "+1•••••4321", 32)
    assert log.facts("call_1") == [turn(1, full)]
    assert [event.kind for event in log.event_rows("call_1")] == ["note", TURN_CLOSED]
    assert log.latency("call_1").loc["gap_ms", "p50"] == pytest.approx(1045)
    assert log.metrics("call_1").latency_p95.tts_ms == pytest.approx(121)
    assert [round(found.gap_ms) for _, found in log.attributions("call_1")] == [1045]


def test_the_clock_of_a_call_counts_from_its_answer(log: CallLog, store: Store, call: Call, turn: Turn) -> None:
    log.begin(call())
    log.answered("call_1", datetime(2026, 7, 20, 20, 0, 3, tzinfo=timezone(timedelta(hours=2))))
    log.turn("call_1", turn(1, {"speech_started_at": 1.5}))
    assert log.flush(10)
    for kept in (log, store):
        assert kept.calls()["started_at"].tolist() == [pd.Timestamp("2026-07-20T18:00:03Z")]
        assert kept.turns()["started_at"].tolist() == [pd.Timestamp("2026-07-20T18:00:04.5Z")]


def test_the_start_of_a_call_becomes_its_answer_in_memory_and_in_the_store(
    log: CallLog, store: Store, call: Call, turn: Turn, full: dict[str, float]
) -> None:
    log.begin(call())
    answered = datetime(2026, 7, 20, 20, 0, 12, tzinfo=timezone(timedelta(hours=2)))
    log.answered("call_1", answered)
    log.turn("call_1", turn(1, full))
    assert log.flush(10)
    for calls, turns in ((log.calls(), log.turns()), (store.calls(), store.turns())):
        assert calls["started_at"].tolist() == [answered]
        assert turns["started_at"].tolist() == [answered + timedelta(seconds=0.5)]
        assert calls["caller"].tolist() == ["+1•••••4321"]
    log.answered("nobody", answered)
    assert (log.problem or "").startswith("Its answer came for call 'nobody'")


def test_a_turn_and_the_event_that_closed_it_are_in_one_transaction(log: CallLog, store: Store, call: Call, turn: Turn) -> None:
    jobs: list[list[str]] = []
    store.write = lambda job: jobs.append([each.table for each in job])  # type: ignore[method-assign]
    log.begin(call())
    log.turn("call_1", turn(1, {"played_at": 2.0, "finished_at": 3.5}, interrupted=True))
    assert jobs == [["calls"], ["turns", "events"]]
    closed = log.event_rows("call_1")[-1]
    assert (closed.at, closed.turn, closed.data) == (3.5, 1, {"kind": "caller", "reply": 1, "interrupted": True})


def test_a_price_is_stored_with_the_usage_that_names_it_and_stays_with_it(store: Store, call: Call, turn: Turn) -> None:
    log = CallLog(store)
    price_id = log.prices.register("llm", "acme", "m", Price(usd_per_1m_output_tokens=10))
    log.begin(call())
    log.turn("call_1", turn(1, usage=(Usage("llm", "acme", "m", output_tokens=1000, price_id=price_id),)))
    assert log.flush(10)
    assert store.turns()["llm_usd"].tolist() == pytest.approx([0.01])
    late = Usage("llm", "acme", "m", output_tokens=500, price_id=price_id)
    log.event("call_1", 9.0, "late_usage", {"usage": late, "turn": 1})
    whole = log.prices.register("tts", "acme", "v", Price(usd_per_1k_characters=1))
    log.event("call_1", 9.0, "call_usage", {"usage": Usage("tts", "acme", "v", characters=7, price_id=whole)})
    log.prices.register("llm", "acme", "m", Price(usd_per_1m_output_tokens=99))
    assert log.flush(10)
    for frame in (log.turns(), store.turns()):
        assert frame["llm_usd"].tolist() == pytest.approx([0.015])
    assert store.calls()["usd"].tolist() == pytest.approx([0.022])
    assert log.cost("call_1")["usd"].iloc[-1] == pytest.approx(0.022)


def test_the_price_book_can_be_ones_own(call: Call) -> None:
    prices = PriceBook()
    assert CallLog(None, prices).prices is prices


def test_what_comes_for_no_call_is_told_and_raises_nothing(call: Call, turn: Turn) -> None:
    log = CallLog(None)
    log.event("nobody", 1.0, "note", {})
    assert log.problem == "An event of kind 'note' came for call 'nobody', which was never begun; it was dropped."
    log.turn("nobody", turn(3))
    assert (log.problem or "").startswith("Turn 3 came for call 'nobody'")
    log.finish("nobody", duration_seconds=1.0, end_reason="done")
    assert (log.problem or "").startswith("Its end came for call 'nobody'")
    log.begin(call())
    log.begin(call(agent="other"))
    assert log.problem == "Call 'call_1' was begun twice; the first one is kept."
    assert log.calls()["agent"].tolist() == ["agent"]


def test_reading_a_call_of_another_object_is_an_error() -> None:
    with pytest.raises(ConfigError, match="call_id is 'other', which is not a call of this Patter object"):
        CallLog(None).call_turns("other")


def test_what_is_recorded_after_a_look_is_in_the_next_look(call: Call, turn: Turn, full: dict[str, float]) -> None:
    log = CallLog(None)
    log.begin(call())
    assert log.row("call_1")["end_reason"] is None
    log.turn("call_1", turn(1, full))
    assert log.call_turns("call_1")["perceived_ms"].isna().tolist() == [True]
    log.event("call_1", 5.0, "perceived", {"turn": 1, "gap_ms": 1040.5})
    assert log.call_turns("call_1")["perceived_ms"].tolist() == [1040.5]
    log.finish("call_1", duration_seconds=5.0, end_reason="done")
    assert log.row("call_1")["end_reason"] == "done"


def test_what_is_recorded_after_the_end_is_kept(
    log: CallLog, store: Store, call: Call, turn: Turn, full: dict[str, float]
) -> None:
    log.begin(call())
    log.turn("call_1", turn(1, full))
    log.finish("call_1", duration_seconds=5.0, end_reason="done")
    assert log.call_turns("call_1")["perceived_ms"].isna().all()
    log.event("call_1", 5.0, "perceived", {"turn": 1, "gap_ms": 1040.5})
    assert log.flush(10)
    assert log.call_turns("call_1")["perceived_ms"].tolist() == [1040.5]
    assert store.turns()["perceived_ms"].tolist() == [1040.5]


def test_revisions_are_kept_in_order_with_their_content(log: CallLog, store: Store) -> None:
    made = datetime(2026, 7, 20, tzinfo=UTC)
    for number in (1, 2):
        content = {"system_prompt": f"You are {number}. Call +15557654321."}
        log.revision(RevisionFacts("agent", number, f"id{number}", number - 1 or None, "", made, content))
    assert log.flush(10)
    for frame in (log.revisions(), store.revisions()):
        assert frame["number"].tolist() == [1, 2]
        assert frame["content"].tolist()[1] == {"system_prompt": "You are 2. Call +15557654321."}
        assert frame["parent"].isna().tolist() == [True, False]


def test_two_phones_may_number_their_revisions_alike(store: Store) -> None:
    made = datetime(2026, 7, 20, tzinfo=UTC)
    for _ in range(2):
        CallLog(store).revision(RevisionFacts("agent", 1, "id", None, "", made))
    assert store.flush(10)
    assert store.problem is None
    assert len(store.revisions()) == 2


def test_reading_while_two_threads_record_sees_whole_turns(call: Call, turn: Turn) -> None:
    log = CallLog(None)

    def work(name: str) -> None:
        log.begin(call(name))
        for number in range(200):
            log.event(name, 0.0, "note", {})
            log.turn(name, turn(number))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for reading in log._readings():
            closed = [event for event in reading.record.events if event.kind == TURN_CLOSED]
            assert len(closed) == len(reading.record.turns)
        threads[0].join(0.01)
    assert (len(log.turns()), len(log.events())) == (400, 800)


def test_recording_loads_neither_pandas_nor_sqlalchemy_into_the_thread_of_the_call() -> None:
    code = (
        "import sys; from patter_nb.records.log import CallLog; from patter_nb.records.store import Store; "
        "from patter_nb.records import tables; CallLog(Store('x.db')); CallLog(None); "
        "assert not {'pandas', 'sqlalchemy', 'matplotlib'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
