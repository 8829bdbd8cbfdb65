"""How an outbound call is dialled: what the carrier is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from patter_nb.carriers.twilio.resources import Dial
from patter_nb.telephony.addresses import MACHINE, STATUS

if TYPE_CHECKING:
    from patter_nb.telephony.call import LineCall
    from patter_nb.telephony.server import PhoneServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    """`server()` gives the one that runs, started where none does."""

    server: Callable[[], Awaitable[PhoneServer]]
    ring_timeout_seconds: float
    machine_detection: bool

    async def dial(self, server: PhoneServer, line: LineCall) -> str:
        """Order the call; its id at the carrier. `CarrierError` when it is refused."""

        def hook(path: str) -> str:
            return f"{server.origin}{path}?call={line.call_id}"

        dial = Dial(
            to=line.callee,
            from_number=line.caller,
            twiml=line.twiml,
            status_url=hook(STATUS),
            amd_url=hook(MACHINE) if self.machine_detection else None,
            machine_detection=self.machine_detection,
            ring_timeout_seconds=int(self.ring_timeout_seconds),
        )
        return await server.rest.create_call(dial)
