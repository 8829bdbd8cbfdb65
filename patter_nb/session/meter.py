"""Puts the price that is in force on every usage a provider reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from patter_nb.agent import Agent
from patter_nb.providers.base import LLM, STT, TTS
from patter_nb.records.prices import PriceBook
from patter_nb.turns.events import UsageReported
from patter_nb.turns.usage import Service, Usage


class Meter:
    """Called with each usage and the reply it belongs to (None: to none)."""

    def __init__(self, agent: Agent, prices: PriceBook, report: Callable[[UsageReported], None]) -> None:
        self._prices = prices
        self._report = report
        self._own: dict[tuple[Service, str, str], str] = {}
        parts: tuple[tuple[Service, STT | LLM | TTS], ...] = (("stt", agent.stt), ("llm", agent.llm), ("tts", agent.tts))
        for service, provider in parts:
            if provider.price is not None:
                price_id = prices.register(service, provider.provider, provider.model, provider.price)
                self._own[service, provider.provider, provider.model] = price_id

    def __call__(self, usage: Usage, reply: int | None) -> None:
        """`TypeError` for what is no `Usage`: a provider brought something that its protocol does not have."""
        if not isinstance(usage, Usage):
            raise TypeError(f"it brought {type(usage).__name__}, which is no event of patter_nb.providers.base")
        # What this agent's providers were given counts, also when another agent's have the same names and another price.
        price_id = self._own.get((usage.service, usage.provider, usage.model))
        if price_id is None:
            price_id = self._prices.find(usage.service, usage.provider, usage.model)
        self._report(UsageReported(replace(usage, price_id=price_id), reply))
