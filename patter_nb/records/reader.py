"""Rows out of the store's tables, as dictionaries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from patter_nb.records.schema import schema

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Read(Protocol):
    """The rows of a table, ordered by one of its columns and then by its key.

    `where`: only rows whose columns have one of these values. `names`: only these columns.
    """

    def __call__(
        self, table: str, order: str, where: Mapping[str, Collection[Any]] | None = None, names: Collection[str] | None = None
    ) -> list[dict[str, Any]]: ...


def reader(connection: Connection | None, *, newest: bool = True) -> Read:
    """Read through this connection; without one there are no rows. `newest`: the tables are those of this version, so nobody
    needs to look what an earlier one lacks."""
    from sqlalchemy import inspect, select

    def read(
        table: str, order: str, where: Mapping[str, Collection[Any]] | None = None, names: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """What an earlier version's table lacks is None in every row."""
        if connection is None:
            return []
        source = schema().tables[table]
        there = source.columns.keys() if newest else [column["name"] for column in inspect(connection).get_columns(table)]
        wanted = [column for column in source.columns if names is None or column.name in names]
        lacking = dict.fromkeys(column.name for column in wanted if column.name not in there)
        columns = [column for column in wanted if column.name not in lacking]
        chosen = [source.c[name].in_(values) for name, values in (where or {}).items()]
        found = connection.execute(select(*columns).where(*chosen).order_by(source.c[order], *source.primary_key))
        keys = [*lacking, *(column.name for column in columns)]
        blank = tuple(lacking.values())
        return [dict(zip(keys, blank + tuple(row), strict=True)) for row in found]

    return read
