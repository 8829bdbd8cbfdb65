"""What all calls of the simulated account share: its numbers, its clock, its loop, and the book of what happened."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from patter_nb.testing.twilio.bridge import Conference
from patter_nb.testing.twilio.callee import Callee
from patter_nb.testing.twilio.clock import LineClock
from patter_nb.testing.twilio.forms import Forms
from patter_nb.testing.twilio.line import SimulatedLine
from patter_nb.testing.twilio.posts import Posted, Posts
from patter_nb.testing.twilio.recorder import CallRecording
from patter_nb.testing.twilio.resources import E164

if TYPE_CHECKING:
    from patter_nb.testing.twilio.simulator import TwilioSimulator


def new_sid(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex}"


@dataclass
class OwnedNumber:
    """A number of the account, and where its calls go."""

    number: str
    sid: str = field(default_factory=lambda: new_sid("PN"))
    voice_url: str = ""
    voice_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    friendly_name: str = ""


class Exchange:
    """The switching centre of one account, on its own loop."""

    def __init__(self, simulator: TwilioSimulator, clock: LineClock) -> None:
        self._simulator = simulator
        self.loop = asyncio.get_running_loop()
        self.clock = clock
        self.account_sid = simulator.account_sid
        self.synthetic = simulator.synthetic
        self.forms = Forms(simulator.account_sid)
        self.posts = Posts(lambda: simulator.auth_token, self._keep)
        self.conferences: dict[str, Conference] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def callee_for(self, number: str) -> Callee:
        return self._simulator.callees.get(number, self._simulator.callee)

    def dial_fault(self, number: str, caller_id: str, parties: set[str]) -> tuple[int, str] | None:
        """Why a call may not dial `number` as `caller_id`, as Twilio numbers it. The numbers of its own call may be shown."""
        sim = self._simulator
        if caller_id not in {*sim.numbers, *sim.verified, *parties}:
            return 13214, "the callerId of <Dial> is neither a number of the account nor verified"
        if not E164.fullmatch(number):
            return 13223, "the number of <Dial> is not valid"
        if number.startswith(tuple(sim.blocked)):
            return 13227, "the account has no permission to dial numbers of this region"
        return None

    def changed(self) -> None:
        """Something happened that somebody may wait for."""
        self._simulator.changed()

    def task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def add(self, line: SimulatedLine) -> SimulatedLine:
        self._simulator.lines[line.sid] = line
        self.changed()
        return line

    def hold(self, line: SimulatedLine, work: Coroutine[Any, Any, None]) -> SimulatedLine:
        """Hold a call in a task of its own."""
        self.add(line)
        self.task(work).add_done_callback(line.over)
        return line

    def charge(self, line: SimulatedLine) -> None:
        """The price appears some time after the end."""
        if line.answered_at is None:
            return
        minutes = ceil(line.duration_seconds / 60)
        self.loop.call_later(self._simulator.price_after_seconds / self.clock.speed, self._charge, line, minutes)

    def _charge(self, line: SimulatedLine, minutes: int) -> None:
        line.price_usd = round(minutes * self._simulator.price_per_minute_usd, 5)
        self.changed()

    def recordings(self) -> Iterable[CallRecording]:
        return (recording for line in tuple(self._simulator.lines.values()) for recording in line.recordings)

    async def close(self) -> None:
        """End every call, then what still runs."""
        for line in tuple(self._simulator.lines.values()):
            line.leave()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=2.0)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))
        await self.posts.close()

    def _keep(self, posted: Posted) -> None:
        self._simulator.webhooks.append(posted)
        self.changed()

