"""The database behind a store."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from patter_nb.errors import ConfigError
from patter_nb.records.address import Address
from patter_nb.records.database import Database, reason
from patter_nb.records.price_list import PriceRow
from patter_nb.records.rows import price_row
from patter_nb.records.schema import SCHEMA_VERSION
from patter_nb.records.writer import Rejected, Unavailable, Write
from patter_nb.turns.usage import Price

EVENT = {"call_id": "c", "number": 0, "at": 1.0, "kind": "note", "turn": None, "data": {"to": "+15557654321"}}

PRICE = Write(
    "prices",
    price_row(PriceRow("p", "stt", "acme", "m", Price(usd_per_audio_minute=1.0), date(2026, 1, 1))),
    shared=True,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    made = Database(Address(None, path), store_numbers=False)
    yield made
    made.rest()


def stored(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_job_is_written_whole_or_not_at_all(database: Database, path: Path) -> None:
    database.write([(Write("events", EVENT),)], again=False)
    second = {**EVENT, "number": 1}
    with pytest.raises(Rejected, match="UNIQUE constraint failed"):
        database.write([(Write("events", second), Write("events", EVENT))], again=False)
    assert stored(path, "select number from events") == [(0,)]


def test_writing_again_skips_the_rows_that_are_there(database: Database, path: Path) -> None:
    database.write([(Write("events", EVENT),)], again=False)
    database.write([(Write("events", EVENT), Write("events", {**EVENT, "number": 1}))], again=True)
    assert stored(path, "select number from events order by number") == [(0,), (1,)]


def test_a_shared_row_of_another_process_stays_as_it_is(database: Database, path: Path) -> None:
    other = Database(Address(None, path), store_numbers=False)
    for each in (database, other, database):
        each.write([(PRICE,)], again=False)
    other.rest()
    assert stored(path, "select id, usd_per_audio_minute from prices") == [("p", 1.0)]


def test_readers_do_not_wait_for_a_writer_and_writers_wait_for_each_other(database: Database, path: Path) -> None:
    database.write([(Write("events", EVENT),)], again=False)
    assert stored(path, "pragma journal_mode") == [("wal",)]
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.execute(text("update events set kind = 'changed'"))
        with database.reading() as read:
            assert read("events", "number")[0]["kind"] == "note"


def test_a_writer_says_at_once_that_it_will_write(database: Database, path: Path) -> None:
    """Else two that read first and write then could both be refused, however long they may wait."""
    database.write([(Write("events", EVENT),)], again=False)
    other = sqlite3.connect(path, timeout=0)
    writing = database.engine.connect().execution_options(writes=True)
    with writing, writing.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("begin immediate")
    other.execute("begin immediate")
    other.close()


def test_a_database_of_a_later_version_is_neither_read_nor_written(database: Database, path: Path) -> None:
    database.write([(Write("events", EVENT),)], again=False)
    with database.engine.begin() as connection:
        connection.execute(text(f"update meta set value = '{SCHEMA_VERSION + 1}' where key = 'schema_version'"))
    later = Database(Address(None, path), store_numbers=False)
    expected = f"was written by a later version of patter_nb .* version {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}"
    with pytest.raises(ConfigError, match=expected), later.reading():
        pass
    with pytest.raises(Unavailable, match=expected):
        later.write([(Write("events", {**EVENT, "number": 1}),)], again=False)
    later.rest()
    assert stored(path, "select count(*) from events") == [(1,)]


def test_what_is_not_a_database_is_told(path: Path, database: Database) -> None:
    path.write_bytes(b"not a database, but a long enough text to be read as one" * 20)
    with pytest.raises(ConfigError, match=r"cannot be read: file is not a database\.$"), database.reading():
        pass
    with pytest.raises(Unavailable, match=r"^file is not a database$"):
        database.write([(Write("events", EVENT),)], again=False)


def test_a_value_that_no_database_takes_is_rejected_and_not_tried_for_ever(database: Database) -> None:
    with pytest.raises(Rejected):
        database.write([(Write("events", {**EVENT, "data": object()}),)], again=False)
    with pytest.raises(Rejected):
        database.write([(Write("events", {**EVENT, "turn": 2**70}),)], again=False)


def test_reading_makes_nothing(database: Database, path: Path) -> None:
    with database.reading() as read:
        assert read("calls", "call_id") == []
    assert not path.exists()
    path.touch()
    with database.reading() as read:
        assert read("calls", "call_id") == []
    assert path.stat().st_size == 0


def test_a_removed_file_is_made_again_with_the_prices_of_what_follows(database: Database, path: Path) -> None:
    database.write([(PRICE, Write("events", EVENT))], again=False)
    for each in path.parent.iterdir():
        each.unlink()
    database.write([(PRICE, Write("events", {**EVENT, "number": 1}))], again=False)
    assert stored(path, "select number from events") == [(1,)]
    assert stored(path, "select id from prices") == [("p",)]


def test_numbers_are_masked_within_what_is_stored(database: Database, path: Path) -> None:
    database.write([(Write("events", EVENT),)], again=False)
    assert stored(path, "select data from events") == [('{"to": "+1\\u2022\\u2022\\u2022\\u2022\\u20224321"}',)]


def test_a_reason_is_one_line_without_the_statement() -> None:
    assert reason(ValueError("first line.\nsecond line")) == "first line"
    assert reason(ValueError()) == "ValueError"


FOREIGN = [
    "create table meta (name text, version integer)",
    "create table meta (key text, value text)",
    "create table meta (key text, value text); insert into meta values ('schema_version', 'a'), ('hash_key', 'b')",
]


@pytest.mark.parametrize("made", FOREIGN)
def test_a_file_of_somebody_elses_is_neither_read_nor_written(made: str, database: Database, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as own:
        own.executescript(made)
        before = own.execute("select * from sqlite_master").fetchall(), own.execute("select * from meta").fetchall()
    expected = "is not a store of patter_nb: .* Give another path as store"
    with pytest.raises(ConfigError, match=expected), database.reading():
        pass
    with pytest.raises(Unavailable, match=expected):
        database.write([(Write("events", EVENT),)], again=False)
    with contextlib.closing(sqlite3.connect(path)) as own:
        assert (own.execute("select * from sqlite_master").fetchall(), own.execute("select * from meta").fetchall()) == before
