"""A test call with a person: somebody talks to the agent on a softphone."""

from __future__ import annotations

from typing import Any

from patter_nb.audio.vad import VoiceModel
from patter_nb.call import Call
from patter_nb.live import Live
from patter_nb.records.log import CallLog
from patter_nb.session.session import Session
from patter_nb.session.setup import CallTerms
from patter_nb.softphone.line import Line
from patter_nb.softphone.softphone import Softphone
from patter_nb.spoken import TEST_CALLEE, TEST_CALLER, SpokenCall, aside


class SoftphoneTest(SpokenCall):
    """One call as it was ordered. It begins with the first ring, and what it needs is made ready while it rings."""

    source = "microphone"
    carrier = "softphone"

    def __init__(self, log: CallLog, live: Live, softphone: Softphone, **shared: Any) -> None:
        super().__init__(log, live, **shared)
        self._softphone = softphone
        self._line = softphone.ring(live.call_id, self._agent.name)

    async def hold(self, call: Call) -> None:
        """Ring, and hold the call when somebody talks."""
        line = self._line.ends_with(call.stop)
        call.when_over(lambda: self._softphone.over(line, call.error or call.end_reason))
        try:
            terms = await self._begin(call)
            ear = await self._ear(call.id)
            others = await self._prepare_greeting(call.id)
            if not await line.picked_up(self._softphone.pick_up_seconds):
                call.stop(f"not picked up within {self._softphone.pick_up_seconds:g} s")
                return
            async with aside(self._prepare(call.id, *others)), aside(line.watch()):
                await self._talk(call, terms, ear, line)
        finally:
            await line.close()

    async def _talk(self, call: Call, terms: CallTerms, ear: VoiceModel, line: Line) -> None:
        session = Session(self._setup(call, terms, ear, line))

        async def begin() -> None:
            if self._agent.prewarm:
                await session.ready()
            line.open({"caller": TEST_CALLER, "callee": TEST_CALLEE})

        call.attach(session)
        async with aside(begin()):
            await session.run()
