"""What Twilio does with one call beside carrying its audio: transfers, and its end; `carriers.base.CallLine` says what holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from patter_nb.carriers.twilio import twiml
from patter_nb.carriers.twilio.finish import to_its_end
from patter_nb.carriers.twilio.numbers import e164, masked
from patter_nb.carriers.twilio.resources import CallResource, Dial
from patter_nb.carriers.twilio.webhooks import CallStatus
from patter_nb.errors import CarrierError

RING_SECONDS = 25
GRACE_SECONDS = 15.0
"""Twilio may ring some seconds longer, and its webhook takes its time."""
LET_GO_SECONDS = 10.0
"""For ending a call that nobody needs any more; a webhook waits for it."""
MOST_LEGS = 1000

_ANSWERED = "in-progress"
_REASONS = {
    "busy": "the line is busy",
    "no-answer": "nobody answers",
    "canceled": "the call was withdrawn",
    "completed": "they hung up at once",
}


class Rest(Protocol):
    """As much of `TwilioRest` as a line needs."""

    async def create_call(self, dial: Dial) -> str: ...

    async def update_call(self, call_sid: str, *, twiml: str | None = None, status: str | None = None) -> CallResource: ...

    async def end_call(self, call_sid: str) -> None: ...


@dataclass(slots=True)
class _Leg:
    answered: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    ended: bool = False
    when_ended: Callable[[], Awaitable[None]] | None = None


class Legs:
    """Calls to those whom a caller is handed to, by their SIDs: whoever receives their status webhooks tells it here.

    A webhook may be faster than the answer to the request that placed the call, so what is told early is kept.
    """

    def __init__(self) -> None:
        self._legs: dict[str, _Leg] = {}

    def expect(self, sid: str) -> asyncio.Future[None]:
        """Done when somebody answers; fails with `CarrierError` when nobody does."""
        return self._leg(sid).answered

    async def tell(self, status: CallStatus) -> None:
        """What a status webhook of a leg says."""
        if status.status == _ANSWERED:
            self.answered(status.call_sid)
        elif status.ended:
            await self.ended(status.call_sid, status.status, status.error)

    def answered(self, sid: str) -> None:
        """Somebody took the call."""
        answered = self._leg(sid).answered
        if not answered.done():
            answered.set_result(None)

    async def ended(self, sid: str, status: str, error: str = "") -> None:
        """The call is over, answered or not."""
        leg = self._leg(sid)
        leg.ended = True
        if not leg.answered.done():
            leg.answered.set_exception(CarrierError(_not_answered(status, error)))
            leg.answered.exception()  # it may have been told early, or after everybody left: then nobody fetches it
        if leg.when_ended is not None:
            action, leg.when_ended = leg.when_ended, None
            await action()

    async def when_ended(self, sid: str, action: Callable[[], Awaitable[None]]) -> None:
        """Await `action` when the leg is over, at once when it is already."""
        leg = self._leg(sid)
        leg.when_ended = action
        if leg.ended:
            await self.ended(sid, "completed")

    def _leg(self, sid: str) -> _Leg:
        if sid not in self._legs:
            while len(self._legs) >= MOST_LEGS:
                del self._legs[next(iter(self._legs))]
            self._legs[sid] = _Leg()
        return self._legs[sid]


def _not_answered(status: str, error: str) -> str:
    failed = f"the call failed ({error})" if error else "the call failed"
    return f"The transfer was not made: {_REASONS.get(status, failed)}."


class TwilioLine:
    """One call at Twilio. `status_url` is told what becomes of the leg of a warm transfer, which `legs` must then hear of.

    `number` is the one that a warm transfer calls from. After a cold transfer they see the caller's own number, or `caller_id`:
    for a call that we placed, that is our number, since no other may be shown.
    """

    def __init__(
        self,
        rest: Rest,
        call_sid: str,
        *,
        number: str,
        legs: Legs,
        status_url: str,
        caller_id: str = "",
        language: str = "en-US",
        ring_timeout_seconds: int = RING_SECONDS,
    ) -> None:
        self._rest = rest
        self._call_sid = call_sid
        self._number = number
        self._legs = legs
        self._status_url = status_url
        self._caller_id = caller_id
        self._language = language
        self._ring_timeout_seconds = ring_timeout_seconds

    def __repr__(self) -> str:
        return f"TwilioLine({self._call_sid!r}, number={masked(self._number)!r})"

    async def transfer(self, number: str) -> None:
        """Hand the call to `number`: Twilio takes it out of the media stream and dials."""
        await self._rest.update_call(self._call_sid, twiml=twiml.dial(number, caller_id=self._caller_id))

    async def warm_transfer(self, number: str, summary: str, answered: Callable[[], Awaitable[None]]) -> None:
        """Call `number`, tell whoever answers the summary, and join the two in a conference that ends when either leaves."""
        room = f"transfer-{uuid4().hex}"  # Twilio keeps the name: it must tell nothing of anybody
        dial = Dial(
            to=e164(number),
            from_number=self._number,
            twiml=twiml.say_then_join(summary, room, self._language),
            status_url=self._status_url,
            ring_timeout_seconds=self._ring_timeout_seconds,
            machine_detection=False,
        )
        leg = await self._rest.create_call(dial)
        ours = True
        try:
            await self._somebody(leg)
            await answered()
            ours = False
            # The media stream ends when Twilio takes the caller away, so whoever awaits this may be cancelled before it is told.
            await to_its_end(self._hand_over(leg, room))
        finally:
            if ours:  # refused, or the caller hung up meanwhile
                await self._let_go(leg)

    async def _hand_over(self, leg: str, room: str) -> None:
        """Put the caller into the room where the leg is, or soon will be."""
        try:
            await self._rest.update_call(self._call_sid, twiml=twiml.join_conference(room, starts=True, ends=True))
        except CarrierError:
            await self._let_go(leg)
            raise
        await self._legs.when_ended(leg, self._left_alone)

    async def hang_up(self) -> None:
        """End the call: one that rings is withdrawn, one that was answered is completed."""
        await self._rest.end_call(self._call_sid)

    async def _somebody(self, leg: str) -> None:
        """Until somebody answers the leg."""
        answered = self._legs.expect(leg)
        seconds = self._ring_timeout_seconds + GRACE_SECONDS
        await asyncio.wait((answered,), timeout=seconds)
        if not answered.done():
            raise CarrierError(f"The transfer was not made: nobody answers within {seconds:g} s.")
        answered.result()

    async def _left_alone(self) -> None:
        """The leg is over. Did they leave while the summary was read, the caller would hear music and wait for nobody."""
        await self._let_go(self._call_sid)

    async def _let_go(self, call_sid: str) -> None:
        """End a call that nobody needs any more; what Twilio says of it helps nobody either."""
        with contextlib.suppress(CarrierError, TimeoutError):
            async with asyncio.timeout(LET_GO_SECONDS):
                await self._rest.end_call(call_sid)

