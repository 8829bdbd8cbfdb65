"""The bill of a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.records.cost import call_items, total_item, turn_items
from patter_nb.records.facts import CallFacts, EventFacts
from patter_nb.records.plain import plain
from patter_nb.records.prices import PriceBook
from patter_nb.records.readings import CALL_USAGE, LATE_USAGE, CallReading
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Price, Service, Usage

DAY = date(2026, 7, 1)
HAND = {
    # greeting: 40 characters at 0.05 per 1,000
    (0, "stt"): 0.0, (0, "llm"): 0.0, (0, "tts"): 0.002,
    # 6 s at 0.0048 a minute; 1,000 tokens at 3, 200 cached at 0.30, 50 out at 15 per million; 120 characters
    (1, "stt"): 0.00048, (1, "llm"): 0.00381, (1, "tts"): 0.006,
    # 3 s; 1,200 tokens and 80 out; 200 characters, and 20 that were reported late
    (2, "stt"): 0.00024, (2, "llm"): 0.0048, (2, "tts"): 0.011,
    # 12 s between turns; 120 s on the line at 0.0085 a minute; 40 characters warmed
    (None, "stt rest"): 0.00096, (None, "telephony"): 0.017, (None, "prewarm"): 0.002,
    (None, "total"): 0.04829,
}  # fmt: skip


class Meter:
    """Three scripted providers and a line, with prices."""

    def __init__(self) -> None:
        self.prices = PriceBook()
        rates = {
            "stt": Price(usd_per_audio_minute=0.0048),
            "llm": Price(usd_per_1m_input_tokens=3, usd_per_1m_cached_input_tokens=0.3, usd_per_1m_output_tokens=15),
            "tts": Price(usd_per_1k_characters=0.05),
            "telephony": Price(usd_per_audio_minute=0.0085),
        }
        services: tuple[Service, ...] = ("stt", "llm", "tts", "telephony")
        self._ids = {each: self.prices.register(each, f"my_{each}", "one", rates[each], valid_from=DAY) for each in services}

    def stt(self, seconds: float) -> Usage:
        return Usage("stt", "my_stt", "one", audio_seconds=seconds, price_id=self._ids["stt"])

    def llm(self, fresh: int, cached: int, out: int) -> Usage:
        return Usage("llm", "my_llm", "one", 0.0, 0, fresh, cached, out, self._ids["llm"])

    def tts(self, characters: int) -> Usage:
        return Usage("tts", "my_tts", "one", characters=characters, price_id=self._ids["tts"])

    def line(self, seconds: float) -> Usage:
        return Usage("telephony", "my_telephony", "one", audio_seconds=seconds, price_id=self._ids["telephony"])


@pytest.fixture
def bill(call: Callable[..., CallFacts], turn: Callable[..., TurnFacts], read: Callable[..., CallReading]) -> CallReading:
    meter = Meter()
    turns = [
        turn(0, kind="greeting", usage=(meter.tts(40),)),
        turn(1, usage=(meter.stt(4), meter.stt(2), meter.llm(1000, 200, 50), meter.tts(120))),
        turn(2, usage=(meter.stt(3), meter.llm(1200, 0, 80), meter.tts(200))),
    ]
    late = EventFacts(9.0, LATE_USAGE, {"usage": plain(meter.tts(20)), "turn": 2})
    whole = (EventFacts(9.0, CALL_USAGE, {"usage": plain(each)}) for each in (meter.stt(12), meter.line(120), meter.tts(40)))
    facts = call(carrier="my_telephony", stt_provider="my_stt", llm_provider="my_llm", tts_provider="my_tts")
    return read(*turns, events=(late, *whole), facts=facts, prices=meter.prices)


def test_every_item_and_the_sum_are_what_was_computed_by_hand(bill: CallReading) -> None:
    found = {(item.turn, item.part): item.usd for item in (*bill.cost_items, bill.total)}
    assert found == pytest.approx(HAND)
    assert list(found) == list(HAND)
    assert bill.total.usd == math.fsum(item.usd for item in bill.cost_items)
    assert bill.total.unknown == ()


def test_the_breakdown_by_service_has_the_same_sum(bill: CallReading) -> None:
    cost = bill.metrics.cost
    assert (cost.stt, cost.llm, cost.tts, cost.telephony) == pytest.approx((0.00168, 0.00861, 0.021, 0.017))
    assert cost.stt + cost.llm + cost.tts + cost.telephony == pytest.approx(cost.total)
    assert cost.total == pytest.approx(HAND[None, "total"])
    assert cost.llm_cached_savings == pytest.approx(200 * 2.7e-6)
    assert bill.metrics.context_tokens == 1200


def test_one_unknown_price_makes_its_item_its_turn_and_the_total_nan_and_says_which(
    turn: Callable[..., TurnFacts], read: Callable[..., CallReading]
) -> None:
    meter = Meter()
    unpriced = Usage("llm", "acme", "m-9", input_tokens=10)
    found = read(turn(1, usage=(meter.tts(120), unpriced)), turn(2, usage=(meter.tts(20), unpriced)), prices=meter.prices)
    first = found.turns[0]
    assert math.isnan(first.usd("llm"))
    assert first.usd("tts") == pytest.approx(0.006)
    assert math.isnan(first.total.usd)
    assert math.isnan(found.total.usd)
    assert found.total.unknown == ("no price of llm acme/m-9",)
    assert math.isnan(found.metrics.cost.llm)
    assert math.isnan(found.metrics.cost.total)
    assert found.metrics.cost.tts == pytest.approx(0.007)


@pytest.mark.parametrize(
    ("provider", "service", "instant", "expected"),
    [
        ("acme", "llm", "llm_requested_at", (math.nan, ("no usage of llm was reported by acme",))),
        ("acme", "tts", "tts_requested_at", (math.nan, ("no usage of tts was reported by acme",))),
        ("acme", "stt", "stt_final_at", (math.nan, ("no usage of stt was reported by acme",))),
        ("local", "llm", "llm_requested_at", (0.0, ())),
        ("on_message", "llm", "llm_requested_at", (0.0, ())),
        ("acme", "llm", "tts_requested_at", (0.0, ())),
    ],
)
def test_work_that_was_done_and_not_metered_is_unknown_unless_it_is_free(
    provider: str, service: str, instant: str, expected: tuple[float, tuple[str, ...]], call: Callable[..., CallFacts]
) -> None:
    facts = call(**{f"{service}_provider": provider})
    items = turn_items(TurnFacts(1, "caller", 1, instants={instant: 2.0}), (), facts, PriceBook(), stt_reported=False)
    found = next(item for item in items if item.part == service)
    assert found.usd == pytest.approx(expected[0], nan_ok=True)
    assert found.unknown == expected[1]


HALF = "no usage of 1 cancelled request to llm was reported by {}"
CANCELLED = [
    # resumed, reported, the provider, what is unknown
    (1, 1, "acme", (HALF.format("acme"),)),
    (2, 1, "acme", ("no usage of 2 cancelled requests to llm was reported by acme",)),
    (1, 0, "acme", ("no usage of llm was reported by acme",)),
    (1, 2, "acme", ()),
    (0, 1, "acme", ()),
    (1, 1, "local", ()),
    (1, 0, "on_message", ()),
]


@pytest.mark.parametrize(("resumed", "reported", "provider", "unknown"), CANCELLED)
def test_a_request_that_was_cancelled_and_not_reported_is_not_hidden_by_one_that_was(
    resumed: int, reported: int, provider: str, unknown: tuple[str, ...], call: Callable[..., CallFacts]
) -> None:
    meter = Meter()
    usage = (meter.llm(1000, 0, 0),) * reported
    facts = TurnFacts(1, "caller", 1, resumed=resumed, instants={"llm_requested_at": 2.0})
    llm = turn_items(facts, usage, call(llm_provider=provider), meter.prices, stt_reported=True)[1]
    assert llm.unknown == unknown
    assert llm.usd == pytest.approx(math.nan if unknown else 0.003 * reported, nan_ok=True)


def test_recognition_that_was_metered_elsewhere_in_the_call_costs_a_turn_nothing_more(
    call: Callable[..., CallFacts], turn: Callable[..., TurnFacts]
) -> None:
    items = turn_items(turn(1, {"stt_final_at": 2.0}), (), call(stt_provider="acme"), PriceBook(), stt_reported=True)
    assert items[0].usd == 0.0


@pytest.mark.parametrize(("carrier", "usd"), [("simulated", 0.0), ("twilio", math.nan)])
def test_a_line_without_a_price_is_unknown_and_a_simulated_one_free(
    carrier: str, usd: float, call: Callable[..., CallFacts]
) -> None:
    line = call_items((), call(carrier=carrier), PriceBook())[1]
    assert line.part == "telephony"
    assert line.usd == pytest.approx(usd, nan_ok=True)


@given(st.lists(st.tuples(st.sampled_from(["stt", "llm", "tts"]), st.integers(0, 10**6), st.booleans()), max_size=12))
def test_turns_and_call_level_items_always_add_up_to_the_total(rows: list[tuple[Service, int, bool]]) -> None:
    meter = Meter()
    make: dict[str, Callable[[int], Usage]] = {"stt": meter.stt, "llm": lambda n: meter.llm(n, n, n), "tts": meter.tts}
    usage = [(make[service](amount), whole) for service, amount, whole in rows]
    facts = CallFacts(call_id="c", agent="a", revision=1, direction="test", started_at=datetime(2026, 7, 20, tzinfo=UTC))
    mine = [each for each, whole in usage if not whole]
    items = turn_items(TurnFacts(1, "caller", 1), mine, facts, meter.prices, stt_reported=True)
    items += call_items([each for each, whole in usage if whole], facts, meter.prices)
    assert total_item(items).usd == pytest.approx(math.fsum(meter.prices.usd(each) for each, _ in usage))
