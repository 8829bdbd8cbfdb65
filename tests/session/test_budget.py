"""A call has a limit of what it may cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.clock import CallClock, run_virtual
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.prices import PriceBook
from patter_nb.session.budget import Budget
from patter_nb.turns.events import LimitReached
from patter_nb.turns.usage import Price, Usage

Hold = Callable[..., Any]
ABROAD = "+442071234567"
HERE = "+12125550123"
LONG = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."


class Purse:
    """A budget, and what it told."""

    def __init__(self, limit: float, *, carrier: str = "twilio", number: str = HERE, prices: PriceBook | None = None) -> None:
        self.prices = prices or PriceBook()
        self.told: list[str] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.budget = Budget(
            self.prices, limit, carrier=carrier, direction="outbound", number=number, reached=self._reached,
            event=lambda kind, data: self.events.append((kind, dict(data))),
        )  # fmt: skip

    def _reached(self, limit: LimitReached) -> None:
        self.told.append(limit.reason)

    def spend(self, usd: float) -> None:
        price_id = self.prices.register("tts", "acme", "", Price(usd_per_1k_characters=1000.0))
        self.budget.spend(Usage("tts", "acme", "voice", characters=round(usd), price_id=price_id))

    def watch(self) -> float:
        """Let the line run until there is nothing to count; the second at which that was."""

        async def main() -> float:
            clock = CallClock()
            await self.budget.watch(clock)
            return clock.now()

        return run_virtual(main())


def test_the_limit_is_told_once_and_by_its_own_amount() -> None:
    purse = Purse(2.0)
    purse.spend(1)
    assert purse.told == []
    for _ in range(3):
        purse.spend(1)
    assert purse.told == ["the call cost 2 USD, its limit"]


def test_the_line_counts_by_the_minute_from_the_moment_each_begins() -> None:
    purse = Purse(0.05)  # three minutes of 0.014 and 0.0044: 0.0552
    assert purse.watch() == pytest.approx(120.0)
    assert purse.told == ["the call cost 0.05 USD, its limit"]
    assert purse.events == []


def test_what_providers_and_the_line_cost_counts_together() -> None:
    purse = Purse(3.03)
    purse.spend(3)
    assert purse.watch() == pytest.approx(60.0)
    assert len(purse.told) == 1


@pytest.mark.parametrize("carrier", ["simulated", "softphone", "console"])
def test_a_free_line_is_not_watched_and_never_trips_the_limit(carrier: str) -> None:
    purse = Purse(0.01, carrier=carrier)
    assert purse.watch() == 0.0
    assert (purse.told, purse.events) == ([], [])


def test_what_has_no_price_does_not_count_and_is_told_once_each() -> None:
    purse = Purse(0.01, carrier="acme line", number=ABROAD)
    assert purse.watch() == 0.0
    for _ in range(2):
        purse.budget.spend(Usage("llm", "acme", "m-9", output_tokens=10**9))
    assert purse.told == []
    unseen = ["telephony acme line other country outbound", "telephony acme line media stream", "llm acme m-9"]
    assert purse.events == [("cost_not_seen", {"what": what, "limit_usd": 0.01}) for what in unseen]


def test_abroad_the_minutes_are_unseen_and_the_stream_still_counts() -> None:
    purse = Purse(0.01, number=ABROAD)
    assert purse.watch() == pytest.approx(120.0)  # three minutes of 0.0044
    assert [data["what"] for _, data in purse.events] == ["telephony twilio other country outbound"]
    assert len(purse.told) == 1


def test_a_lower_limit_may_be_crossed_already() -> None:
    purse = Purse(10.0)
    purse.spend(3)
    purse.budget.govern(4.0)
    assert purse.told == []
    purse.budget.govern(2.5)
    assert purse.told == ["the call cost 2.5 USD, its limit"]


# In calls.


def dear(usd_per_1k_characters: float = 10.0) -> dict[str, Any]:
    """An ear and a model that cost nothing, and a voice that does."""
    return {
        "stt": ScriptedSTT(["one"] * 40, price=Price()),
        "llm": ScriptedLLM([LONG] * 40, price=Price()),
        "tts": ScriptedTTS(price=Price(usd_per_1k_characters=usd_per_1k_characters)),
    }


def test_a_call_that_costs_too_much_ends_with_a_goodbye_that_is_heard(hold: Hold) -> None:
    held = hold(["One?", "Two?", "Three?"], max_cost_usd=1.0, **dear())
    goodbye = held.turns[-1]
    assert (goodbye.kind, goodbye.heard_text) == ("goodbye", "I'm sorry, I have to end the call here. Goodbye.")
    assert held.session.end_reason == "the call cost 1 USD, its limit"
    assert held.events("limit_reached") == [{"reason": "the call cost 1 USD, its limit"}]
    assert held.report.ended_by == "agent"
    assert (held.error, held.tasks_left) == (None, [])


def test_a_call_within_its_limit_goes_on(hold: Hold) -> None:
    held = hold(["One?"], max_cost_usd=100.0, **dear())
    assert (held.session.end_reason, held.events("limit_reached")) == ("caller hung up", [])


def test_on_a_carriers_line_the_clock_ends_a_call_whose_providers_are_free(hold: Hold) -> None:
    held = hold(["One?"] * 40, carrier="twilio", direction="outbound", callee=HERE, max_cost_usd=0.03, **dear(0.0))
    assert held.session.end_reason == "the call cost 0.03 USD, its limit"
    assert 60 < held.session.duration_seconds < 75


def test_the_limit_of_an_edit_counts_from_the_next_reply_on(hold: Hold) -> None:
    async def edit(tap: Any, session: Any) -> None:
        await tap.at(4.0)
        session._setup.live.propose(max_cost_usd=0.5)

    held = hold(["One?", "Two?", "Three?"], meanwhile=edit, max_cost_usd=100.0, **dear())
    assert held.session.end_reason == "the call cost 0.5 USD, its limit"
