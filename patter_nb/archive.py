"""What a studio looks up: the calls of a phone as facts, and with a store everything that was ever stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from patter_nb.call import Call
from patter_nb.errors import ConfigError
from patter_nb.records import rows
from patter_nb.records.facts import RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.readings import CallReading
from patter_nb.records.schema import schema
from patter_nb.records.store import Store


class Archive:
    """The calls of one `Patter` object, and its store. May be used from any thread."""

    def __init__(self, calls: Sequence[Call], log: CallLog, store: Store | None) -> None:
        self._calls = calls
        self._log = log
        self._store = store

    @property
    def stores(self) -> bool:
        """Whether there is a store."""
        return self._store is not None

    def calls(self) -> list[Call]:
        """The calls of the phone, oldest first."""
        return list(self._calls)

    def call(self, call_id: str) -> Call | None:
        """The call of this id, where the phone held it itself."""
        return next((call for call in reversed(self._calls) if call.id == call_id), None)

    def reading(self, call_id: str) -> CallReading:
        """What is known of a call of the phone at this moment; `ConfigError` for any other."""
        return self._log.reading(call_id)

    def readings(self, *, everything: bool) -> Iterable[CallReading]:
        """The calls of the phone, or every call that is stored; oldest first. `ConfigError` where the store cannot be read."""
        return self._kept().each_reading() if everything else self._log.readings()

    def stored(self, call_id: str) -> CallReading | None:
        """What is stored of a call, whoever held it; None where nothing is."""
        return next(iter(self._kept().readings(call_id=call_id)), None)

    def _kept(self) -> Store:
        if self._store is None:
            raise ConfigError("store is False: nothing is stored; leave store= out to keep calls in .patter_nb/.")
        return self._store

    def revision(self, phone_id: str, agent: str, number: int) -> RevisionFacts | None:
        """A revision of an agent, of this phone or of one that stored it; None where nobody knows it."""
        mine = (each for phone, each in self._log.revision_facts() if phone == phone_id)
        found = next((each for each in mine if (each.agent, each.number) == (agent, number)), None)
        if found is not None or self._store is None:
            return found
        from sqlalchemy import select
        from sqlalchemy.exc import SQLAlchemyError

        table = schema().tables["revisions"]
        wanted = (table.c.phone_id == phone_id) & (table.c.agent == agent) & (table.c.number == number)
        try:
            with self._store.engine.connect() as connection:
                row = connection.execute(select(table).where(wanted)).first()
        except SQLAlchemyError as error:
            raise ConfigError(f"The store {self._store.name} cannot be read: {str(error).splitlines()[0]}") from error
        return None if row is None else rows.revision_facts(row._asdict())
