"""What a unit of a provider's work costs, in dated rows that are only ever added to.

Usage is kept with the id of the price row that was in force, so that an old call keeps its price whatever is registered later.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields
from datetime import UTC, date, datetime
from typing import Any

from patter_nb.errors import ConfigError
from patter_nb.records.price_list import BESIDE_THE_LINE, BUILT_IN, PriceRow
from patter_nb.records.pricing import read_pricing
from patter_nb.turns.usage import Price, Service, Usage

LONGEST_ID = 255
"""Characters of a row's id, which databases keep in an index."""

_BOUNDARIES = "-_.:/@ "
"""What may follow a model's name in a more specific one: "nova-3" covers "nova-3-medical", not "nova-30"."""


class PriceBook:
    """All price rows there are. Rows are added, never changed; safe to use from any thread."""

    def __init__(self, extra: Iterable[PriceRow] = ()) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, PriceRow] = {row.id: row for row in (*BUILT_IN, *extra)}

    def register(self, service: Service, provider: str, model: str, price: Price, *, valid_from: date | None = None) -> str:
        """Add a price, in force from `valid_from` (today in UTC). Returns its id.

        A price that is in force already is not added again. `ConfigError` for a negative or non-finite price.
        """
        _check(provider, model, price)
        day = valid_from if valid_from is not None else datetime.now(UTC).date()
        with self._lock:
            known = self._find(service, provider, model, day)
            if known is not None and (known.model, known.price) == (model, price):
                return known.id
            row = PriceRow(_row_id(service, provider, model, price, day), service, provider, model, price, day)
            return self._rows.setdefault(row.id, row).id

    def override(self, pricing: Mapping[str, Any]) -> None:
        """Take prices as `Patter(pricing=...)` is given them, in force from today: `{"twilio": {"price": 0.01}}`.

        A provider's price holds for all its models, in whatever country and direction, except those that `models` names; what a
        carrier bills beside a line's minutes ("media stream", "machine detection", "recording") keeps its own unless named, too.
        `ConfigError` or `ConfigTypeError` for what cannot be read; nothing has changed then.
        """
        for given in read_pricing(pricing):
            base, models = given.base, given.models
            if base is not None:
                known = self._models(given.service, given.provider)
                models = {**dict.fromkeys(known - set(BESIDE_THE_LINE) | {""}, base), **models}
            for model, price in models.items():
                self.register(given.service, given.provider, model, price)

    def _models(self, service: Service, provider: str) -> set[str]:
        with self._lock:
            return {row.model for row in self._rows.values() if (row.service, row.provider) == (service, provider)}

    def find(self, service: Service, provider: str, model: str, at: datetime | None = None) -> str | None:
        """The id of the price in force at `at` (now), or None: of this very model, else of the longest name that covers it."""
        day = datetime.now(UTC) if at is None else at.astimezone(UTC)
        with self._lock:
            row = self._find(service, provider, model, day.date())
        return None if row is None else row.id

    def row(self, price_id: str) -> PriceRow | None:
        """The row of this id, or None."""
        return self._rows.get(price_id)

    def free(self, service: Service, provider: str, model: str, at: datetime) -> bool:
        """Whether it is known that this costs nothing, however much of it is used."""
        price_id = self.find(service, provider, model, at)
        return price_id is not None and not any(astuple(self._rows[price_id].price))

    def usd(self, usage: Usage) -> float:
        """What this usage cost, in US dollars; NaN when its price is not known."""
        row = self._rows.get(usage.price_id) if usage.price_id else None
        if row is None:
            return math.nan
        price = row.price
        return (
            usage.audio_seconds / 60 * price.usd_per_audio_minute
            + usage.characters / 1000 * price.usd_per_1k_characters
            + usage.input_tokens / 1e6 * price.usd_per_1m_input_tokens
            + usage.cached_input_tokens / 1e6 * price.usd_per_1m_cached_input_tokens
            + usage.output_tokens / 1e6 * price.usd_per_1m_output_tokens
        )

    def cached_savings_usd(self, usage: Usage) -> float:
        """What reading prompt tokens from a cache saved, in US dollars; NaN when the price is not known."""
        row = self._rows.get(usage.price_id) if usage.price_id else None
        if row is None:
            return math.nan
        saved = row.price.usd_per_1m_input_tokens - row.price.usd_per_1m_cached_input_tokens
        return usage.cached_input_tokens / 1e6 * saved

    def _find(self, service: Service, provider: str, model: str, day: date) -> PriceRow | None:
        fitting = [
            row
            for row in self._rows.values()
            if (row.service, row.provider) == (service, provider) and row.valid_from <= day and _covers(row.model, model)
        ]
        # Among equals the one added last wins: max() keeps the first of equals, hence reversed.
        return max(reversed(fitting), key=lambda row: (len(row.model), row.valid_from), default=None)


def _covers(name: str, model: str) -> bool:
    return name in ("", model) or (model.startswith(name) and model[len(name)] in _BOUNDARIES)


def _row_id(service: Service, provider: str, model: str, price: Price, day: date) -> str:
    """The price is part of the id, so that two processes which register different prices on one day do not meet in one row."""
    digest = hashlib.sha256(repr(astuple(price)).encode()).hexdigest()[:8]
    whole = f"{provider}/{model or '*'}/{service}@{day.isoformat()}#{digest}"
    if len(whole) <= LONGEST_ID:
        return whole
    return f"{whole[:200]}…#{hashlib.sha256(whole.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _check(provider: str, model: str, price: Price) -> None:
    for name, value in ((each.name, getattr(price, each.name)) for each in fields(price)):
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{name} of {provider}/{model} is {value}: a price is a number of US dollars, 0 or more")
