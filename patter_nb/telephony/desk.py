"""The calls of one served phone: who takes those that come in, and to which one a carrier's word belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from patter_nb.carriers.twilio import twiml
from patter_nb.carriers.twilio.control import Legs
from patter_nb.carriers.twilio.webhooks import CallStatus, IncomingCall, MachineVerdict, RecordingReady
from patter_nb.session.boundary import guard
from patter_nb.telephony.call import LineCall

MOST_CALLS = 200
"""Calls at once; one more hears that the line is busy."""
KEPT = 1_000
"""Calls that are over and of which the carrier may still tell something: their price, their recording."""

Take = Callable[[IncomingCall], LineCall]
"""Makes a call of one that comes in, and begins it."""


class Listener(Protocol):
    """Who is told what comes after a call."""

    def over(self, line: LineCall) -> None:
        """The carrier says that it is over."""

    def recorded(self, line: LineCall, recording: RecordingReady) -> None:
        """The carrier's recording can be fetched."""


class CallDesk:
    """`failed` is told in one sentence of a call that could not be taken."""

    def __init__(self, listener: Listener, failed: Callable[[str], None]) -> None:
        self.take: Take | None = None
        """None: calls that come in hear that the line is busy."""
        self.legs = Legs()
        """The other legs of warm transfers."""
        self._listener = listener
        self._failed = failed
        self._lines: dict[str, LineCall] = {}

    @property
    def open_lines(self) -> list[LineCall]:
        """The calls that are on, or about to be."""
        return [line for line in self._lines.values() if line.is_on]

    def add(self, line: LineCall) -> None:
        """Expect what the carrier says of this call."""
        self._lines[line.call_id] = line
        over = [each.call_id for each in self._lines.values() if not each.is_on]
        for call_id in over[: max(0, len(over) - KEPT)]:
            del self._lines[call_id]

    # What the carrier says.

    async def incoming(self, call: IncomingCall) -> str:
        known = self._of(call.call_sid)
        if known is not None:  # the carrier asks again, when our answer was lost
            return twiml.hang_up() if known.is_spent else known.twiml
        if self.take is None or len(self.open_lines) >= MOST_CALLS:
            return twiml.reject("busy")
        with guard(self._failed, who="A call that came in"):
            line = self.take(call)
            self.add(line)
            return line.twiml
        return twiml.reject("busy")

    def status(self, call_id: str, status: CallStatus) -> None:
        line = self._find(call_id, status.call_sid)
        if line is not None:
            was_over = line.over.is_set()
            line.told(status)
            if line.over.is_set() and not was_over:
                self._listener.over(line)

    def machine(self, call_id: str, verdict: MachineVerdict) -> None:
        line = self._find(call_id, verdict.call_sid)
        if line is not None:
            line.machine(verdict)

    def recorded(self, call_id: str, recording: RecordingReady) -> None:
        line = self._find(call_id, recording.call_sid)
        if line is not None:
            self._listener.recorded(line, recording)

    async def leg(self, call_id: str, status: CallStatus) -> None:
        if call_id in self._lines:
            await self.legs.tell(status)

    def waiting(self, call_id: str) -> LineCall | None:
        return self._lines.get(call_id)

    def _of(self, carrier_call_id: str) -> LineCall | None:
        return next((line for line in self._lines.values() if line.carrier_call_id == carrier_call_id), None)

    def _find(self, call_id: str, carrier_call_id: str) -> LineCall | None:
        """The call that is meant. A webhook of an outbound call may come before we are told the carrier's id of it."""
        line = self._lines.get(call_id) if call_id else self._of(carrier_call_id)
        return line if line is not None and line.carrier_call_id in ("", carrier_call_id) else None
