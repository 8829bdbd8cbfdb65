"""Calls in a database: the same tests for SQLite and PostgreSQL, then what only a file can do."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import event, text
from tests_of_records_waiting import trouble

from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Price, Usage

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]


Open = Callable[..., Store]


@pytest.fixture
def store(place: str, opened: Open) -> Store:
    """A store of each kind, on which nothing was written yet."""
    return opened(place)


def hold(log: CallLog, call: CallFacts, turns: list[TurnFacts]) -> None:
    """A call with these turns, from its begin to its end."""
    log.begin(call)
    for facts in turns:
        log.event(call.call_id, 0.5, "note", {"before": facts.turn})
        log.turn(call.call_id, facts)
    log.finish(call.call_id, duration_seconds=9.0, end_reason="caller_hung_up")


def test_making_a_store_touches_nothing_and_the_first_row_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call, turn: Turn
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store()
    assert store.calls().empty
    assert store.revisions().empty
    assert list(tmp_path.iterdir()) == []
    monkeypatch.chdir("/")
    hold(CallLog(store), call(), [turn(1)])
    assert store.close()
    assert store.directory == tmp_path / ".patter_nb"
    assert (tmp_path / ".patter_nb" / ".gitignore").read_text() == "*\n"
    assert store.name == str(tmp_path / ".patter_nb" / "calls.sqlite3")
    assert Path(store.name).exists()


def test_a_directory_of_ones_own_gets_no_gitignore(tmp_path: Path, call: Call) -> None:
    store = Store(tmp_path / "mine" / "calls.db")
    CallLog(store).begin(call())
    assert store.close()
    assert not (tmp_path / "mine" / ".gitignore").exists()


def test_what_is_stored_reads_as_what_is_remembered(
    log: CallLog, store: Store, call: Call, turn: Turn, full: dict[str, float]
) -> None:
    hold(log, call("a"), [turn(0, kind="greeting"), turn(1, full, caller_text="hi"), turn(2, full)])
    hold(log, call("b", stand_in=("stt",)), [])
    assert log.flush(10)
    pd.testing.assert_frame_equal(store.calls(), log.calls())
    pd.testing.assert_frame_equal(store.turns(), log.turns())
    pd.testing.assert_frame_equal(store.events(), log.events())


def test_reading_waits_for_rows_that_are_on_their_way(log: CallLog, store: Store, call: Call, turn: Turn) -> None:
    for number in range(20):
        hold(log, call(f"c{number}"), [turn(1)])
        assert len(store.calls()) == number + 1


def test_another_store_in_the_same_place_continues_it(place: str, call: Call, opened: Open) -> None:
    for number in range(2):
        store = opened(place)
        CallLog(store).begin(call(f"c{number}"))
        assert store.close()
    later = opened(place)
    assert later.calls()["call_id"].tolist() == ["c0", "c1"]
    assert later.hash_number("+15557654321") == later.calls()["caller_hash"].iloc[0]


def test_what_was_never_written_to_is_empty_and_stays_so(place: str, opened: Open) -> None:
    store = opened(place)
    assert [len(frame) for frame in (store.calls(), store.turns(), store.events(), store.revisions())] == [0] * 4
    assert store.hash_number("+15557654321") is None
    assert store.close()
    if "://" not in place:
        assert not Path(place).exists()


def test_a_text_of_millions_of_characters_comes_back_whole(log: CallLog, store: Store, call: Call, turn: Turn) -> None:
    long = "A long story. " * 300_000
    hold(log, call(), [turn(1, agent_text=long)])
    assert store.flush(30), store.problem
    assert store.turns()["agent_text"].tolist() == [long]


def test_prices_are_kept_with_the_usage_that_names_them(log: CallLog, store: Store, call: Call, turn: Turn) -> None:
    """A price's id may look like a telephone number, and has to be found again."""
    digits = next(each for each in map(Price, range(1, 10_000)) if log.prices.register("stt", "a", "m", each)[-8:].isdecimal())
    heard = Usage("stt", "a", "m", audio_seconds=60.0, price_id=log.prices.register("stt", "a", "m", digits))
    hold(log, call(), [turn(1, usage=(heard,))])
    log.event("call_1", 9.0, "late_usage", {"usage": replace(heard, audio_seconds=30.0)}, 1)
    assert store.flush(10), store.problem
    assert log.turns()["usd"].tolist() == [digits.usd_per_audio_minute * 1.5]
    assert store.turns()["usd"].tolist() == log.turns()["usd"].tolist()


@pytest.mark.parametrize("store_numbers", [False, True])
def test_numbers_are_kept_masked_and_hashed_unless_asked_for(
    place: str, store_numbers: bool, call: Call, turn: Turn, opened: Open
) -> None:
    store = opened(place, store_numbers=store_numbers)
    hold(CallLog(store), call(), [turn(1, caller_text="call +1 555 765 4321")])
    assert store.close()
    if "://" not in place:
        raw = Path(store.name).read_bytes()
        assert (b"5557654321" in raw) == store_numbers
        assert (b"555 765 4321" in raw) == store_numbers
    with store.engine.connect() as connection:
        caller, number = connection.execute(text("select caller, caller_number from calls")).one()
        [heard] = connection.execute(text("select caller_text from turns")).scalars()
    assert (caller, number) == ("+1•••••4321", "+15557654321" if store_numbers else None)
    assert heard == ("call +1 555 765 4321" if store_numbers else "call +1•••••4321")
    frame = store.calls()
    assert frame["caller"].tolist() == ["+1•••••4321"]
    assert frame["caller_hash"].tolist() == [store.hash_number("+1 555-765-4321")]
    assert store.turns()["caller_text"].tolist() == ["call +1•••••4321"]


def test_two_threads_and_two_logs_write_every_row(store: Store, call: Call, turn: Turn) -> None:
    logs = [CallLog(store), CallLog(store)]

    def work(name: str, log: CallLog) -> None:
        for number in range(25):
            hold(log, call(f"{name}{number}"), [turn(1), turn(2)])

    threads = [threading.Thread(target=work, args=(f"t{n}_", logs[n % 2])) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert store.flush(30)
    assert (len(store.calls()), len(store.turns()), len(store.events())) == (50, 100, 200)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_writes_to_the_same_store(log: CallLog, store: Store, call: Call, in_child: Callable[..., int]) -> None:
    log.begin(call("parent"))
    assert log.flush(10)

    def child() -> bool:
        log.begin(call("child"))
        return log.flush(10) and len(store.calls()) == 2

    assert in_child(child) == 0
    log.begin(call("parent_again"))
    assert log.flush(10)
    assert set(store.calls()["call_id"]) == {"parent", "child", "parent_again"}


def test_when_the_disk_is_full_rows_wait_and_are_written_when_there_is_room(
    tmp_path: Path, call: Call, turn: Turn, opened: Open
) -> None:
    store = opened(tmp_path / "calls.sqlite3")
    log = CallLog(store)
    limit = {"pages": 1_000_000}
    limits = "pragma max_page_count = {pages}"
    event.listen(store.engine, "begin", lambda connection: connection.exec_driver_sql(limits.format_map(limit)))
    hold(log, call("before"), [turn(1)])
    assert log.flush(10)
    limit["pages"] = 1  # SQLite takes the present size instead of less
    long = "x" * 20_000
    for number in range(10):
        hold(log, call(f"c{number}"), [turn(1, agent_text=long)])
    assert "is not being written (database or disk is full); rows waiting in memory:" in trouble(log)
    assert len(log.turns()) == 11
    assert log.cost("c3")["usd"].iloc[-1] == 0.0
    limit["pages"] = 1_000_000
    assert log.flush(10)
    assert log.problem is None
    assert store.calls()["call_id"].tolist() == ["before", *(f"c{number}" for number in range(10))]
    assert store.turns()["agent_text"].tolist() == ["", *[long] * 10]
    assert store.calls()["end_reason"].tolist() == ["caller_hung_up"] * 11


def test_while_another_program_holds_the_database_rows_wait(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patter_nb.records.engines.BUSY_SECONDS", 0.01)
    store = Store(tmp_path / "calls.sqlite3")
    log = CallLog(store)
    log.begin(call("a"))
    assert log.flush(10)
    other = sqlite3.connect(tmp_path / "calls.sqlite3")
    other.execute("begin immediate")
    log.begin(call("b"))
    assert "(database is locked)" in trouble(log)
    other.rollback()
    other.close()
    assert log.flush(10)
    assert len(store.calls()) == 2
    store.close()


@pytest.mark.parametrize("place", ["/proc/patter_nb/calls.sqlite3", "sqlite:////proc/patter_nb.sqlite3"])
def test_a_place_that_cannot_be_written_is_told_and_the_call_goes_on(place: str, call: Call, turn: Turn) -> None:
    store = Store(place)
    log = CallLog(store)
    hold(log, call(), [turn(1)])
    assert trouble(log).startswith(f"The store {place} is not being written (")
    assert len(log.turns()) == 1
    assert store.calls().empty
    discard(store)


def test_a_read_only_database_is_told_and_can_be_read(tmp_path: Path, call: Call, turn: Turn) -> None:
    path = tmp_path / "calls.sqlite3"
    first = Store(path)
    hold(CallLog(first), call("a"), [turn(1)])
    assert first.close()
    store = Store(f"sqlite:///file:{path}?mode=ro&uri=true")
    log = CallLog(store)
    log.begin(call("b"))
    assert "attempt to write a readonly database" in trouble(log)
    assert store.calls()["call_id"].tolist() == ["a"]
    discard(store)


def discard(store: Store) -> None:
    """Forget the rows that cannot be written, so that the end of the process does not wait for them."""
    store._writer.begin_again()
