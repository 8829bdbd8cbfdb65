"""Facts as rows of the store's tables, and rows as facts. The names of a row's keys are the names of the table's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from typing import Any

from patter_nb.records.facts import CallEnd, CallFacts, EventFacts, RevisionFacts
from patter_nb.records.plain import plain, storable, tool_from, usage_from
from patter_nb.records.price_list import PriceRow
from patter_nb.turns.facts import INSTANTS, TurnFacts
from patter_nb.turns.usage import Price

Row = dict[str, Any]

_END = tuple(each.name for each in fields(CallEnd))
_TEXTS = ("kind", "caller_text", "overlap_text", "agent_text", "heard_text", "error")
_FLAT = ("turn", "reply", "revision", "edit_requested_at", "edit_effective_turn", "heard_estimated", "interrupted", "resumed")
_PRICE = tuple(each.name for each in fields(Price))


def call_row(facts: CallFacts, phone_id: str) -> Row:
    """A row of `calls` at the call's begin. `phone_id` says which `Patter` object held it."""
    row = _stored({each.name: getattr(facts, each.name) for each in fields(facts)})
    return {**row, "phone_id": phone_id, "stand_in": list(facts.stand_in), "started_at": facts.started_at.astimezone(UTC)}


def end_row(end: CallEnd) -> Row:
    """What the end of the call adds to its row."""
    return _stored(asdict(end))


def turn_row(call_id: str, number: int, facts: TurnFacts) -> Row:
    """A row of `turns`; `number` counts the call's rows. Instants that did not happen are NULL."""
    texts = _stored({name: getattr(facts, name) for name in _TEXTS})
    flat = _stored({name: getattr(facts, name) for name in _FLAT})
    instants = {name: plain(facts.instants.get(name)) for name in INSTANTS}
    lists = {"tools": plain(facts.tools), "usage": plain(facts.usage), "guardrails": plain(facts.guardrails)}
    return {"call_id": call_id, "number": number, **texts, **flat, **instants, **lists}


def event_row(call_id: str, number: int, event: EventFacts) -> Row:
    """A row of `events`; `number` counts the call's events."""
    return {
        "call_id": call_id,
        "number": number,
        "at": plain(event.at),
        "kind": storable(event.kind),
        "turn": event.turn,
        "data": dict(event.data),
    }


def revision_row(revision: RevisionFacts, phone_id: str) -> Row:
    """A row of `revisions`."""
    row = _stored({each.name: getattr(revision, each.name) for each in fields(revision)})
    created_at = revision.created_at.astimezone(UTC)
    return {**row, "phone_id": phone_id, "content": plain(revision.content), "created_at": created_at}


def price_row(row: PriceRow) -> Row:
    """A row of `prices`."""
    names = {"id": row.id, "service": row.service, "provider": row.provider, "model": row.model}
    return _stored({**names, "valid_from": row.valid_from.isoformat(), **asdict(row.price)})


def call_facts(row: Mapping[str, Any]) -> tuple[CallFacts, CallEnd | None]:
    """The call as it began, with numbers as the store shows them, and its end if it has ended."""
    given = {each.name: row[each.name] for each in fields(CallFacts)}
    facts = CallFacts(**{**given, "stand_in": tuple(row["stand_in"]), "started_at": utc(row["started_at"])})
    return facts, None if row["end_reason"] is None else CallEnd(**{name: row[name] for name in _END})


def turn_facts(row: Mapping[str, Any]) -> TurnFacts:
    """The turn as it was closed."""
    return TurnFacts(
        **{name: row[name] for name in (*_TEXTS, *_FLAT)},
        tools=tuple(tool_from(each) for each in row["tools"]),
        instants={name: row[name] for name in INSTANTS if row[name] is not None},
        usage=tuple(usage_from(each) for each in row["usage"]),
        guardrails=tuple(row["guardrails"] or ()),
    )


def event_facts(row: Mapping[str, Any]) -> EventFacts:
    """The event as it was recorded."""
    return EventFacts(row["at"], row["kind"], row["data"], row["turn"])


def revision_facts(row: Mapping[str, Any]) -> RevisionFacts:
    """The revision as it was made."""
    given = {each.name: row[each.name] for each in fields(RevisionFacts)}
    return RevisionFacts(**{**given, "created_at": utc(row["created_at"]), "scope": row["scope"] or "next call"})


def price_facts(row: Mapping[str, Any]) -> PriceRow:
    """The price as it was registered."""
    price = Price(**{name: row[name] for name in _PRICE})
    return PriceRow(row["id"], row["service"], row["provider"], row["model"], price, date.fromisoformat(row["valid_from"]))


def _stored(row: Row) -> Row:
    """The row with texts and fractions as every database takes them and gives them back."""
    return {name: plain(value) if isinstance(value, str | float) else value for name, value in row.items()}


def utc(moment: datetime) -> datetime:
    """SQLite gives back a UTC time without its zone."""
    return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
