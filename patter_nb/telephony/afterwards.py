"""What comes when a call is over: the carrier's price for it, and the carrier's recording."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from patter_nb.carriers.twilio.rest import TwilioRest
from patter_nb.carriers.twilio.webhooks import RecordingReady
from patter_nb.errors import CarrierError
from patter_nb.session.boundary import guarded
from patter_nb.telephony.call import OUTCOMES, LineCall

PRICE_AFTER_SECONDS = (2.0, 10.0, 30.0, 120.0, 600.0)
"""When the price is asked for: Twilio sets it some time after the call, mostly within a minute."""
CLOSING_SECONDS = 3.0
"""How long the end of the server waits for the last answers."""


class Afterwards:
    """Work that outlasts its call, and ends with the server."""

    def __init__(self, rest: TwilioRest, price_after_seconds: tuple[float, ...] = PRICE_AFTER_SECONDS) -> None:
        self._rest = rest
        self._price_after = price_after_seconds
        self._work: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def over(self, line: LineCall) -> None:
        """Ask for what the carrier charged; for a call that nobody answered that is nothing. Once, however often it is told."""
        if line.carrier_call_id and line.status not in OUTCOMES and not line.asked_price:
            line.asked_price = True
            self._spawn(line, self._price(line))

    def recorded(self, line: LineCall, recording: RecordingReady) -> None:
        """Fetch the carrier's recording."""
        if recording.status == "completed" and recording.recording_sid not in line.recordings:  # it may be told twice
            line.recordings.add(recording.recording_sid)
            self._spawn(line, self._fetch(line, recording))
        elif recording.status in ("failed", "absent"):
            line.event("carrier_error", {"error": f"The carrier's recording is {recording.status}."})

    async def done(self, call_id: str) -> None:
        """Wait until what comes after this call is there."""
        if work := [task for task in self._work if task.get_name().endswith(call_id)]:
            await asyncio.wait(work)

    async def close(self) -> None:
        """Ask a last time for what is not known yet, and give up what is not done then."""
        self._closing.set()
        if self._work:
            await asyncio.wait(self._work, timeout=CLOSING_SECONDS)
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)

    def _spawn(self, line: LineCall, work: Coroutine[Any, Any, None]) -> None:
        def failed(error: str) -> None:
            line.event("carrier_error", {"error": error})

        task = asyncio.create_task(guarded(work, failed, who="the carrier"), name=f"after call {line.call_id}")
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _price(self, line: LineCall) -> None:
        refused: CarrierError | None = None
        for seconds in self._price_after:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)
            try:
                found = await self._rest.fetch_call(line.carrier_call_id)
            except CarrierError as error:  # it may be there when it is asked again
                refused = error
            else:
                refused = None
                if found.price_usd is not None:
                    line.event("carrier_price", {"usd": found.price_usd})
                    return
            if self._closing.is_set():
                return  # also where it could not be asked: whoever stops a server is told of nothing new
        if refused is not None:
            raise refused

    async def _fetch(self, line: LineCall, recording: RecordingReady) -> None:
        audio = await self._rest.recording_audio(recording.recording_sid)
        path = await asyncio.to_thread(line.terms.keep, line.call_id, audio)
        kept = {"path": str(path)} if path is not None else {"bytes": len(audio)}
        line.event("carrier_recording", {**kept, "seconds": recording.seconds, "recording_sid": recording.recording_sid})
