# ruff: noqa: ARG002
"""The simulated carrier, as its user sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from patter_nb.testing.twilio.callee import Callee

if TYPE_CHECKING:
    from patter_nb.tunnels.base import Tunnel


class TwilioSimulator:
    """A Twilio account with `numbers` on this machine. Use it with `async with`, or between `start()` and `close()`."""

    def __init__(
        self,
        numbers: Sequence[str] = ("+15550001234",),
        *,
        hostname: str = "rehearsal.example.com",
        callee: Callee | None = None,
        trial: bool = False,
        verified: Sequence[str] = (),
        speed: float = 1.0,
        synthetic: bool = False,
        price_per_minute_usd: float = 0.014,
        price_after_seconds: float = 0.5,
    ) -> None:
        self.number = numbers[0]
        self.callee = callee or Callee()
        self.callees: dict[str, Callee] = {}

    @property
    def carrier(self) -> Any:
        """A `Twilio` with this account's made-up credentials, pointed at this machine."""
        raise NotImplementedError

    @property
    def tunnel(self) -> Tunnel:
        """A tunnel whose public host name reaches this machine, for this simulator alone."""
        raise NotImplementedError

    async def call(
        self, caller: Any = (), *, from_number: str = "+15557654321", to_number: str = "", url: str = "", **manners: Any
    ) -> Any:
        """Call a number of the account. The line comes back at once; `await line.ended()` waits for its end."""
        raise NotImplementedError

    async def until(self, what: Callable[[TwilioSimulator], Any], *, seconds: float = 10.0) -> Any:
        """Wait until `what(simulator)` is true and return it; `TimeoutError` after `seconds`."""
        raise NotImplementedError
