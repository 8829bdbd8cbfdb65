"""SQLAlchemy's engine for a store, and what each kind of database must be told on every connection.

No connection is kept for later: the writing thread holds one while there is something to write, a reader has one while it reads.
A kernel that nobody uses holds none, which matters where a whole team shares one server.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from patter_nb.records.address import Address

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 5.0
"""How long a writer waits for what another process has locked."""

LIBPQ: dict[str, Any] = {
    "application_name": "patter_nb",
    "client_encoding": "utf8",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""Seconds (the last one milliseconds) after which a server that is gone without a word is given up, who we are, and in what we
write. What the URL says comes first."""

WRITES = {"writes": True}
"""Options of a connection that writes."""


def make_engine(address: Address) -> Engine:
    """The engine. It connects when it is used."""
    from sqlalchemy import URL, NullPool, create_engine, event

    url = address.url or URL.create("sqlite")
    if address.path is not None:
        url = url.set(database=str(address.path))
    backend, arguments = url.get_backend_name(), dict[str, Any](address.secrets)
    if backend == "sqlite":
        arguments["timeout"] = BUSY_SECONDS
    elif backend == "postgresql" and url.get_driver_name().startswith("psycopg"):
        arguments |= {name: value for name, value in LIBPQ.items() if name not in url.query}
    engine = create_engine(url, connect_args=arguments, poolclass=NullPool)
    if backend == "sqlite":
        event.listen(engine, "connect", _greet_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif backend == "postgresql":
        event.listen(engine, "connect", _greet_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def to_write(engine: Engine) -> Connection:
    """A connection that writes."""
    connection = engine.connect().execution_options(**WRITES)
    if engine.dialect.name == "sqlite":
        # Readers and the writer then do not wait for each other. SQLite keeps this in the file.
        with contextlib.suppress(sqlite3.Error):  # what cannot be written to says so at the first row
            connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
    return connection


def to_read(engine: Engine) -> Connection:
    """A connection whose transaction sees everything as it was at one moment."""
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return connection


def _greet_sqlite(connection: sqlite3.Connection, _: object) -> None:
    with contextlib.suppress(sqlite3.Error):  # what is no database says so when it is used
        connection.execute("PRAGMA synchronous=NORMAL")  # with WAL only a power cut can take the last rows


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that turns from reading to writing cannot wait for another writer, so writers say at once what they are.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _greet_postgresql(connection: Any, _: object) -> None:
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("SET TIME ZONE 'UTC'; SET datestyle = 'ISO'")  # moments as every Python reads them
    connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(BUSY_SECONDS * 1000)}")
