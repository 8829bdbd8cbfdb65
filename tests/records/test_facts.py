"""Facts of a call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from patter_nb.errors import ConfigError
from patter_nb.records.facts import CallFacts, CallRecord, EventFacts


def test_no_repr_shows_a_number(call: Callable[..., CallFacts]) -> None:
    facts = call()
    event = EventFacts(1.0, "transfer", {"number": "+15557654321"})
    shown = f"{facts!r} {event!r} {CallRecord(facts, None, (), (event,))!r}"
    assert "5557654321" not in shown
    assert "5550001234" not in shown
    assert "+1•••••4321" in shown


def test_a_call_begins_at_a_moment_with_a_time_zone(call: Callable[..., CallFacts]) -> None:
    with pytest.raises(ConfigError, match="started_at of call 'call_1' has no time zone"):
        call(started_at=datetime(2026, 7, 20))
