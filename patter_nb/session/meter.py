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
        parts: tuple[tuple[Service, STT | LLM | TTS], ...] = (("stt", agent.stt), ("llm", agent.llm), ("tts", agent.tts))
        for service, provider in parts:
            if provider.price is not None:
                prices.register(service, provider.provider, provider.model, provider.price)

    def __call__(self, usage: Usage, reply: int | None) -> None:
        price_id = self._prices.find(usage.service, usage.provider, usage.model)
        self._report(UsageReported(replace(usage, price_id=price_id), reply))
