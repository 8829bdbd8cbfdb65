"""Calls on disk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import event

from patter_nb.errors import ConfigError
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]


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


def test_another_store_on_the_same_file_continues_it(tmp_path: Path, call: Call) -> None:
    for number in range(2):
        store = Store(tmp_path / "calls.sqlite3")
        CallLog(store).begin(call(f"c{number}"))
        assert store.close()
    later = Store(tmp_path / "calls.sqlite3")
    assert later.calls()["call_id"].tolist() == ["c0", "c1"]
    assert later.hash_number("+15557654321") == later.calls()["caller_hash"].iloc[0]
    later.close()


def test_numbers_are_kept_masked_and_hashed_unless_asked_for(tmp_path: Path, call: Call, turn: Turn) -> None:
    for store_numbers in (False, True):
        store = Store(tmp_path / f"{store_numbers}.sqlite3", store_numbers=store_numbers)
        log = CallLog(store)
        hold(log, call(), [turn(1, caller_text="call +1 555 765 4321")])
        assert store.close()
        raw = Path(store.name).read_bytes()
        assert (b"5557654321" in raw) == store_numbers
        assert (b"555 765 4321" in raw) == store_numbers
        frame = store.calls()
        assert frame["caller"].tolist() == ["+1•••••4321"]
        assert frame["caller_hash"].tolist() == [store.hash_number("+1 555-765-4321")]
        assert store.turns()["caller_text"].tolist() == ["call +1•••••4321"]
        store.close()


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


def test_when_the_disk_is_full_rows_wait_and_are_written_when_there_is_room(
    log: CallLog, store: Store, call: Call, turn: Turn
) -> None:
    limit = {"pages": 1_000_000}
    limits = "pragma max_page_count = {pages}"
    event.listen(store.engine, "begin", lambda connection: connection.exec_driver_sql(limits.format_map(limit)))
    hold(log, call("before"), [turn(1)])
    assert log.flush(10)
    limit["pages"] = 1  # SQLite takes the present size instead of less
    long = "x" * 20_000
    for number in range(10):
        hold(log, call(f"c{number}"), [turn(1, agent_text=long)])
    assert not log.flush(0.1)
    assert log.problem is not None
    assert "is not being written (database or disk is full); rows waiting in memory:" in log.problem
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
    assert not log.flush(0.2)
    assert "(database is locked)" in (log.problem or "")
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
    assert not log.flush(0.05)
    assert (log.problem or "").startswith(f"The store {place} is not being written (")
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
    assert not log.flush(0.05)
    assert "attempt to write a readonly database" in (log.problem or "")
    assert store.calls()["call_id"].tolist() == ["a"]
    discard(store)


def discard(store: Store) -> None:
    """Forget the rows that cannot be written, so that the end of the process does not wait for them."""
    store._writer.begin_again()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_writes_to_the_same_file(log: CallLog, store: Store, call: Call, in_child: Callable[..., int]) -> None:
    log.begin(call("parent"))
    assert log.flush(10)

    def child() -> bool:
        log.begin(call("child"))
        return log.flush(10) and len(store.calls()) == 2

    assert in_child(child) == 0
    log.begin(call("parent_again"))
    assert log.flush(10)
    assert set(store.calls()["call_id"]) == {"parent", "child", "parent_again"}


PROCESS = """
import sys
from datetime import UTC, datetime
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts

path, name, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = CallLog(Store(path))
for number in range(calls):
    call_id = f"{name}{number}"
    log.begin(CallFacts(call_id=call_id, agent="a", revision=1, direction="test", started_at=datetime.now(UTC)))
    log.turn(call_id, TurnFacts(1, "caller", 1))
    log.finish(call_id, duration_seconds=1.0, end_reason="done")
"""


def test_two_processes_share_a_file_and_write_what_is_left_when_they_end(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    processes = [subprocess.Popen([sys.executable, "-c", PROCESS, str(path), name, "40"]) for name in ("a", "b")]
    assert [process.wait(60) for process in processes] == [0, 0]
    store = Store(path)
    calls = store.calls()
    assert (len(calls), len(store.turns())) == (80, 80)
    assert set(calls["end_reason"]) == {"done"}
    store.close()


@pytest.mark.parametrize("place", [".", "/"])
def test_a_directory_is_not_a_file(place: str) -> None:
    with pytest.raises(ConfigError, match=r"which is a directory: give the path of a file in it\.$"):
        Store(place)
