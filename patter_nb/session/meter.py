"""Puts the price that is in force on every usage a provider reports, and counts it towards the call's limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from patter_nb.agent import Agent
from patter_nb.records.prices import PriceBook
from patter_nb.turns.events import UsageReported
from patter_nb.turns.usage import Service, Usage


class Meter:
    """Called with each usage and the reply it belongs to (None: to none)."""

    def __init__(
        self, prices: PriceBook, report: Callable[[UsageReported], None], spend: Callable[[Usage], None] = lambda _: None
    ) -> None:
        self._prices = prices
        self._report = report
        self._spend = spend
        self._own: dict[tuple[Service, str, str], str] = {}

    def know(self, agent: Agent) -> None:
        """Learn what the agent's providers cost by themselves. A later revision's price takes the place of an earlier one."""
        for service, provider in _providers(agent):
            if provider.price is not None:
                price_id = self._prices.register(service, provider.provider, provider.model, provider.price)
                self._own[service, provider.provider, provider.model] = price_id

    def __call__(self, usage: Usage, reply: int | None) -> None:
        """`TypeError` for what is no `Usage`: a provider brought something that its protocol does not have."""
        if not isinstance(usage, Usage):
            raise TypeError(f"it brought {type(usage).__name__}, which is no event of patter_nb.providers.base")
        # What this agent's providers were given counts, also when another agent's have the same names and another price.
        price_id = self._own.get((usage.service, usage.provider, usage.model))
        if price_id is None:
            price_id = self._prices.find(usage.service, usage.provider, usage.model)
        priced = replace(usage, price_id=price_id)
        self._report(UsageReported(priced, reply))
        self._spend(priced)


def _providers(agent: Agent) -> Iterator[tuple[Service, Any]]:
    """Each provider with its service; those that stand behind another one, such as the models of a `FallbackLLM`, too."""
    parts: tuple[tuple[Service, Any], ...] = (("stt", agent.stt), ("llm", agent.llm), ("tts", agent.tts))
    for service, provider in parts:
        if provider is not None:
            yield service, provider
            yield from ((service, member) for member in getattr(provider, "members", ()))
