"""The tables of the store."""

from __future__ import annotations

import hashlib

from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable

from patter_nb.records.schema import SCHEMA_VERSION, schema

DIGESTS = {1: "9ed330191443", 2: "d01bd4e6c403", 3: "ee2d470b7349"}
"""What the tables of each version look like: a store of a published version must never meet tables it does not have."""


def test_a_change_of_a_table_comes_with_a_new_version() -> None:
    text = "\n".join(str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in schema().sorted_tables)
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == DIGESTS[SCHEMA_VERSION]
    assert max(DIGESTS) == SCHEMA_VERSION


def test_every_dialect_has_all_types_of_the_tables() -> None:
    for dialect in (sqlite, postgresql, mysql):
        for table in schema().sorted_tables:
            assert str(CreateTable(table).compile(dialect=dialect.dialect()))


def test_there_are_the_four_tables_of_calls_beside_keys_and_prices() -> None:
    assert set(schema().tables) == {"calls", "turns", "events", "revisions", "meta", "prices"}
