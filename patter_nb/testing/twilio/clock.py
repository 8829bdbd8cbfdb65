"""The line's clock: the loop's time, or a multiple of it where nobody listens."""

from __future__ import annotations

import asyncio

from patter_nb.errors import ConfigError


class LineClock:
    """Seconds of the telephone line, `speed` of them in one of the loop's: a `clock.Clock`."""

    def __init__(self, speed: float = 1.0) -> None:
        if not 0 < speed <= 100:
            raise ConfigError(f"speed of the simulator is {speed!r}; it must be above 0 and at most 100 (1 is real time).")
        self.speed = speed
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        return self._loop.time() * self.speed

    async def sleep_until(self, at: float) -> None:
        left = at - self.now()
        if left <= 0:
            await asyncio.sleep(0)
        while left > 0:
            await asyncio.sleep(max(left / self.speed, 1e-6))
            left = at - self.now()

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self.now() + seconds)
