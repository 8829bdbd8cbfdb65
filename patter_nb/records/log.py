"""The calls of one `Patter` object: kept in memory, and handed on to the store row by row."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from patter_nb.errors import ConfigError
from patter_nb.records import rows, tables
from patter_nb.records.facts import CallEnd, CallFacts, CallRecord, EventFacts, RevisionFacts
from patter_nb.records.lines import TIMED_EVENTS, told_at
from patter_nb.records.masking import hash_number
from patter_nb.records.plain import plain
from patter_nb.records.prices import PriceBook
from patter_nb.records.readings import CallReading
from patter_nb.records.spans import Attribution
from patter_nb.records.writer import Write
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Usage

if TYPE_CHECKING:
    import pandas as pd

    from patter_nb.records.metrics import CallMetrics
    from patter_nb.records.store import Store

TURN_CLOSED = "turn_closed"
"""The event that is written together with the row of a turn."""


@dataclass(slots=True)
class _Call:
    facts: CallFacts
    end: CallEnd | None = None
    turns: list[TurnFacts] = field(default_factory=list)
    events: list[EventFacts] = field(default_factory=list)
    reading: CallReading | None = None
    """What was read off these facts last; None as soon as there are more of them."""


class CallLog:
    """What happened in the calls of one `Patter` object. Safe to use from any thread.

    Recording never waits for a disk or a server and never raises into a call: what cannot be stored stays here, and `problem`
    says why. `store=None` keeps everything in memory only. Reading methods raise `ConfigError` for a call of another object.
    """

    def __init__(self, store: Store | None, prices: PriceBook | None = None) -> None:
        self.prices = PriceBook() if prices is None else prices
        """What usage costs. A price row is stored together with the first usage that names it."""
        self._store = store
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}
        self._revisions: list[RevisionFacts] = []
        self._phone_id = secrets.token_hex(8)
        self._hash_key = secrets.token_bytes(32)
        self._stray: str | None = None

    def begin(self, call: CallFacts) -> None:
        """A call begins."""
        with self._lock:
            if call.call_id in self._calls:
                self._stray = f"Call {call.call_id!r} was begun twice; the first one is kept."
                return
            self._calls[call.call_id] = _Call(call)
            self._write(Write("calls", rows.call_row(call, self._phone_id)))

    def answered(self, call_id: str, started_at: datetime) -> None:
        """The call was answered at this moment, with a time zone: its clock reads 0.0."""
        with self._lock:
            if call := self._find(call_id, "its answer"):
                call.facts = replace(call.facts, started_at=started_at)
                self._write(Write("calls", {"call_id": call_id, "started_at": started_at.astimezone(UTC)}, update=True))

    def amend(self, facts: CallFacts) -> None:
        """What was known of a call when it was ordered has changed before it was answered."""
        with self._lock:
            if call := self._find(facts.call_id, "what it is held with"):
                call.facts = facts
                self._write(Write("calls", rows.call_row(facts, self._phone_id), update=True))

    def event(self, call_id: str, at: float, kind: str, data: Mapping[str, object], turn: int | None = None) -> None:
        """Something happened at `at`, in seconds of the call's clock. `data` is kept as plain data; usage in it as its fields.

        What comes before that clock runs (see `records.lines`) is given the time of day, unless it has it.
        """
        if kind in TIMED_EVENTS:
            data = {"told_at": told_at(), **data}
        with self._lock:
            if call := self._find(call_id, f"an event of kind {kind!r}"):
                usage = data.get("usage")
                row = self._append(call, EventFacts(at, kind, plain(data), turn))
                self._write(*(self._price_rows(usage) if isinstance(usage, Usage) else ()), row)

    def turn(self, call_id: str, facts: TurnFacts) -> None:
        """A turn was closed: its row and the event that says so are stored in one transaction, with the prices it names."""
        with self._lock:
            if call := self._find(call_id, f"turn {facts.turn}"):
                row = Write("turns", rows.turn_row(call_id, len(call.turns), facts))
                call.turns.append(facts)
                last = max(facts.instants.values(), default=0.0)
                closed = {"kind": facts.kind, "reply": facts.reply, "interrupted": facts.interrupted}
                event = self._append(call, EventFacts(last, TURN_CLOSED, closed, facts.turn))
                self._write(*self._price_rows(*facts.usage), row, event)

    def finish(self, call_id: str, *, duration_seconds: float, end_reason: str, error: str | None = None) -> None:
        """The call has ended. What is recorded of it later is kept too."""
        with self._lock:
            if call := self._find(call_id, "its end"):
                call.end = CallEnd(duration_seconds, end_reason, error)
                self._write(Write("calls", {"call_id": call_id, **rows.end_row(call.end)}, update=True))

    def recorded(self, call_id: str, path: str | PathLike[str]) -> None:
        """The recording of a call that has ended is on the disk, at `path`."""
        with self._lock:
            call = self._find(call_id, "its recording")
            if call is not None and call.end is not None:
                call.end = replace(call.end, recording_path=fspath(path))
                self._write(Write("calls", {"call_id": call_id, **rows.end_row(call.end)}, update=True))

    def revision(self, revision: RevisionFacts) -> None:
        """An agent was configured."""
        with self._lock:
            self._revisions.append(revision)
            self._write(Write("revisions", rows.revision_row(revision, self._phone_id)))

    def readings(self) -> list[CallReading]:
        """Everything known of each call at this moment, oldest first."""
        return self._readings()

    def revision_facts(self) -> list[tuple[str, RevisionFacts]]:
        """The revisions in the order in which they were made, each with the id of this `Patter` object."""
        with self._lock:
            return [(self._phone_id, revision) for revision in self._revisions]

    def calls(self) -> pd.DataFrame:
        """One row per call."""
        return tables.calls_frame(self._readings())

    def turns(self) -> pd.DataFrame:
        """One row per closed turn of every call."""
        return tables.turns_frame(self._readings())

    def events(self) -> pd.DataFrame:
        """One row per event of every call."""
        return tables.events_frame(self._readings())

    def spans(self) -> pd.DataFrame:
        """One row per span of every closed turn."""
        return tables.spans_frame(self._readings())

    def tools_log(self) -> pd.DataFrame:
        """One row per execution of a tool."""
        return tables.tools_frame(self._readings())

    def revisions(self) -> pd.DataFrame:
        """One row per revision, in the order in which they were made, with the turns it answered."""
        return tables.revisions_frame(self.revision_facts(), self._readings())

    def call_turns(self, call_id: str) -> pd.DataFrame:
        """One row per closed turn of this call."""
        return tables.turns_frame([self.reading(call_id)])

    def call_tools(self, call_id: str) -> pd.DataFrame:
        """One row per execution of a tool in this call."""
        return tables.tools_frame([self.reading(call_id)])

    def call_events(self, call_id: str) -> pd.DataFrame:
        """One row per event of this call."""
        return tables.events_frame([self.reading(call_id)])

    def event_rows(self, call_id: str) -> list[EventFacts]:
        """The events of this call as they were recorded, numbers unmasked."""
        return list(self.reading(call_id).record.events)

    def facts(self, call_id: str) -> list[TurnFacts]:
        """The closed turns of this call as they were recorded."""
        return list(self.reading(call_id).record.turns)

    def transcript(self, call_id: str) -> list[dict[str, str]]:
        """What was said in this call, in order, numbers unmasked: `{"role": "user" | "assistant", "text": ...}`, as it was
        heard."""
        return [line for facts in self.facts(call_id) for line in spoken_lines(facts)]

    def row(self, call_id: str) -> dict[str, Any]:
        """This call's row of `calls()` as plain values, None where one is missing."""
        return tables.call_row(self.reading(call_id))

    def metrics(self, call_id: str) -> CallMetrics:
        """Latency and cost of this call so far, in Patter's fields."""
        return self.reading(call_id).metrics

    def latency(self, call_id: str) -> pd.DataFrame:
        """Statistics of every latency over the caller's turns of this call; see `tables.percentiles`."""
        return tables.percentiles(self.call_turns(call_id))

    def attributions(self, call_id: str) -> list[tuple[TurnFacts, Attribution]]:
        """Each closed turn of this call with its gap and what it went to."""
        return [(turn.facts, turn.attribution) for turn in self.reading(call_id).turns]

    def cost(self, call_id: str) -> pd.DataFrame:
        """The bill of this call so far: three rows per turn, then what belongs to the call, then the total."""
        return tables.cost_frame(self.reading(call_id))

    def reading(self, call_id: str) -> CallReading:
        """Everything known of this call at this moment."""
        with self._lock:
            if call_id not in self._calls:
                raise ConfigError(f"call_id is {call_id!r}, which is not a call of this Patter object.")
            return self._read(self._calls[call_id])

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything recorded is in the store; False when it is not in time."""
        return self._store is None or self._store.flush(timeout_seconds)

    @property
    def problem(self) -> str | None:
        """Why something is not in the store at this moment, in one sentence; None when all is well."""
        return (self._store.problem if self._store is not None else None) or self._stray

    def _readings(self) -> list[CallReading]:
        with self._lock:
            return [self._read(call) for call in self._calls.values()]

    def _read(self, call: _Call) -> CallReading:
        key = self._hash_key if self._store is None else self._store.hash_key
        numbers = (call.facts.caller, call.facts.callee)
        hashes = (None, None) if key is None else (hash_number(numbers[0], key), hash_number(numbers[1], key))
        if call.reading is None or call.reading.record.hashes != hashes:
            record = CallRecord(call.facts, call.end, tuple(call.turns), tuple(call.events), hashes, self._phone_id)
            call.reading = CallReading(record, self.prices)
        return call.reading

    def _find(self, call_id: str, what: str) -> _Call | None:
        """The call that more is about to be known of."""
        call = self._calls.get(call_id)
        if call is not None:
            call.reading = None
        else:
            self._stray = f"{what[0].upper()}{what[1:]} came for call {call_id!r}, which was never begun; it was dropped."
        return call

    def _append(self, call: _Call, event: EventFacts) -> Write:
        row = Write("events", rows.event_row(call.facts.call_id, len(call.events), event))
        call.events.append(event)
        return row

    def _price_rows(self, *usage: Usage) -> list[Write]:
        named = {each.price_id: self.prices.row(each.price_id) for each in usage if each.price_id is not None}
        return [Write("prices", rows.price_row(row), shared=True) for row in named.values() if row is not None]

    def _write(self, *job: Write) -> None:
        if self._store is not None:
            self._store.write(job)


def spoken_lines(facts: TurnFacts) -> list[dict[str, str]]:
    """The lines of one turn in a transcript."""
    texts = ("user", facts.caller_text), ("assistant", facts.heard_text), ("user", facts.overlap_text)
    return [{"role": role, "text": text} for role, text in texts if text]
