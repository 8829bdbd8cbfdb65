"""What a call cost, item by item: each turn's speech recognition, model and voice, then what belongs to the call as a whole.

The items add up to the total. Whatever has no known price is NaN, says so, and makes the total NaN.

So is a request whose usage never came: the reply that was cancelled because the caller went on asked the model, too, and few
providers report what a cancelled request consumed. Two things stay unknowable, since a turn keeps no count of them: how often the
model was asked again after tools, and how many segments went to the voice. Where some of those were reported, the others pass
unnoticed; and where a provider reports one request in several parts, the parts count as requests.

The line of a call that was never answered costs nothing, and that is known. What the carrier says it charged for the line takes
the place of what its price list makes of the minutes; what it bills beside them (the media stream, machine detection, recording)
stays an estimate. While a call is on, and of one whose process died, the line is counted up to what is known of it last. Not in
any bill: what a number costs by the month, what stored recordings cost, taxes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from patter_nb.records.facts import CallFacts
from patter_nb.records.lines import LineFacts
from patter_nb.records.metrics import CostBreakdown
from patter_nb.records.prices import PriceBook
from patter_nb.turns.facts import TurnFacts, TurnKind
from patter_nb.turns.usage import Service, Usage

TURN_SERVICES: tuple[Service, ...] = ("stt", "llm", "tts")
_REQUESTED = {"stt": "stt_final_at", "llm": "llm_requested_at", "tts": "tts_requested_at"}
"""The instant that shows that a turn used the service."""

Part = Literal[
    "stt", "llm", "tts", "stt rest", "telephony", "media stream", "machine detection", "recording", "prewarm", "total"
]  # fmt: skip
BESIDE: tuple[Part, ...] = ("media stream", "machine detection", "recording")
"""Parts of the bill that are there where a carrier's line was used."""


@dataclass(frozen=True, slots=True)
class CostItem:
    """One line of a call's bill."""

    turn: int | None
    """None for what belongs to the call as a whole."""
    kind: TurnKind | Literal["call"]
    part: Part
    usage: tuple[Usage, ...]
    usd: float
    unknown: tuple[str, ...] = ()
    """Why `usd` is NaN."""


def turn_items(
    facts: TurnFacts, usage: Sequence[Usage], call: CallFacts, prices: PriceBook, *, stt_reported: bool
) -> list[CostItem]:
    """The three items of one turn. `stt_reported`: the call has usage of speech recognition somewhere."""
    items = []
    for service in TURN_SERVICES:
        mine = tuple(each for each in usage if each.service == service)
        usd, unknown = _priced(mine, prices)
        missing = 0 if service == "stt" and stt_reported else _requests(facts, service) - len(mine)
        if missing > 0:
            rest_usd, rest_unknown = _unreported(service, call, prices, missing if mine else None)
            usd, unknown = usd + rest_usd, (*unknown, *rest_unknown)
        items.append(CostItem(facts.turn, facts.kind, _part(service), mine, usd, unknown))
    return items


def _requests(facts: TurnFacts, service: Service) -> int:
    """How many requests to the service the turn is known to have made, at least."""
    last = 1 if _REQUESTED[service] in facts.instants else 0
    # Each time the caller went on, a reply had been ordered, and a reply begins with asking the model.
    return last + (facts.resumed if service == "llm" else 0)


def call_items(
    usage: Sequence[Usage], call: CallFacts, prices: PriceBook, *, line: LineFacts | None = None
) -> list[CostItem]:
    """The items that belong to no turn: audio heard between turns, the line, and what was warmed before it was needed.

    `line`: what its carrier told; None: nothing, and it was answered.
    """
    rest = tuple(each for each in usage if each.service == "stt")
    carried = tuple(each for each in usage if each.service == "telephony")
    warm = tuple(each for each in usage if each.service in ("llm", "tts"))
    beside = ((part, tuple(each for each in carried if each.model == part)) for part in BESIDE)
    return [
        CostItem(None, "call", "stt rest", rest, *_priced(rest, prices)),
        _line_item(tuple(each for each in carried if each.model not in BESIDE), call, prices, line),
        *(CostItem(None, "call", part, mine, *_priced(mine, prices)) for part, mine in beside if mine),
        CostItem(None, "call", "prewarm", warm, *_priced(warm, prices)),
    ]


def _line_item(used: tuple[Usage, ...], call: CallFacts, prices: PriceBook, line: LineFacts | None) -> CostItem:
    """The minutes of the line: as charged, else as listed."""
    if line is not None and not math.isnan(line.carrier_price_usd):
        charged = tuple(replace(each, price_id=None) for each in used)  # no row of ours says so
        return CostItem(None, "call", "telephony", charged, line.carrier_price_usd)
    if used:
        return CostItem(None, "call", "telephony", used, *_priced(used, prices))
    if line is not None and not line.answered:
        return CostItem(None, "call", "telephony", (), 0.0)
    return CostItem(None, "call", "telephony", (), *_unreported("telephony", call, prices))


def total_item(items: Sequence[CostItem]) -> CostItem:
    """The sum of all items."""
    unknown = tuple(dict.fromkeys(reason for item in items for reason in item.unknown))
    usage = tuple(each for item in items for each in item.usage)
    return CostItem(None, "call", "total", usage, math.fsum(item.usd for item in items), unknown)


def breakdown(items: Sequence[CostItem], prices: PriceBook) -> CostBreakdown:
    """The items summed by service."""

    def usd(service: Service) -> float:
        warm = [each for item in items if item.part == "prewarm" for each in item.usage if each.service == service]
        parts = (service, f"{service} rest", *(BESIDE if service == "telephony" else ()))
        mine = [item.usd for item in items if item.part in parts]
        return math.fsum([*mine, _priced(warm, prices)[0]])

    total = total_item(items)
    savings = math.fsum(prices.cached_savings_usd(each) for each in total.usage if each.cached_input_tokens)
    return CostBreakdown(usd("stt"), usd("tts"), usd("llm"), usd("telephony"), total.usd, savings, total.unknown)


def _priced(usage: Iterable[Usage], prices: PriceBook) -> tuple[float, tuple[str, ...]]:
    costs = [(each, prices.usd(each)) for each in usage]
    if len(costs) == 1 and not math.isnan(costs[0][1]):
        return costs[0][1], ()  # nearly always
    unknown = (f"no price of {each.service} {each.provider}/{each.model}" for each, usd in costs if math.isnan(usd))
    return math.fsum(usd for _, usd in costs), tuple(dict.fromkeys(unknown))


def _unreported(
    service: Service, call: CallFacts, prices: PriceBook, requests: int | None = None
) -> tuple[float, tuple[str, ...]]:
    """The service was used and this was not reported: known to be nothing where it is free, else unknown.

    `requests`: how many of several; None: all of it.
    """
    provider, model = call.provider(service)
    if provider is not None and prices.free(service, provider, model or "", call.started_at):
        return 0.0, ()
    which = service if requests is None else f"{requests} cancelled request{'s' if requests > 1 else ''} to {service}"
    return math.nan, (f"no usage of {which} was reported by {provider or 'its provider'}",)


def _part(service: Service) -> Part:
    parts: dict[Service, Part] = {"stt": "stt", "llm": "llm", "tts": "tts", "telephony": "telephony"}
    return parts[service]
