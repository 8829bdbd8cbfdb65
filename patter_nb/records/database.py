"""The database behind a store: writing jobs into it and reading rows out of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patter_nb.errors import ConfigError, scrub
from patter_nb.records.address import DIRECTORY, Address
from patter_nb.records.engines import make_engine, to_read, to_write
from patter_nb.records.masking import hash_number, mask_data, mask_number
from patter_nb.records.reader import Read, reader
from patter_nb.records.readings import CALL_USAGE, LATE_USAGE
from patter_nb.records.schema import SCHEMA_VERSION, schema
from patter_nb.records.upgrade import prepare, read_meta
from patter_nb.records.writer import Job, Rejected, Unavailable, Write

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table
    from sqlalchemy.exc import SQLAlchemyError

_NO_TEXTS = ("call_id", "phone_id", "recording_path", "usage")
"""Columns that name something which must be found again (usage: its price), and hold no number."""

_NEVER = ("22", "23", "54")
"""Classes of PostgreSQL's codes for values that it will not take, however often it is asked."""

_of_parents: list[Connection | None] = []
"""In a child process: connections that only the parent may use or close."""


class Database:
    """One database, at a path (SQLite) or a URL. `write` and `rest` are for one thread, all else for any."""

    def __init__(self, address: Address, *, store_numbers: bool) -> None:
        self._address = address
        self._store_numbers = store_numbers
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        """The one that writes, whose tables are prepared."""
        self._shared: set[tuple[str, str]] = set()
        self.hash_key: bytes | None = None
        """The key of number hashes; None until the database was written to or read."""

    @property
    def name(self) -> str:
        """Its path, or its URL without the password."""
        return self._address.name

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine. It connects when it is used."""
        with self._lock:
            if self._engine is None:
                self._engine = make_engine(self._address)
            return self._engine

    def write(self, jobs: Sequence[Job], again: bool) -> None:
        """Write the jobs in one transaction. `again`: some rows may be there already. Raises `Unavailable` or `Rejected`."""
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        with contextlib.ExitStack() as unless_written:
            unless_written.callback(self._drop, failed=True)
            connection = self._ready()
            try:
                rows = [(each, self._private(each)) for job in jobs for each in job]
                with connection.begin():
                    self._apply(connection, rows, again)
            except DBAPIError as error:
                raise (Rejected if _never(error) else Unavailable)(reason(error)) from error
            except (SQLAlchemyError, ValueError, TypeError, OverflowError) as error:
                raise Rejected(reason(error)) from error
            unless_written.pop_all()
        self._shared.update((each.table, each.row["id"]) for job in jobs for each in job if each.shared)

    def rest(self) -> None:
        """Close the connection that writes. The next row opens another."""
        self._drop()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Read]:
        """One consistent look at all tables, which are empty when nothing was ever written. Makes nothing.

        `ConfigError` when the database cannot be read.
        """
        from sqlalchemy import inspect
        from sqlalchemy.exc import SQLAlchemyError

        if self._address.path is not None and not self._address.path.exists():
            yield reader(None)
            return
        try:
            with to_read(self.engine) as connection:
                exists = inspect(connection).has_table("meta")
                yield reader(connection, newest=self._read_meta(connection)) if exists else reader(None)
        except SQLAlchemyError as error:
            raise ConfigError(f"The store {self.name} cannot be read: {reason(error)}.") from error

    def forked(self) -> None:
        """In a child process: leave the parent's connections alone."""
        _of_parents.append(self._connection)
        self._lock = threading.Lock()
        self._engine = self._connection = None
        self._shared.clear()

    def _ready(self) -> Connection:
        """The connection that writes, after what is not there yet was made: directory, file, tables."""
        from sqlalchemy.exc import SQLAlchemyError

        path = self._address.path
        if self._connection is not None:
            if path is None or path.exists():
                return self._connection
            self._drop()  # the file was removed, and an open database would go on writing into what has no name any more
        try:
            if path is not None:
                make_directory(path.parent)
            self._connection = connection = to_write(self.engine)
            with connection.begin():
                prepare(connection)
                self._read_meta(connection)
        except SQLAlchemyError as error:
            raise Unavailable(reason(error)) from error
        except OSError as error:
            raise Unavailable(error.strerror or str(error)) from error
        except ConfigError as error:
            raise Unavailable(str(error).rstrip(".")) from error
        return connection

    def _drop(self, *, failed: bool = False) -> None:
        connection, self._connection = self._connection, None
        self._shared.clear()
        if connection is not None:
            if failed:
                connection.invalidate()  # it may be half dead, and then cannot even end its transaction
            connection.close()

    def _apply(self, connection: Connection, rows: Sequence[tuple[Write, dict[str, Any]]], again: bool) -> None:
        """Rows of one table together, so that a far server is asked a few times only; then the changes, in their order."""
        together: dict[tuple[str, bool, tuple[str, ...]], list[dict[str, Any]]] = {}
        for each, row in rows:
            if not (each.update or (each.shared and (each.table, each.row["id"]) in self._shared)):
                together.setdefault((each.table, again or each.shared, tuple(row)), []).append(row)
        for (name, maybe_there, _), found in together.items():
            _insert(connection, schema().tables[name], found, maybe_there)
        for each, row in rows:
            if each.update:
                table = schema().tables[each.table]
                connection.execute(table.update().where(*_key(table, row)).values(row))

    def _private(self, each: Write) -> dict[str, Any]:
        """The row with phone numbers as they may be kept."""
        if each.table not in ("calls", "turns", "events"):
            return each.row
        row = dict(each.row)
        if not self._store_numbers:
            row = {name: value if name in _NO_TEXTS else mask_data(value) for name, value in row.items()}
            if row.get("kind") in (LATE_USAGE, CALL_USAGE):
                row["data"] = each.row["data"]
        for name in ("caller", "callee"):
            number = each.row.get(name)
            if each.table == "calls" and number is not None:
                row[f"{name}_hash"] = None if self.hash_key is None else hash_number(number, self.hash_key)
                row[f"{name}_number"] = number if self._store_numbers else None
                row[name] = mask_number(number)
        return row

    def _read_meta(self, connection: Connection) -> bool:
        """Learn the key of number hashes; whether the tables are those of this version."""
        meta = read_meta(connection)
        if meta is None:
            remedy = "it has a table meta of its own. Give another path as store."
            raise ConfigError(f"{self.name} is not a store of patter_nb: {remedy}")
        version = int(meta["schema_version"])
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"The store {self.name} was written by a later version of patter_nb (its tables are of version "
                f"{version}, this one knows {SCHEMA_VERSION}): upgrade patter_nb, or give another path as store."
            )
        self.hash_key = bytes.fromhex(meta["hash_key"])
        return version == SCHEMA_VERSION


def make_directory(directory: Path) -> None:
    """Make it if it is not there; `.patter_nb` with a `.gitignore` that keeps all of it out of Git. Raises `OSError`."""
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if directory.name == DIRECTORY and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def reason(error: Exception) -> str:
    """What went wrong as the database says it, in one line, without statement, parameters and password."""
    told = str(getattr(error, "orig", None) or error).strip()
    if not told:
        return type(error).__name__
    line = " ".join(scrub(told.splitlines()[0]).split()).rstrip(".")
    return line.removeprefix("connection failed: ").replace("FATAL: ", "")  # words that psycopg and the server put before it


def _never(error: SQLAlchemyError) -> bool:
    """Whether the rows themselves are what is wrong."""
    from sqlalchemy.exc import DataError, IntegrityError

    original = getattr(error, "orig", None)
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    return isinstance(error, DataError | IntegrityError) or code[:2] in _NEVER


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]], maybe_there: bool) -> None:
    """Add the rows. `maybe_there`: leave those alone that are there, also where another process adds them at this moment."""
    from sqlalchemy.dialects import postgresql, sqlite

    if connection.dialect.name == "postgresql":
        insert = postgresql.insert(table)
        # What comes back is of no use, but makes one statement of all rows; the driver's own way, a pipeline, logs its failures.
        connection.execute((insert.on_conflict_do_nothing() if maybe_there else insert).returning(*table.primary_key), rows)
    elif not maybe_there:
        connection.execute(table.insert(), rows)
    elif connection.dialect.name == "sqlite":
        connection.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
    else:
        for row in rows:
            if connection.execute(table.select().where(*_key(table, row))).first() is None:
                connection.execute(table.insert(), row)


def _key(table: Table, row: Mapping[str, Any]) -> list[Any]:
    return [column == row[column.name] for column in table.primary_key]
