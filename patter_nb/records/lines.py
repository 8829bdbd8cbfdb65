"""What is read off a call's events about the line it came over: how it was answered, by whom, after how long a ring."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from patter_nb.records.facts import CallRecord, EventFacts

ANSWERED = "answered"
"""The call was answered, and its media came: {}."""
DIALED, INCOMING = "dialed", "incoming"
"""The carrier took our order to call, or told us of a caller: {"carrier_call_id"}."""
CARRIER_STATUS = "carrier_status"
"""How the call stands at the carrier, in its own word: {"status", "reason"}."""
MACHINE_DETECTED = "machine_detected"
"""Who answered, as the carrier heard: {"classification", "raw", "after_ms"}."""
VOICEMAIL = "voicemail"
"""A message was left: {"text"}."""
CARRIER_PRICE = "carrier_price"
"""What the carrier charged for the line: {"usd"}."""

LINE_EVENTS = (ANSWERED, DIALED, INCOMING, CARRIER_STATUS, MACHINE_DETECTED, VOICEMAIL, CARRIER_PRICE)
TIMED_EVENTS = (DIALED, INCOMING, CARRIER_STATUS)
"""Those that come before the call's clock runs: they carry the time of day, "told_at"."""

Outcome = Literal["answered", "voicemail", "no_answer", "busy", "failed", "canceled"]
Answerer = Literal["human", "machine", "fax", "unknown"]

UNANSWERED: dict[str, Outcome] = {"no-answer": "no_answer", "busy": "busy", "failed": "failed", "canceled": "canceled"}
"""The carrier's last word on a call that nobody answered."""
_REASONS: dict[str, Outcome] = {"no answer": "no_answer", "busy": "busy", "failed": "failed", "canceled": "canceled"}
_PICKED_UP = ("in-progress", "answered")
_RINGING = "ringing"


def told_at() -> str:
    """This moment, as events hold it that come before the call's clock runs."""
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True, slots=True)
class LineFacts:
    """All of it. None and NaN: not known."""

    answered: bool
    carrier_call_id: str | None
    outcome: Outcome | None
    answered_by: Answerer | None
    amd_ms: float
    ring_seconds: float
    carrier_price_usd: float
    status: str | None
    """The carrier's last word."""
    reason: str | None
    """Why, as far as it said."""
    message_left: bool = False
    """A message was spoken to a machine."""


def line_facts(record: CallRecord) -> LineFacts:
    """What is known of the line by now. Later events of a kind correct earlier ones."""
    events = [event for event in record.events if event.kind in LINE_EVENTS]
    answered = _was_answered(record, events)
    verdict, status = _last(events, MACHINE_DETECTED), _last(events, CARRIER_STATUS)
    by = verdict.get("classification")
    answered_by: Answerer | None = by if by in ("human", "machine", "fax", "unknown") else None
    message_left = any(event.kind == VOICEMAIL for event in events)
    machine = answered_by == "machine" or message_left
    return LineFacts(
        answered=answered,
        carrier_call_id=_text(_last(events, DIALED, INCOMING).get("carrier_call_id")),
        outcome=_outcome(record, _text(status.get("status")), answered=answered, machine=machine),
        answered_by=answered_by,
        amd_ms=_number(verdict.get("after_ms")),
        ring_seconds=_rang(record, events, answered=answered),
        carrier_price_usd=abs(_number(_last(events, CARRIER_PRICE).get("usd"))),  # some carriers book it as a negative sum
        status=_text(status.get("status")),
        reason=_text(status.get("reason")) or None,
        message_left=message_left,
    )


def _was_answered(record: CallRecord, events: Iterable[EventFacts]) -> bool:
    spoken = bool(record.turns) or (record.end is not None and _number(record.end.duration_seconds) > 0)
    return spoken or any(event.kind == ANSWERED for event in events)


def _outcome(record: CallRecord, status: str | None, *, answered: bool, machine: bool) -> Outcome | None:
    end = record.end
    if end is None:
        return None
    if answered:
        return "voicemail" if machine else "answered"
    if status in UNANSWERED:
        return UNANSWERED[status]
    if end.end_reason in _REASONS:
        return _REASONS[end.end_reason]
    if end.end_reason.startswith("not picked up"):
        return "no_answer"
    return "failed" if end.error is not None else "canceled"


def _rang(record: CallRecord, events: Sequence[EventFacts], *, answered: bool) -> float:
    """Seconds from the first ring until somebody answered or the line gave up."""
    statuses = [(_text(event.data.get("status")), event) for event in events if event.kind == CARRIER_STATUS]
    began = next((event for status, event in statuses if status == _RINGING), None)
    if began is None:  # a caller rings until we answer
        began = next((event for event in events if event.kind == INCOMING), None)
    ended = next((event for status, event in statuses if status in _PICKED_UP or status in UNANSWERED), None)
    since = None if began is None else _moment(began)
    until = None if ended is None else _moment(ended)
    if until is None and answered:
        until = record.facts.started_at
    return math.nan if since is None or until is None else max(0.0, (until - since).total_seconds())


def _last(events: Sequence[EventFacts], *kinds: str) -> Any:
    return next((event.data for event in reversed(events) if event.kind in kinds), {})


def _moment(event: EventFacts) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(event.data.get("told_at")))
    except ValueError:
        return None
    return found if found.utcoffset() is not None else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _text(value: object) -> str | None:
    return None if value is None else str(value)
