"""Prices as a user gives them: `{"twilio": {"price": 0.0085, "unit": "minute", "models": {"us outbound": {"price": 0.014}}}}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from patter_nb.errors import ConfigError, ConfigTypeError, brief
from patter_nb.turns.usage import Price, Service

CARRIERS = ("twilio", "telnyx", "plivo")
"""Providers whose minutes are those of a telephone line."""
UNITS = ("minute", "1k_chars")
"""A minute of a line or of recognised speech; 1,000 characters of a voice."""
KEYS = ("price", "unit", "models")
EXAMPLE = '{"price": 0.0085, "unit": "minute"}'


@dataclass(frozen=True, slots=True)
class GivenPrice:
    """What was given for one provider."""

    service: Service
    provider: str
    base: Price | None
    """For all its models; None where only some of them are named."""
    models: Mapping[str, Price] = field(default_factory=dict)


def read_pricing(pricing: object) -> list[GivenPrice]:
    """Check what was given, one entry for each provider."""
    if not isinstance(pricing, Mapping):
        raise ConfigTypeError(f'pricing is {brief(pricing)}; it must be a dictionary by provider: {{"twilio": {EXAMPLE}}}.')
    return [_provider(name, given) for name, given in pricing.items()]


def _provider(name: object, given: object) -> GivenPrice:
    if not isinstance(name, str) or not name.strip():
        raise ConfigTypeError(f"pricing has the provider {brief(name)}; it must be a provider's name, such as 'twilio'.")
    where = f"pricing[{name!r}]"
    entry = _entry(where, given, KEYS)
    unit = entry.get("unit", "minute" if name in CARRIERS else None)
    if unit is None:
        raise ConfigError(f"{where} has no unit: give one of {', '.join(UNITS)}.")
    if unit not in UNITS:
        remedy = "a model's price by the token is given to the model itself: OpenAICompatibleLLM(..., price=Price(...))"
        raise ConfigError(f"{where} has the unit {brief(unit)}; it must be one of {', '.join(UNITS)} ({remedy}).")
    if unit != "minute" and name in CARRIERS:
        raise ConfigError(f"{where} has the unit {unit!r}; a telephone line is billed by the minute.")
    models = entry.get("models", {})
    if not isinstance(models, Mapping) or not all(isinstance(model, str) for model in models):
        raise ConfigTypeError(f'{where} has the models {brief(models)}; it must be a dictionary: {{"a name": 0.01}}.')
    if "price" not in entry and not models:
        raise ConfigError(f"{where} has no price: give US dollars for each {unit}.")
    service: Service = "telephony" if name in CARRIERS else "stt" if unit == "minute" else "tts"
    base = _price(where, entry["price"], unit) if "price" in entry else None
    named = {model: _model(f"{where}['models'][{model!r}]", one, unit) for model, one in models.items()}
    return GivenPrice(service, name, base, named)


def _model(where: str, given: object, unit: str) -> Price:
    """A model's price: a number, or a dictionary with one."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return _price(where, given, unit)
    entry = _entry(where, given, ("price", "unit"))
    if entry.get("unit", unit) != unit:
        raise ConfigError(f"{where} has the unit {brief(entry['unit'])}; it must be that of its provider, {unit!r}.")
    if "price" not in entry:
        raise ConfigError(f"{where} has no price: give US dollars for each {unit}.")
    return _price(where, entry["price"], unit)


def _entry(where: str, given: object, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigTypeError(f"{where} is {brief(given)}; it must be a dictionary: {EXAMPLE}.")
    if unknown := [key for key in given if key not in keys]:
        raise ConfigError(f"{where} has {brief(unknown[0])}; it may have {', '.join(keys)}.")
    return given


def _price(where: str, usd: object, unit: str) -> Price:
    if isinstance(usd, bool) or not isinstance(usd, int | float):
        raise ConfigTypeError(f"{where} has the price {brief(usd)}; it must be a number of US dollars for each {unit}.")
    if not (math.isfinite(usd) and usd >= 0):
        raise ConfigError(f"{where} has the price {usd}; it must be a number of US dollars, 0 or more.")
    return Price(usd_per_audio_minute=float(usd)) if unit == "minute" else Price(usd_per_1k_characters=float(usd))
