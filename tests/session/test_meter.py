"""Usage gets the price that is in force for the agent it belongs to."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from patter_nb.agent import Agent
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.prices import PriceBook
from patter_nb.session.meter import Meter
from patter_nb.turns.events import UsageReported
from patter_nb.turns.usage import Price, Usage

SPOKEN = Usage("tts", "scripted", "tones", characters=1000)


def agent(price: Price | None) -> Agent:
    return Agent(system_prompt="A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS(price=price))


def known(agent: Agent, prices: PriceBook, report: Callable[[UsageReported], None]) -> Meter:
    meter = Meter(prices, report)
    meter.know(agent)
    return meter


def usd(prices: PriceBook, reported: list[UsageReported]) -> list[float]:
    return [prices.usd(event.usage) for event in reported]


def test_usage_is_reported_with_its_reply_and_its_price() -> None:
    prices, reported = PriceBook(), []
    known(agent(Price(usd_per_1k_characters=0.5)), prices, reported.append)(SPOKEN, 7)
    (event,) = reported
    assert (event.reply, event.usage.characters) == (7, 1000)
    assert usd(prices, reported) == [0.5]


def test_two_agents_whose_voices_have_one_name_and_two_prices_pay_their_own() -> None:
    prices, reported = PriceBook(), []
    first = known(agent(Price(usd_per_1k_characters=0.5)), prices, reported.append)
    second = known(agent(Price(usd_per_1k_characters=3.0)), prices, reported.append)
    for meter in (first, second, first):
        meter(SPOKEN, 1)
    assert usd(prices, reported) == [0.5, 3.0, 0.5]


def test_without_a_price_of_its_own_it_is_looked_up_and_what_nobody_knows_is_nan() -> None:
    prices, reported = PriceBook(), []
    meter = known(agent(None), prices, reported.append)
    meter(SPOKEN, 1)
    prices.register("tts", "scripted", "tones", Price(usd_per_1k_characters=2.0))
    meter(SPOKEN, 1)
    unknown, found = usd(prices, reported)
    assert math.isnan(unknown)
    assert found == 2.0


def test_a_price_of_nothing_is_known() -> None:
    prices, reported = PriceBook(), []
    known(agent(Price()), prices, reported.append)(SPOKEN, None)
    assert usd(prices, reported) == [0.0]


def test_what_is_no_usage_is_a_mistake_of_the_provider() -> None:
    with pytest.raises(TypeError, match="it brought str, which is no event of"):
        known(agent(None), PriceBook(), [].append)("forty characters", 1)  # type: ignore[arg-type]


def test_a_later_revision_of_the_agent_pays_its_own_price() -> None:
    prices, reported = PriceBook(), []
    meter = known(agent(Price(usd_per_1k_characters=0.5)), prices, reported.append)
    meter(SPOKEN, 1)
    meter.know(agent(Price(usd_per_1k_characters=3.0)))
    meter(SPOKEN, 2)
    assert usd(prices, reported) == [0.5, 3.0]


def test_those_who_stand_behind_a_provider_are_known_as_well() -> None:
    class Behind(ScriptedLLM):
        members = (ScriptedLLM([], provider="second", model="m", price=Price(usd_per_1m_output_tokens=1.0)),)

    prices, reported = PriceBook(), []
    meter = known(agent(None).edited(llm=Behind([])), prices, reported.append)
    meter(Usage("llm", "second", "m", output_tokens=1_000_000), 1)
    assert usd(prices, reported) == [1.0]
