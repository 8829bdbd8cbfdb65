"""The tables of a store: made where there are none, brought up to date where an earlier version made them.

Everything happens within the transaction of whoever writes first, and one process at a time: SQLite has one writer, PostgreSQL a
lock that we name.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from patter_nb.errors import ConfigError
from patter_nb.records.schema import SCHEMA_VERSION, schema

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Table

LOCK = int.from_bytes(b"patternb")
"""The number by which processes that prepare tables in one PostgreSQL database know each other."""


def prepare(connection: Connection) -> None:
    """Make what is not there yet, and bring it up to date. `ConfigError` for what is no store of ours."""
    from sqlalchemy import inspect

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise ConfigError(f"the database's encoding is {encoding}: make one with the encoding UTF8")
    if not inspect(connection).has_table("meta"):
        schema().create_all(connection)
        first = {"schema_version": str(SCHEMA_VERSION), "hash_key": secrets.token_hex(32)}
        connection.execute(schema().tables["meta"].insert(), [{"key": key, "value": value} for key, value in first.items()])
    elif (meta := read_meta(connection)) is not None and int(meta["schema_version"]) < SCHEMA_VERSION:
        _upgrade(connection)


def read_meta(connection: Connection) -> dict[str, str] | None:
    """What the table `meta` says of the store; None when the table is somebody else's."""
    from sqlalchemy import inspect, select

    table = schema().tables["meta"]
    if not {column["name"] for column in inspect(connection).get_columns("meta")} >= {"key", "value"}:
        return None
    meta = {row.key: row.value for row in connection.execute(select(table))}
    ours = str(meta.get("schema_version", "")).isdecimal() and re.fullmatch("(?:[0-9a-f]{2})+", str(meta.get("hash_key", "")))
    return meta if ours else None


def _upgrade(connection: Connection) -> None:
    """Give the tables of an earlier version the columns and the types of this one."""
    from sqlalchemy import text

    meta = schema().tables["meta"]
    quote = connection.dialect.identifier_preparer.quote
    together = connection.dialect.name == "postgresql"
    if together:
        # Readers begin with this table. So none of them can hold one table and wait for another while we do the same.
        connection.exec_driver_sql("LOCK TABLE meta IN ACCESS EXCLUSIVE MODE")
    for table in schema().sorted_tables:
        changes = list(_changes(connection, table))
        for change in [", ".join(changes)] if together and changes else changes:  # PostgreSQL then rewrites a table once
            connection.execute(text(f"ALTER TABLE {quote(table.name)} {change}"))
    connection.execute(meta.update().where(meta.c.key == "schema_version").values(value=str(SCHEMA_VERSION)))


def _changes(connection: Connection, table: Table) -> Iterator[str]:
    from sqlalchemy import BigInteger, inspect

    known = {column["name"]: column["type"] for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        name, kind = _spelled(connection, column)
        if column.name not in known:
            yield f"ADD COLUMN {name} {kind}"
        elif (
            connection.dialect.name == "postgresql"  # SQLite has one type for every integer
            and isinstance(column.type, BigInteger)
            and not isinstance(known[column.name], BigInteger)
        ):
            yield f"ALTER COLUMN {name} TYPE {kind}"


def _spelled(connection: Connection, column: Column[object]) -> tuple[str, str]:
    dialect = connection.dialect
    return dialect.identifier_preparer.quote(column.name), column.type.compile(dialect=dialect)
