"""The database behind a store: opening it, making its tables, writing jobs and reading rows."""

from __future__ import annotations

import contextlib
import re
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patter_nb.errors import ConfigError, scrub
from patter_nb.records.masking import hash_number, mask_data, mask_number
from patter_nb.records.schema import SCHEMA_VERSION, schema
from patter_nb.records.writer import Job, Rejected, Unavailable, Write

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

DIRECTORY = ".patter_nb"
BUSY_SECONDS = 5.0
"""How long SQLite waits for another process's transaction."""

_NO_TEXTS = ("call_id", "phone_id", "recording_path")
"""Columns that name something which must be found again, and hold no number."""

Read = Callable[[str, str], list[dict[str, Any]]]
"""The rows of a table, ordered by one of its columns."""


class Database:
    """One database, at a path (SQLite) or a URL. Safe to use from any thread."""

    def __init__(self, url: URL | None, path: Path | None, *, store_numbers: bool) -> None:
        self._url = url
        self._path = path
        self._store_numbers = store_numbers
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._prepared = False
        self._shared: set[tuple[str, str]] = set()
        self.hash_key: bytes | None = None
        """The key of number hashes; None until the database was written to or read."""

    @property
    def name(self) -> str:
        """Its path, or its URL without the password."""
        return str(self._path) if self._url is None else self._url.render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine. It connects when it is used."""
        with self._lock:
            if self._engine is None:
                self._engine = _make_engine(self._url, self._path)
            return self._engine

    def write(self, jobs: Sequence[Job], again: bool) -> None:
        """Write the jobs in one transaction. `again`: some rows may be there already. Raises `Unavailable` or `Rejected`."""
        from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

        try:
            self._prepare()
            with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                for each in (each for job in jobs for each in job):
                    self._apply(connection, each, again)
        except (DataError, IntegrityError) as error:
            raise Rejected(reason(error)) from error
        except DBAPIError as error:
            raise Unavailable(reason(error)) from error
        except OSError as error:
            raise Unavailable(error.strerror or str(error)) from error
        except ConfigError as error:
            raise Unavailable(str(error).rstrip(".")) from error
        except (SQLAlchemyError, ValueError, TypeError, OverflowError) as error:
            raise Rejected(reason(error)) from error
        self._shared.update((each.table, each.row["id"]) for job in jobs for each in job if each.shared)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Read]:
        """One consistent look at all tables, which are empty when nothing was ever written. Makes nothing.

        `ConfigError` when the database cannot be read.
        """
        from sqlalchemy import inspect
        from sqlalchemy.exc import SQLAlchemyError

        if self._path is not None and not self._path.exists():
            yield _nothing
            return
        try:
            with self.engine.connect() as connection:
                exists = inspect(connection).has_table("meta")
                if exists:
                    self._read_meta(connection)
                yield _reader(connection) if exists else _nothing
        except SQLAlchemyError as error:
            raise ConfigError(f"The store {self.name} cannot be read: {reason(error)}.") from error

    def let_go(self) -> None:
        """Close every connection that is not in use. The next use opens new ones."""
        with self._lock:
            engine, self._engine, self._prepared = self._engine, None, False
        self._shared.clear()
        if engine is not None:
            engine.dispose()

    def forked(self) -> None:
        """In a child process: leave the parent's connections alone."""
        self._lock = threading.Lock()
        self._prepared = False
        if self._engine is not None:
            self._engine.dispose(close=False)
            self._engine = None

    def _apply(self, connection: Connection, each: Write, again: bool) -> None:
        table = schema().tables[each.table]
        key = [column == each.row[column.name] for column in table.primary_key]
        row = self._private(each)
        if each.update:
            connection.execute(table.update().where(*key).values(row))
        elif each.shared and (each.table, each.row["id"]) in self._shared:
            return
        elif not (again or each.shared) or connection.execute(table.select().where(*key)).first() is None:
            connection.execute(table.insert(), row)

    def _private(self, each: Write) -> dict[str, Any]:
        """The row with phone numbers as they may be kept."""
        if each.table not in ("calls", "turns", "events"):
            return each.row
        row = dict(each.row)
        if not self._store_numbers:
            row = {name: value if name in _NO_TEXTS else mask_data(value) for name, value in row.items()}
        for name in ("caller", "callee"):
            number = each.row.get(name)
            if each.table == "calls" and number is not None:
                row[f"{name}_hash"] = None if self.hash_key is None else hash_number(number, self.hash_key)
                row[f"{name}_number"] = number if self._store_numbers else None
                row[name] = mask_number(number)
        return row

    def _prepare(self) -> None:
        """Make what is not there yet: directory, file, tables."""
        there = self._path is None or self._path.exists()
        if self._prepared and there:
            return
        if self._prepared:
            self.let_go()  # the file was removed, and an open database would go on writing into what has no name any more
        if self._path is not None:
            make_directory(self._path.parent)
        if self.engine.dialect.name == "sqlite":
            _use_write_ahead_log(self.engine)
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            _make_tables(connection)
            self._read_meta(connection)
            _upgrade(connection)
        self._prepared = True

    def _read_meta(self, connection: Connection) -> None:
        meta = _meta(connection)
        if meta is None:
            remedy = "it has a table meta of its own. Give another path as store."
            raise ConfigError(f"{self.name} is not a store of patter_nb: {remedy}")
        if int(meta["schema_version"]) > SCHEMA_VERSION:
            raise ConfigError(
                f"The store {self.name} was written by a later version of patter_nb (its tables are of version "
                f"{meta['schema_version']}, this one knows {SCHEMA_VERSION}): upgrade patter_nb, or give another path as store."
            )
        self.hash_key = bytes.fromhex(meta["hash_key"])


def make_directory(directory: Path) -> None:
    """Make it if it is not there; `.patter_nb` with a `.gitignore` that keeps all of it out of Git. Raises `OSError`."""
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if directory.name == DIRECTORY and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def checked_url(text: str) -> URL:
    """The URL, with its driver at hand; `ConfigError` otherwise."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
        url.get_dialect().import_dbapi()
    except ArgumentError as error:
        remedy = "give a path, or for example postgresql+psycopg://host/name"
        raise ConfigError(f"store is not a database URL ({reason(error)}): {remedy}.") from error
    except ImportError as error:
        remedy = f"pip install {error.name}"
        raise ConfigError(f"store is a {url.get_backend_name()} URL, whose driver is not installed: {remedy}") from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigError("store is a database in memory, which would end with this process: give a path, or turn the store off.")
    return url


def reason(error: Exception) -> str:
    """What went wrong as the database says it, without statement, parameters and password."""
    told = str(getattr(error, "orig", None) or error).strip()
    return scrub(told.splitlines()[0]).rstrip(".") if told else type(error).__name__


def _make_engine(url: URL | None, path: Path | None) -> Engine:
    from sqlalchemy import URL, create_engine, event

    if path is not None:
        url = URL.create("sqlite", database=str(path)) if url is None else url.set(database=str(path))
    assert url is not None
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: sqlite3.Connection, _: object) -> None:
    with contextlib.suppress(sqlite3.Error):  # what is no database says so when it is used
        connection.execute("PRAGMA synchronous=NORMAL")  # with WAL only a power cut can take the last rows


def _use_write_ahead_log(engine: Engine) -> None:
    """Let readers and the writer not wait for each other. SQLite keeps this in the file."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA journal_mode=WAL")  # what cannot be written to says so at the first row


def _on_begin(connection: Connection) -> None:
    # A transaction that turns from reading to writing cannot wait for another writer, so writers say at once what they are.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _make_tables(connection: Connection) -> None:
    from sqlalchemy import inspect

    if inspect(connection).has_table("meta"):
        return
    schema().create_all(connection)
    first = {"schema_version": str(SCHEMA_VERSION), "hash_key": secrets.token_hex(32)}
    connection.execute(schema().tables["meta"].insert(), [{"key": key, "value": value} for key, value in first.items()])


def _upgrade(connection: Connection) -> None:
    """Give the tables of an earlier version the columns they lack. Within the transaction of whoever writes first."""
    from sqlalchemy import inspect, text

    meta = schema().tables["meta"]
    version = connection.execute(meta.select().where(meta.c.key == "schema_version")).one().value
    if int(version) >= SCHEMA_VERSION:
        return
    # Of two processes at once the later one finds the columns there; SQLite lets them in one after the other anyway.
    unless = "IF NOT EXISTS " if connection.dialect.name == "postgresql" else ""
    quote = connection.dialect.identifier_preparer.quote
    for table in schema().sorted_tables:
        known = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                kind = column.type.compile(dialect=connection.dialect)
                connection.execute(text(f"ALTER TABLE {quote(table.name)} ADD COLUMN {unless}{quote(column.name)} {kind}"))
    connection.execute(meta.update().where(meta.c.key == "schema_version").values(value=str(SCHEMA_VERSION)))


def _meta(connection: Connection) -> dict[str, str] | None:
    """What the table `meta` says of the store; None when the table is somebody else's."""
    from sqlalchemy import inspect

    columns = {column["name"] for column in inspect(connection).get_columns("meta")}
    if not columns >= {"key", "value"}:
        return None
    meta = {row["key"]: row["value"] for row in _reader(connection)("meta", "key")}
    ours = str(meta.get("schema_version", "")).isdecimal() and re.fullmatch("(?:[0-9a-f]{2})+", str(meta.get("hash_key", "")))
    return meta if ours else None


def _reader(connection: Connection) -> Read:
    from sqlalchemy import inspect, select

    def read(table: str, order: str) -> list[dict[str, Any]]:
        """What an earlier version's table lacks is None in every row."""
        source = schema().tables[table]
        there = {column["name"] for column in inspect(connection).get_columns(table)}
        columns = [column for column in source.columns if column.name in there]
        lacking = dict.fromkeys(column.name for column in source.columns if column.name not in there)
        found: Sequence[Mapping[Any, Any]] = connection.execute(select(*columns).order_by(source.c[order])).mappings().all()
        return [{**lacking, **{str(name): value for name, value in row.items()}} for row in found]

    return read


def _nothing(_table: str, _order: str) -> list[dict[str, Any]]:
    return []
