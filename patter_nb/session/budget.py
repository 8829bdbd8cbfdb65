"""What a call may cost: what its providers reported, and its line by the clock, against the agent's limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from patter_nb.clock import Clock
from patter_nb.records.line_usage import line_usage, usage_beside
from patter_nb.records.price_list import MEDIA_STREAM
from patter_nb.records.prices import PriceBook
from patter_nb.turns.events import LimitReached
from patter_nb.turns.usage import Usage

LINE_SECONDS = 60.0
"""How often the line is looked at: carriers bill by the minute, so no limit is crossed in between."""


class Budget:
    """The money of one call. `reached` is told once, when the limit is crossed; `event` of what the limit cannot see."""

    def __init__(
        self,
        prices: PriceBook,
        limit_usd: float,
        *,
        carrier: str,
        direction: str,
        number: str,
        reached: Callable[[LimitReached], None],
        event: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self._prices = prices
        self._limit = limit_usd
        self._line = carrier, direction, number
        self._reached = reached
        self._event = event
        self._providers_usd = self._line_usd = 0.0
        self._unseen: set[str] = set()
        self._over = False

    def govern(self, limit_usd: float) -> None:
        """The limit from now on, which may be crossed already."""
        self._limit = limit_usd
        self._look()

    def spend(self, usage: Usage) -> None:
        """A provider reported this."""
        self._providers_usd += self._known(usage)
        self._look()

    async def watch(self, clock: Clock) -> None:
        """Count the line's minutes from the answer on, each when it begins. Returns when there is nothing to count."""
        began, minute = clock.now(), 1
        while self._look_at_line(minute * LINE_SECONDS) and not self._over:
            await clock.sleep_until(began + minute * LINE_SECONDS)
            minute += 1

    def _look_at_line(self, seconds: float) -> bool:
        """Whether it costs anything, as far as that is known."""
        carrier, direction, number = self._line
        minutes = line_usage(direction, seconds, number, prices=self._prices, carrier=carrier)
        stream = usage_beside(MEDIA_STREAM, seconds, prices=self._prices, carrier=carrier)
        self._line_usd = math.fsum(map(self._known, (minutes, stream)))
        self._look()
        return self._line_usd > 0

    def _known(self, usage: Usage) -> float:
        """What it costs; nothing where that is not known, which is told once."""
        usd = self._prices.usd(usage)
        if not math.isnan(usd):
            return usd
        what = " ".join(part for part in (usage.service, usage.provider, usage.model) if part)
        if what not in self._unseen:
            self._unseen.add(what)
            self._event("cost_not_seen", {"what": what, "limit_usd": self._limit})
        return 0.0

    def _look(self) -> None:
        if not self._over and self._providers_usd + self._line_usd >= self._limit:
            self._over = True
            self._reached(LimitReached(f"the call cost {self._limit:g} USD, its limit"))
