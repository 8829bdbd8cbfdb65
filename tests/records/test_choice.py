"""Which stored calls are asked for, and what is told where that makes no sense."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.records.choice import ALL, choice

NOON = datetime(2026, 7, 20, 12, tzinfo=UTC)


def row(call_id: str, hours: float = 0, **columns: Any) -> dict[str, Any]:
    usual = {"source": "2 lines", "carrier": "simulated", "direction": "test", "agent": "desk", "revision": 1}
    at = (NOON + timedelta(hours=hours)).replace(tzinfo=None)  # as SQLite gives it back
    return {"call_id": call_id, "started_at": at, **usual, **columns}


ROWS = [
    row("a", -24, carrier="twilio", direction="inbound"),
    row("b", -1, agent="night", revision=2),
    row("c", 0, source="+15557654321.wav"),
    row("d", 1, revision=None, source=None),
]

CHOICES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["a", "b", "c", "d"]),
    ({"since": NOON}, ["c", "d"]),
    ({"until": NOON}, ["a", "b"]),
    ({"since": "2026-07-20", "until": "2026-07-21"}, ["b", "c", "d"]),
    ({"since": date(2026, 7, 20)}, ["b", "c", "d"]),
    ({"since": "2026-07-20T14:00+02:00"}, ["c", "d"]),
    ({"until": "2026-07-20T12:00:00Z"}, ["a", "b"]),
    ({"since": pd.Timestamp("2026-07-20 12:30", tz="UTC")}, ["d"]),
    ({"since": datetime(2026, 7, 20, 7, tzinfo=timezone(timedelta(hours=-5)))}, ["c", "d"]),
    ({"carrier": "twilio"}, ["a"]),
    ({"direction": ["test", "inbound"], "agent": {"night"}}, ["b"]),
    ({"revision": 1}, ["a", "c"]),
    ({"revision": (1, 2)}, ["a", "b", "c"]),
    ({"revision": pd.Series([2])}, ["b"]),
    ({"call_id": ["d", "a"]}, ["a", "d"]),
    ({"source": "+1•••••4321.wav"}, ["c"]),
    ({"source": "2 lines", "carrier": None}, ["a", "b"]),
    ({"carrier": "twilio", "agent": "night"}, []),
]


@pytest.mark.parametrize(("filters", "calls"), CHOICES, ids=[str(each[0])[:60] for each in CHOICES])
def test_calls_that_fit_are_chosen_in_their_order(filters: dict[str, Any], calls: list[str]) -> None:
    assert choice(filters).calls(ROWS) == calls  # type: ignore[arg-type]


def test_a_revision_that_answered_is_looked_for_where_it_answered() -> None:
    assert choice({"revision": 7}).calls(ROWS, {"b": [1, 7], "d": [7]}) == ["b", "d"]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"since": datetime(2026, 7, 20)}, ConfigError, r"since is .* has no time zone: write 2026-07-20T00:00:00\+00:00 if"),
    ({"until": "2026-07-20T18:00"}, ConfigError, r"until is '2026-07-20T18:00', which has no time zone: write 2026-07-20T18"),
    ({"since": "yesterday"}, ConfigError, r"since is 'yesterday'; write it as 2026-07-20, or as 2026-07-20T18:00\+02:00\.$"),
    ({"since": 20260720}, ConfigTypeError, r"since is 20260720; it must be a datetime with a time zone, a date, or ISO text"),
    ({"since": pd.NaT}, ConfigTypeError, r"since is NaT; it must be a datetime"),
    ({"since": NOON, "until": NOON}, ConfigError, r"since \(.*\) is not before until \(.*\): no call lies between them\.$"),
    ({"carrier": "twillio"}, ConfigError, r"'twillio', which nothing stored has; there is 'simulated', 'twilio'\. Did you"),
    ({"revision": 9}, ConfigError, r"revision is 9, which nothing stored has; there is 1, 2\.$"),
    ({"revision": "2"}, ConfigTypeError, r"revision is '2'; it must be the number of a revision, or a list of such\.$"),
    ({"revision": True}, ConfigTypeError, r"revision is True; it must be the number of a revision"),
    ({"agent": 3}, ConfigTypeError, r"agent is 3; it must be text, or a list of such\.$"),
    ({"agent": []}, ConfigError, r"agent is empty, which no call fits: leave it out for all\.$"),
    ({"agents": "desk"}, ConfigTypeError, r"'agents' is no filter; there are since, until, source, carrier, direction, agent"),
]  # fmt: skip


@pytest.mark.parametrize(("filters", "error", "message"), WRONG, ids=[str(each[0])[:60] for each in WRONG])
def test_a_filter_that_makes_no_sense_is_told_in_a_sentence(
    filters: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        choice(filters).calls(ROWS)  # type: ignore[arg-type]


def test_many_values_are_not_all_told() -> None:
    rows = [row(f"call_{number}") for number in range(20)]
    with pytest.raises(ConfigError, match=r"there is 'call_0', .* and 12 more\. Did you mean 'call_"):
        choice({"call_id": "call_99"}).calls(rows)


def test_where_nothing_is_stored_everything_may_be_asked_for() -> None:
    assert choice({"agent": "desk"}).calls([]) == []
    assert ALL.calls([]) == []
