"""Prices: dated, added to, never changed."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest

from patter_nb.errors import ConfigError
from patter_nb.records.price_list import PriceRow
from patter_nb.records.prices import PriceBook
from patter_nb.turns.usage import Price, Usage

AT = datetime(2026, 7, 20, tzinfo=UTC)


def row(model: str, day: str, usd_per_audio_minute: float = 1.0) -> PriceRow:
    price = Price(usd_per_audio_minute=usd_per_audio_minute)
    return PriceRow(f"acme/{model}/stt@{day}", "stt", "acme", model, price, date.fromisoformat(day))


@pytest.mark.parametrize(
    ("rows", "model", "found"),
    [
        ([("nova", "2026-01-01"), ("nova-3", "2026-01-01")], "nova-3", "acme/nova-3/stt@2026-01-01"),
        ([("nova", "2026-01-01"), ("nova-3", "2026-01-01")], "nova-3-medical", "acme/nova-3/stt@2026-01-01"),
        ([("nova", "2026-01-01"), ("nova-3", "2026-01-01")], "nova-30", "acme/nova/stt@2026-01-01"),
        ([("nova", "2026-01-01")], "novation", None),
        ([("nova", "2026-06-01"), ("nova-3", "2026-01-01")], "nova-3", "acme/nova-3/stt@2026-01-01"),
        ([("", "2026-01-01"), ("nova", "2026-01-01")], "whisper", "acme//stt@2026-01-01"),
        ([("nova", "2026-01-01"), ("nova", "2026-06-01")], "nova", "acme/nova/stt@2026-06-01"),
        ([("nova", "2026-01-01"), ("nova", "2026-08-01")], "nova", "acme/nova/stt@2026-01-01"),
        ([("nova", "2026-01-01"), ("nova-3", "2026-08-01")], "nova-3", "acme/nova/stt@2026-01-01"),
        ([("nova-3", "2026-08-01")], "nova-3", None),
    ],
)
def test_the_exact_model_wins_then_the_longest_name_then_the_newest_row_in_force(
    rows: list[tuple[str, str]], model: str, found: str | None
) -> None:
    book = PriceBook(row(*each) for each in rows)
    assert book.find("stt", "acme", model, AT) == found
    assert book.find("tts", "acme", model, AT) is None
    assert book.find("stt", "other", model, AT) is None


def test_what_runs_on_this_machine_costs_a_known_nothing() -> None:
    book = PriceBook()
    for service in ("stt", "llm", "tts"):
        price_id = book.find(service, "local", "any model", AT)
        assert price_id is not None
        assert book.usd(Usage(service, "local", "any", 60.0, 1000, 1000, 0, 1000, price_id)) == 0.0
        assert book.free(service, "local", "any", AT)
    assert book.free("telephony", "simulated", "", AT)
    assert not book.free("stt", "acme", "nova", AT)


def test_an_unknown_price_is_nan_and_not_nothing() -> None:
    book = PriceBook()
    assert math.isnan(book.usd(Usage("stt", "acme", "nova", 60.0)))
    assert math.isnan(book.usd(Usage("stt", "acme", "nova", 60.0, price_id="acme/nova/stt@1999-01-01")))
    assert math.isnan(book.cached_savings_usd(Usage("llm", "acme", "m", cached_input_tokens=5)))


def test_each_unit_has_its_price() -> None:
    book = PriceBook()
    price = Price(0.6, 0.05, 3.0, 0.3, 15.0)
    price_id = book.register("llm", "acme", "m", price)
    usage = Usage("llm", "acme", "m", 30.0, 200, 1_000_000, 2_000_000, 100_000, price_id)
    assert book.usd(usage) == pytest.approx(0.3 + 0.01 + 3.0 + 0.6 + 1.5)
    assert book.cached_savings_usd(usage) == pytest.approx(2 * 2.7)


def test_registering_a_price_again_adds_nothing_and_a_new_price_leaves_the_old_one_to_old_usage() -> None:
    book = PriceBook()
    first = book.register("stt", "acme", "nova", Price(1.0), valid_from=date(2026, 1, 1))
    assert book.register("stt", "acme", "nova", Price(1.0), valid_from=date(2026, 5, 1)) == first
    second = book.register("stt", "acme", "nova", Price(2.0), valid_from=date(2026, 6, 1))
    assert second != first
    assert book.find("stt", "acme", "nova", datetime(2026, 5, 31, tzinfo=UTC)) == first
    assert book.find("stt", "acme", "nova", datetime(2026, 6, 1, tzinfo=UTC)) == second
    assert book.usd(Usage("stt", "acme", "nova", 60.0, price_id=first)) == 1.0


def test_of_two_prices_of_one_day_the_later_registered_one_is_in_force_and_both_keep_their_id() -> None:
    book = PriceBook()
    cheap = book.register("stt", "acme", "nova", Price(1.0), valid_from=date(2026, 1, 1))
    dear = book.register("stt", "acme", "nova", Price(2.0), valid_from=date(2026, 1, 1))
    assert book.find("stt", "acme", "nova", AT) == dear
    assert (book.usd(Usage("stt", "acme", "nova", 60.0, price_id=cheap)), dear) == (1.0, dear)
    assert dear.startswith("acme/nova/stt@2026-01-01#")


def test_the_same_price_has_the_same_id_in_another_process() -> None:
    ids = {PriceBook().register("tts", "acme", "", Price(0, 0.05), valid_from=date(2026, 1, 1)) for _ in range(2)}
    assert len(ids) == 1


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_a_price_is_a_number_of_dollars(bad: float) -> None:
    with pytest.raises(ConfigError, match="usd_per_1k_characters of acme/nova is"):
        PriceBook().register("tts", "acme", "nova", Price(usd_per_1k_characters=bad))


def test_an_id_is_short_enough_for_an_index_and_still_each_price_has_its_own() -> None:
    book = PriceBook()
    prices = [Price(usd_per_1m_input_tokens=usd) for usd in (1.0, 2.0)]
    ids = [book.register("llm", "acme", "m" * 400 + end, price) for end in "ab" for price in prices]
    assert len(set(ids)) == 4
    assert max(map(len, ids)) <= 255
    assert all(book.row(each) is not None for each in ids)
