"""Every call that was ever held, in a database: SQLite in `.patter_nb/` by default, any SQLAlchemy URL for a team."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from patter_nb.records import rows, tables
from patter_nb.records.address import DIRECTORY, address
from patter_nb.records.choice import ALL, CHOSEN_BY, Choice, Filters, choice
from patter_nb.records.database import Database
from patter_nb.records.facts import CallRecord
from patter_nb.records.masking import hash_number
from patter_nb.records.prices import PriceBook
from patter_nb.records.reader import Read
from patter_nb.records.readings import READ_EVENTS, CallReading
from patter_nb.records.writer import Job, Writer

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Engine

READ_SECONDS = 2.0
"""How long a reader waits for rows that are on their way into the store."""
_AT_ONCE = 500
"""Calls that are in memory as facts at the same time while a table is made of them."""

Facts = TypeVar("Facts")


class Store:
    """Where calls are kept. Making one touches nothing; the first row makes the directory, the file and the tables.

    `path_or_url`: the file of an SQLite database, or an SQLAlchemy URL. Left out: `.patter_nb/calls.sqlite3` in the working
    directory of this moment, with a `.gitignore` that keeps it out of Git. `store_numbers`: keep phone numbers as they are, in
    the columns `caller_number` and `callee_number` of the table `calls` and within texts; otherwise they are kept masked, beside
    a keyed hash. `ConfigError` for a directory, for a URL that cannot be used, and for a database in memory.

    A team shares `postgresql://user:password@host/name` (`pip install ".[postgres]"`). It needs an empty database with the
    encoding UTF8, in which the first of them may make tables. Calls, turns, events, revisions and prices are in it; recordings
    stay with whoever held the call. Any number of kernels may write and read at once, and one that neither writes nor reads
    holds no connection.

    A thread of its own writes, and no call ever waits for it. What cannot be written waits in memory, in its order, and is tried
    again after 0.1 to 10 seconds until it can; `problem` says why, and how many rows wait. So a call does not notice when the
    database is restarted, unreachable or full, and loses nothing by it. A kernel that is killed loses the turn that is open and
    what waits: nothing while all is well, and on a busy machine what was closed a moment before. The end of the process is put
    off for at most 2 seconds.
    """

    def __init__(self, path_or_url: str | os.PathLike[str] | None = None, *, store_numbers: bool = False) -> None:
        place = address(path_or_url)
        self.directory = Path(DIRECTORY).absolute() if place.path is None else place.path.parent
        """Where recordings belong: beside the SQLite file, else `.patter_nb` in the working directory."""
        self._database = Database(place, store_numbers=store_numbers)
        self._writer = Writer(self._database.write, self.name, rest=self._database.rest, forked=self._database.forked)

    @property
    def name(self) -> str:
        """Its path, or its URL without the password."""
        return self._database.name

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for SQL of your own. It connects when it is used."""
        return self._database.engine

    @property
    def problem(self) -> str | None:
        """Why rows are not being written, in one sentence; None when all is well."""
        return self._writer.problem

    def write(self, job: Job) -> None:
        """Hand rows to the writing thread: all of them in one transaction, after all that were handed over before."""
        self._writer.put(job)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all rows are written; False when they are not in time."""
        return self._writer.flush(timeout_seconds)

    def close(self, timeout_seconds: float = READ_SECONDS) -> bool:
        """Flush and let go of the database; the next row opens it again. False when some rows are not written."""
        return self._writer.stop(timeout_seconds)

    def calls(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The calls that are stored, oldest first: all of them, or those that fit the filters.

        The filters of every table: `since` and `until` (when the call began: a datetime with a time zone, its ISO text, or a day,
        which begins at 0:00 UTC; `until` itself is left out), `source`, `carrier`, `direction`, `agent`, `revision` and `call_id`
        (one value, or a list of them). A revision is the one the call began with, and in the tables of turns, spans and tools the
        one that replied. `ConfigError` for a value that nothing stored has.
        """
        return tables.calls_frame(self._read(choice(filters)))

    def turns(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The turns that are stored. The filters are those of `calls`."""
        chosen = choice(filters)
        return tables.turns_frame(self._read(chosen, answered=True), chosen.revisions)

    def spans(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The spans of the turns that are stored, each a row: 13 times as many as there are turns. The filters are those of
        `calls`."""
        chosen = choice(filters)
        return tables.spans_frame(self._read(chosen, answered=True), chosen.revisions)

    def events(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The events that are stored. The filters are those of `calls`."""
        return tables.events_frame(self._read(choice(filters), turns=False, kinds=None))

    def tools_log(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The executions of tools that are stored. The filters are those of `calls`."""
        chosen = choice(filters)
        return tables.tools_frame(self._read(chosen, answered=True), chosen.revisions)

    def revisions(self) -> pd.DataFrame:
        """Every revision of an agent that is stored, oldest first, with the turns it answered."""
        self._catch_up()
        with self._database.reading() as read:
            found = [(row["phone_id"], rows.revision_facts(row)) for row in read("revisions", "created_at")]
        return tables.revisions_frame(found, self._read(ALL))

    def readings(self, **filters: Unpack[Filters]) -> list[CallReading]:
        """Every call that is stored, oldest first, read with the prices that are stored. `ConfigError` when the store cannot be
        read. The filters are those of `calls`."""
        return list(self._read(choice(filters), kinds=None))

    def each_reading(self) -> Iterator[CallReading]:
        """Every call that is stored, one after the other, with those events only that tables are computed from."""
        return self._read(ALL)

    def _read(
        self, chosen: Choice, *, turns: bool = True, kinds: Collection[str] | None = READ_EVENTS, answered: bool = False
    ) -> Iterator[CallReading]:
        """The chosen calls, oldest first, a handful at a time, as they all were at one moment.

        `turns`: with their turns. `kinds`: with the events of these kinds; None: with all. `answered`: a revision that is asked
        for is one that replied in the call, not the one it began with.
        """
        self._catch_up()
        with self._database.reading() as read:
            prices = PriceBook(rows.price_facts(row) for row in read("prices", "id"))
            replied = _answered(read) if answered and chosen.revisions is not None else None
            names = chosen.calls(read("calls", "started_at", names=CHOSEN_BY), replied)
            for some in (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE)):
                ours = {"call_id": some}
                closed = _by_call(read("turns", "number", ours) if turns else [], rows.turn_facts)
                events = _by_call(read("events", "number", ours if kinds is None else {**ours, "kind": kinds}), rows.event_facts)
                for row in read("calls", "started_at", ours):
                    yield CallReading(_record(row, closed, events), prices)

    @property
    def hash_key(self) -> bytes | None:
        """The key of number hashes, as far as it is known without looking."""
        return self._database.hash_key

    def hash_number(self, number: str) -> str | None:
        """The hash this number has in `caller_hash` and `callee_hash`; None while nothing was ever written."""
        if self.hash_key is None:
            self._catch_up()
            with self._database.reading():
                pass  # learns the key
        return None if self.hash_key is None else hash_number(number, self.hash_key)

    def _catch_up(self) -> None:
        if self.problem is None:
            self.flush(READ_SECONDS)

    def __repr__(self) -> str:
        return f"Store({self.name!r})"


def _answered(read: Read) -> dict[str, set[int]]:
    """The revisions that replied in each call."""
    found: dict[str, set[int]] = {}
    for row in read("turns", "call_id", names=("call_id", "revision")):
        if row["revision"] is not None:
            found.setdefault(row["call_id"], set()).add(row["revision"])
    return found


def _by_call(found: Iterable[dict[str, Any]], facts: Callable[[Mapping[str, Any]], Facts]) -> dict[str, list[Facts]]:
    grouped: dict[str, list[Facts]] = {}
    for row in found:
        grouped.setdefault(row["call_id"], []).append(facts(row))
    return grouped


def _record(row: Mapping[str, Any], turns: Mapping[str, list[Any]], events: Mapping[str, list[Any]]) -> CallRecord:
    facts, end = rows.call_facts(row)
    of_call = (tuple(turns.get(facts.call_id, ())), tuple(events.get(facts.call_id, ())))
    hashes = (row["caller_hash"], row["callee_hash"])
    return CallRecord(facts, end, *of_call, hashes=hashes, phone_id=row["phone_id"] or "")
