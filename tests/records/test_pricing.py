"""Prices of one's own, as `Patter(pricing=...)` is given them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.records.line_usage import line_usage, usage_beside
from patter_nb.records.prices import PriceBook
from patter_nb.records.pricing import read_pricing
from patter_nb.turns.usage import Service, Usage

HERE, ABROAD = "+12125550123", "+442071234567"


def usd(book: PriceBook, service: Service, provider: str, model: str, **used: Any) -> float:
    return book.usd(Usage(service, provider, model, price_id=book.find(service, provider, model), **used))


def minute(book: PriceBook, direction: str, number: str) -> float:
    return book.usd(line_usage(direction, 60.0, number, prices=book))


def test_a_price_of_a_carrier_holds_everywhere_and_both_ways_and_leaves_what_is_billed_beside_it() -> None:
    book = PriceBook()
    book.override({"twilio": {"price": 0.01, "unit": "minute"}})
    assert {minute(book, way, number) for way in ("inbound", "outbound") for number in (HERE, ABROAD)} == {0.01}
    assert book.usd(usage_beside("media stream", 60.0, prices=book)) == 0.0044


def test_models_name_what_has_a_price_of_its_own() -> None:
    book = PriceBook()
    book.override({"twilio": {"models": {"us outbound": 0.02, "other country outbound": {"price": 0.3}, "media stream": 0.0}}})
    assert minute(book, "outbound", HERE) == 0.02
    assert minute(book, "inbound", HERE) == 0.0085
    assert minute(book, "outbound", ABROAD) == 0.3
    assert math.isnan(minute(book, "inbound", ABROAD))
    assert book.usd(usage_beside("media stream", 60.0, prices=book)) == 0.0


def test_a_unit_says_whether_a_provider_listens_or_speaks() -> None:
    book = PriceBook()
    given = {"price": 0.006, "unit": "minute", "models": {"nova-3": {"price": 0.005}}}
    book.override({"deepgram": given, "elevenlabs": {"price": 0.05, "unit": "1k_chars"}})
    assert usd(book, "stt", "deepgram", "flux", audio_seconds=60.0) == 0.006
    assert usd(book, "stt", "deepgram", "nova-3-medical", audio_seconds=60.0) == 0.005
    assert usd(book, "tts", "elevenlabs", "flash", characters=1000) == 0.05


def test_a_price_given_again_adds_nothing_and_nothing_given_changes_nothing() -> None:
    book = PriceBook()
    book.override({})
    book.override({"twilio": {"price": 0.01}})
    first = book.find("telephony", "twilio", "us inbound")
    book.override({"twilio": {"price": 0.01}})
    assert book.find("telephony", "twilio", "us inbound") == first


BAD: list[tuple[Any, type[Exception], str]] = [
    (0.01, ConfigTypeError, "pricing is 0.01; it must be a dictionary by provider"),
    ({1: {"price": 1}}, ConfigTypeError, "pricing has the provider 1; it must be a provider's name"),
    ({"twilio": 0.01}, ConfigTypeError, "pricing['twilio'] is 0.01; it must be a dictionary"),
    ({"twilio": {"prize": 0.01}}, ConfigError, "pricing['twilio'] has 'prize'; it may have price, unit, models."),
    ({"twilio": {}}, ConfigError, "pricing['twilio'] has no price: give US dollars for each minute."),
    ({"twilio": {"price": "0.01"}}, ConfigTypeError, "pricing['twilio'] has the price '0.01'; it must be a number"),
    ({"twilio": {"price": True}}, ConfigTypeError, "pricing['twilio'] has the price True; it must be a number"),
    ({"twilio": {"price": -1}}, ConfigError, "pricing['twilio'] has the price -1; it must be a number of US dollars, 0 or more."),
    ({"twilio": {"price": math.nan}}, ConfigError, "pricing['twilio'] has the price nan"),
    ({"twilio": {"price": 1, "unit": "1k_chars"}}, ConfigError, "a telephone line is billed by the minute"),
    ({"acme": {"price": 1}}, ConfigError, "pricing['acme'] has no unit: give one of minute, 1k_chars."),
    ({"acme": {"price": 1, "unit": "token"}}, ConfigError, "has the unit 'token'; it must be one of minute, 1k_chars"),
    ({"acme": {"unit": "minute", "models": [1]}}, ConfigTypeError, "pricing['acme'] has the models [1]"),
    ({"acme": {"unit": "minute", "models": {"m": {}}}}, ConfigError, "pricing['acme']['models']['m'] has no price"),
    ({"acme": {"unit": "minute", "models": {"m": {"price": 1, "unit": "1k_chars"}}}}, ConfigError, "that of its provider"),
]  # fmt: skip


@pytest.mark.parametrize(("pricing", "kind", "told"), BAD)
def test_what_cannot_be_read_says_what_was_given_and_changes_nothing(pricing: Any, kind: type[Exception], told: str) -> None:
    book = PriceBook()
    with pytest.raises(kind) as raised:
        book.override({"deepgram": {"price": 9, "unit": "minute"}} | pricing if isinstance(pricing, dict) else pricing)
    assert told in str(raised.value)
    assert str(raised.value).endswith((".", ")."))
    assert book.find("stt", "deepgram", "flux") is None


def test_each_provider_is_one_entry() -> None:
    found = read_pricing({"telnyx": {"price": 1}, "acme": {"price": 1, "unit": "1k_chars"}})
    assert [(given.service, given.provider) for given in found] == [("telephony", "telnyx"), ("tts", "acme")]
