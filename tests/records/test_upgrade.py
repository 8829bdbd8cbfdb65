"""Stores that earlier versions of the tables wrote: `version_N` holds one as SQLite and as PostgreSQL dumped it."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, inspect
from tests_of_records_postgresql import Server
from tests_of_records_waiting import trouble

from patter_nb.records import engines
from patter_nb.records.facts import CallFacts, RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.schema import SCHEMA_VERSION, schema
from patter_nb.records.store import Store
from patter_nb.turns.facts import ToolRun, TurnFacts

pytestmark = pytest.mark.slow  # databases made anew for each test

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]

Open = Callable[[str], Store]

FOLDER = Path(__file__).parent
LATER = datetime(2026, 7, 20, 19, 0, tzinfo=UTC)
"""After the calls of the old stores."""
ADDED: dict[int, dict[str, set[str]]] = {
    2: {
        "turns": {
            "transcript_hooks_started_at", "transcript_hooks_ended_at", "stages_started_at", "stages_ended_at",
            "edit_requested_at", "edit_effective_turn", "guardrails",
        },
        "revisions": {"scope"},
    },
    3: {},
}  # fmt: skip
"""The columns that a version has and the one before had not."""


@pytest.fixture(params=[1, 2])
def earlier(request: pytest.FixtureRequest) -> int:
    """The version of the tables of an old store."""
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path, earlier: int) -> Path:
    """The file of a store of an earlier version."""
    made = tmp_path / "calls.sqlite3"
    with contextlib.closing(sqlite3.connect(made)) as connection:
        connection.executescript(dump(earlier, "sqlite"))
    return made


@pytest.fixture
def database(server: Server, earlier: int) -> str:
    """The URL of a store of an earlier version in PostgreSQL."""
    url = server.schema()
    server.sql(dump(earlier, "postgresql"), url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, earlier: int) -> str:
    """Where a store of an earlier version lies: a path, or a URL."""
    place = request.getfixturevalue("path" if request.param == "sqlite" else "database")
    return str(place)


def dump(version: int, kind: str) -> str:
    return (FOLDER / f"version_{version}" / f"{kind}.sql").read_text(encoding="utf-8")


def columns(place: str) -> dict[str, set[str]]:
    """The columns of each table, as the database itself says."""
    engine = create_engine(place if "://" in place else f"sqlite:///{place}")
    found = inspect(engine)
    try:
        return {table: {column["name"] for column in found.get_columns(table)} for table in found.get_table_names()}
    finally:
        engine.dispose()


def version(place: str) -> str:
    engine = create_engine(place if "://" in place else f"sqlite:///{place}")
    try:
        with engine.connect() as connection:
            meta = schema().tables["meta"]
            return str(connection.execute(meta.select().where(meta.c.key == "schema_version")).one().value)
    finally:
        engine.dispose()


def newest() -> dict[str, set[str]]:
    return {table.name: {column.name for column in table.columns} for table in schema().sorted_tables}


def hold(store: Store, call: CallFacts, turn: TurnFacts) -> None:
    """One call with everything that version 2 added."""
    call = replace(call, started_at=LATER)
    log = CallLog(store)
    log.revision(RevisionFacts("agent", 1, "c3", None, "", call.started_at, {"voice": "amy"}, "this call"))
    log.begin(call)
    log.turn(call.call_id, turn)
    log.finish(call.call_id, duration_seconds=4.0, end_reason="caller_hung_up")


@pytest.fixture
def newer(turn: Turn, full: dict[str, float]) -> TurnFacts:
    """A turn with all that a row of an earlier version could not hold."""
    stages = {
        "transcript_hooks_started_at": 2.25,
        "transcript_hooks_ended_at": 2.3,
        "stages_started_at": 2.842,
        "stages_ended_at": 2.843,
    }
    run = ToolRun("t1", "book", "{}", "done", None, 2.5, 2.6, 2)
    edit = {"edit_requested_at": 1.25, "edit_effective_turn": 1}
    return turn(1, {**full, **stages}, tools=(run,), guardrails=("no prices",), **edit)


def test_an_old_store_lacks_exactly_what_later_versions_added(old: str, earlier: int) -> None:
    added: dict[str, set[str]] = {}
    for version in range(earlier + 1, SCHEMA_VERSION + 1):
        for table, names in ADDED[version].items():
            added[table] = added.get(table, set()) | names
    assert {table: missing for table, names in newest().items() if (missing := names - columns(old)[table])} == added


def test_reading_an_old_store_changes_nothing_in_it(old: str, earlier: int, opened: Open) -> None:
    before = columns(old)
    store = opened(old)
    turns, tools, revisions = store.turns(), store.tools_log(), store.revisions()
    assert store.calls()["call_id"].tolist() == ["call_1", "call_2"]
    assert turns["gap_ms"].dropna().tolist() == pytest.approx([1045, 1045])
    assert turns["usd"].tolist()[1] == pytest.approx(0.0012)
    assert turns[["edit_requested_at", "edit_effective_turn", "guardrail_ms"]].isna().all(axis=None)
    assert turns["stages_ms"].dropna().tolist() == [0, 0]
    assert tools["result"].isna().tolist() == [False, True] * 2
    assert tools[["called_at", "ms"]].isna().all(axis=None)
    assert tools["attempts"].tolist() == [1] * 4
    assert revisions["scope"].tolist() == ["next call", "next call"]
    assert revisions["changed"].tolist()[1] == "system_prompt"
    assert revisions["turns"].tolist() == [1, 1]
    assert store.events()["kind"].tolist() == ["turn_closed", "loop_stall", "turn_closed"] * 2
    assert store.hash_number("+15557654321") == store.calls()["caller_hash"].iloc[0]
    assert (columns(old), version(old)) == (before, str(earlier))


def test_the_first_row_that_is_written_brings_an_old_store_up_to_date(
    old: str, call: Call, newer: TurnFacts, opened: Open
) -> None:
    before = opened(old)
    frames = [before.calls(), before.turns(), before.tools_log(), before.revisions()]
    store = opened(old)
    hold(store, call("new"), newer)
    assert store.flush(20), store.problem
    assert (columns(old), version(old)) == (newest(), str(SCHEMA_VERSION))
    after = [store.calls(), store.turns(), store.tools_log(), store.revisions()]
    for earlier, later in zip(frames, after, strict=True):
        kept = later[later["call_id"] != "new"] if "call_id" in later else later[later["content_id"] != "c3"]
        pd.testing.assert_frame_equal(kept.sort_index().reset_index(drop=True), earlier)
    row = after[1].iloc[-1]
    assert (row["edit_requested_at"], row["edit_effective_turn"], row["guardrails"]) == (1.25, 1, "no prices")
    assert row["transcript_hooks_ms"] == pytest.approx(0)  # it passed while the silence was granted
    assert row["stages_ms"] == pytest.approx(1)
    assert after[2].iloc[-1][["ms", "attempts"]].tolist() == pytest.approx([100, 2])
    assert after[3][after[3]["content_id"] == "c3"]["scope"].tolist() == ["this call"]
    [facts] = [reading.record.turns for reading in store.readings() if reading.record.facts.call_id == "new"]
    assert facts == (newer,)


def test_the_price_of_an_old_call_stays(old: str, call: Call, newer: TurnFacts, opened: Open) -> None:
    store = opened(old)
    hold(store, call("new"), newer)
    assert store.flush(20), store.problem
    assert store.calls()["usd"].tolist()[:2] == pytest.approx([0.0012, 0.0012])


def test_stores_that_begin_at_once_all_write_what_they_hold(old: str, call: Call, newer: TurnFacts, opened: Open) -> None:
    stores = [opened(old) for _ in range(4)]
    gate = threading.Barrier(len(stores))

    def work(number: int) -> None:
        gate.wait(20)
        hold(stores[number], call(f"new{number}"), newer)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [store.flush(60) for store in stores] == [True] * 4
    assert [store.problem for store in stores] == [None] * 4
    assert set(stores[0].calls()["call_id"]) == {"call_1", "call_2", *(f"new{number}" for number in range(4))}
    assert (columns(old), version(old)) == (newest(), str(SCHEMA_VERSION))


PROCESS = """
import sys
from datetime import UTC, datetime
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts

log = CallLog(Store(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
log.begin(CallFacts(call_id=sys.argv[2], agent="a", revision=1, direction="test", started_at=datetime.now(UTC)))
log.turn(sys.argv[2], TurnFacts(1, "caller", 1, guardrails=("no prices",)))
sys.exit(0 if log.flush(60) else log.problem)
"""


@pytest.mark.slow
def test_processes_that_begin_at_once_all_write_what_they_hold(old: str, opened: Open) -> None:
    names = ["a", "b", "c"]
    command = [sys.executable, "-c", PROCESS, old]
    pipe = subprocess.PIPE
    children = [subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, text=True) for name in names]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=90)
    assert [child.returncode for child in children] == [0, 0, 0]
    store = opened(old)
    assert set(store.calls()["call_id"]) == {"call_1", "call_2", *names}
    assert store.turns()["guardrails"].dropna().tolist() == ["no prices"] * 3
    assert (columns(old), version(old)) == (newest(), str(SCHEMA_VERSION))


def test_a_reader_in_the_middle_of_an_upgrade_sees_whole_tables(path: Path, call: Call, newer: TurnFacts, opened: Open) -> None:
    reader, writer = opened(str(path)), opened(str(path))
    done = threading.Event()
    seen: list[int] = []

    def look() -> None:
        for _ in range(200):
            seen.append(len(reader.turns()))
            if done.is_set():
                return

    thread = threading.Thread(target=look)
    thread.start()
    hold(writer, call("new"), newer)
    assert writer.flush(20), writer.problem
    done.set()
    thread.join(60)
    assert set(seen) <= {4, 5}
    assert len(reader.turns()) == 5


def test_an_upgrade_waits_for_readers_and_holds_nothing_that_they_want(
    database: str, call: Call, newer: TurnFacts, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.3)
    reader, writer = opened(database), opened(database)
    with reader._database.reading() as read:
        assert len(read("prices", "id")) == 1
        hold(writer, call("new"), newer)
        assert not writer.flush(0.1)
        assert len(read("calls", "started_at")) == 2
        assert len(read("turns", "number")) == 4
        assert "(canceling statement due to lock timeout); rows waiting" in trouble(writer)
    assert writer.flush(20), writer.problem
    assert (columns(database), version(database)) == (newest(), str(SCHEMA_VERSION))
    assert len(reader.turns()) == 5


@pytest.mark.parametrize("earlier", [1], indirect=True)
def test_an_upgrade_that_fails_half_way_leaves_the_old_store_as_it_was(
    path: Path, call: Call, newer: TurnFacts, monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    before = columns(str(path))
    broken = schema().tables["turns"].c.guardrails.type
    store = opened(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(type(broken), "compile", lambda *_, **__: "JSON REFERENCES (", raising=False)
        hold(store, call("new"), newer)
        assert "is not being written (" in trouble(store)
        assert (columns(str(path)), version(str(path))) == (before, "1")
    assert store.flush(20), store.problem
    assert (columns(str(path)), version(str(path))) == (newest(), str(SCHEMA_VERSION))
    assert store.calls()["call_id"].tolist() == ["call_1", "call_2", "new"]


def test_a_read_only_old_store_can_be_read(path: Path, call: Call, newer: TurnFacts, opened: Open) -> None:
    store = opened(f"sqlite:///file:{path}?mode=ro&uri=true")
    hold(store, call("new"), newer)
    assert "attempt to write a readonly database" in trouble(store)
    assert store.turns()["guardrails"].isna().tolist() == [True] * 4
    assert store.revisions()["scope"].tolist() == ["next call"] * 2


def test_whoever_may_not_alter_the_tables_is_told_and_can_read_until_they_may(
    database: str, server: Server, call: Call, newer: TurnFacts, opened: Open
) -> None:
    before = version(database)
    schema_name, guest = database.rpartition("D")[2], f"guest_of_{before}"
    server.sql(f"create role {guest} login")
    server.sql(f"grant usage on schema {schema_name} to {guest}")
    server.sql(f"grant select, insert, update on all tables in schema {schema_name} to {guest}")
    store = opened(database.replace("calls@", f"{guest}@"))
    hold(store, call("new"), newer)
    assert "is not being written (must be owner of table calls); rows waiting in memory:" in trouble(store)
    assert store.turns()["gap_ms"].dropna().tolist() == pytest.approx([1045, 1045])
    assert version(database) == before
    for table in schema().tables:
        server.sql(f"alter table {table} owner to {guest}", database)
    assert store.flush(20), store.problem
    assert store.turns()["guardrails"].dropna().tolist() == ["no prices"]
    assert version(database) == str(SCHEMA_VERSION)


def test_whole_numbers_have_64_bits_wherever_the_store_began(database: str, call: Call, newer: TurnFacts, opened: Open) -> None:
    store = opened(database)
    hold(store, call("new"), replace(newer, turn=2**53, resumed=2**40))
    assert store.flush(20), store.problem
    assert store.turns()[["turn", "resumed"]].iloc[-1].tolist() == [2**53, 2**40]
    assert store.problem is None
