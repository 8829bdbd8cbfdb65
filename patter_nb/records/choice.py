"""Which of the stored calls and turns are asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, TypedDict

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.records.masking import mask_text
from patter_nb.records.rows import utc

Day = datetime | date | str


class Filters(TypedDict, total=False):
    """What a table of the store may be narrowed to. Several values in a list: any of them. None: no such filter."""

    since: Day | None
    """Calls that began then or later: a datetime with a time zone, its ISO text, or a day, which begins at 0:00 UTC."""
    until: Day | None
    """Calls that began earlier than then."""
    source: str | Iterable[str] | None
    """What the caller was, as the table of calls shows it."""
    carrier: str | Iterable[str] | None
    direction: str | Iterable[str] | None
    """test, inbound or outbound."""
    agent: str | Iterable[str] | None
    revision: int | Iterable[int] | None
    """Of turns, spans and tools: the one that replied. Of calls and events: the one the call began with."""
    call_id: str | Iterable[str] | None


NAMES = ("source", "carrier", "direction", "agent", "revision", "call_id")
"""The filters that ask for values."""
_MOST_TOLD = 8
"""Values that an error lists."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Filters that were checked."""

    since: datetime | None
    until: datetime | None
    values: Mapping[str, Sequence[Any]]
    """By the names of filters; absent where nothing is asked for."""

    @property
    def revisions(self) -> Sequence[int] | None:
        """The revisions asked for; None for any."""
        return self.values.get("revision")

    def calls(self, rows: Sequence[Mapping[str, Any]], answered: Mapping[str, Iterable[int]] | None = None) -> list[str]:
        """The ids of the calls among these rows of the table `calls`.

        `answered`: the revisions that replied in each call, where those are meant and not the one it began with. `ConfigError`
        for a value that none of the rows has.
        """
        has = {str(row["call_id"]): _of_call(row, answered) for row in rows}
        for name, wanted in self.values.items():
            _check_known(name, wanted, (value for mine in has.values() for value in mine[name]))
        return [name for row in rows if self._in_time(row["started_at"]) and self._fits(has[name := str(row["call_id"])])]

    def _in_time(self, moment: datetime) -> bool:
        at = utc(moment)
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def _fits(self, mine: Mapping[str, set[Any]]) -> bool:
        return all(not mine[name].isdisjoint(wanted) for name, wanted in self.values.items())


ALL = Choice(None, None, {})
CHOSEN_BY = (*NAMES, "started_at")
"""The columns of the table `calls` that calls are chosen by."""


def _of_call(row: Mapping[str, Any], answered: Mapping[str, Iterable[int]] | None) -> dict[str, set[Any]]:
    mine = {name: {row[name]} for name in NAMES}
    mine["source"] = {mask_text(row["source"] or "")}
    if answered is not None:
        mine["revision"] = set(answered.get(row["call_id"], ()))
    return mine


def choice(filters: Filters) -> Choice:
    """Check what is asked for. `ConfigError` with what was given and the remedy."""
    if unknown := set(filters) - set(Filters.__annotations__):
        raise ConfigTypeError(f"{min(unknown)!r} is no filter; there are {', '.join(Filters.__annotations__)}.")
    since, until = _moment("since", filters.get("since")), _moment("until", filters.get("until"))
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"since ({since.isoformat()}) is not before until ({until.isoformat()}): no call lies between them.")
    given = {name: value for name in NAMES if (value := filters.get(name)) is not None}
    return Choice(since, until, {name: _values(name, value) for name, value in given.items()})


def _moment(name: str, given: object) -> datetime | None:
    if given is None:
        return None
    found = _parsed(name, given) if isinstance(given, str) else given
    if isinstance(found, date) and not isinstance(found, datetime):
        return datetime.combine(found, time(tzinfo=UTC))
    if not isinstance(found, datetime) or found != found:  # noqa: PLR0124 (pandas' NaT is a datetime that differs from itself)
        raise ConfigTypeError(f"{name} is {given!r}; it must be a datetime with a time zone, a date, or ISO text of either.")
    if found.utcoffset() is None:
        remedy = f"write {found.isoformat()}+00:00 if you mean UTC, or use datetime.now().astimezone()"
        raise ConfigError(f"{name} is {given!r}, which has no time zone: {remedy}.")
    return found


def _parsed(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}; write it as 2026-07-20, or as 2026-07-20T18:00+02:00.") from None


def _values(name: str, given: Any) -> list[Any]:
    kind: type = int if name == "revision" else str
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes)
    found = list(given) if several else [given]
    for value in found:
        whole = kind is int and hasattr(value, "__index__") and not isinstance(value, bool)
        if not (whole or (kind is str and isinstance(value, str))):
            wanted = "the number of a revision" if kind is int else "text"
            raise ConfigTypeError(f"{name} is {value!r}; it must be {wanted}, or a list of such.")
    if not found:
        raise ConfigError(f"{name} is empty, which no call fits: leave it out for all.")
    return [int(value) for value in found] if kind is int else found


def _check_known(name: str, wanted: Iterable[Any], stored: Iterable[Any]) -> None:
    """`ConfigError` for a value that nothing stored has; where nothing is stored everything may be asked for."""
    known = {value for value in stored if value is not None}
    if not known:
        return
    for value in wanted:
        if value not in known:
            listed = sorted(known)
            near = difflib.get_close_matches(str(value), map(str, listed), n=1)
            hint = f" Did you mean {near[0]!r}?" if near and name != "revision" else ""
            more = f" and {len(listed) - _MOST_TOLD} more" if len(listed) > _MOST_TOLD else ""
            told = ", ".join(map(repr, listed[:_MOST_TOLD])) + more
            raise ConfigError(f"{name} is {value!r}, which nothing stored has; there is {told}.{hint}")
