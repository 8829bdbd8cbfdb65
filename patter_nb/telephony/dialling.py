"""How an outbound call is dialled: what the carrier is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from patter_nb.carriers.twilio.resources import Dial
from patter_nb.telephony.addresses import MACHINE, STATUS, webhook

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
        dial = Dial(
            to=line.callee,
            from_number=line.caller,
            twiml=line.twiml,
            status_url=webhook(server.origin, STATUS, line.call_id),
            amd_url=webhook(server.origin, MACHINE, line.call_id) if self.machine_detection else None,
            machine_detection=self.machine_detection,
            ring_timeout_seconds=int(self.ring_timeout_seconds),
        )
        return await server.rest.create_call(dial)
