"""A simulated Twilio account and a phone on its number, whose agents are scripted: real sockets, real time, no model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.testing import Callee, TwilioSimulator

FRIEND, DESK = "+15557654321", "+15557650001"
CALL_SECONDS = 40.0
AUDIBLE = 32768 * 10 ** (-50 / 20)


@dataclass
class Stage:
    simulator: TwilioSimulator
    phone: Patter

    def agent(self, **settings: Any) -> Any:
        given = {"stt": ScriptedSTT(["one", "two", "three"]), "llm": ScriptedLLM(["First."] * 9), "tts": ScriptedTTS()}
        return self.phone.agent("A test.", **{**given, "first_message": "Hi.", **settings})

    async def serve(self, agent: Any = None, **settings: Any) -> Any:
        given = {"port": 0, "manage_webhook": True, "block": False, **settings}
        return await self.phone.serve(agent or self.agent(), **given)

    async def incoming(self, caller: Any = ("Hello.",), *, agent: Any = None, **manners: Any) -> tuple[Any, Any]:
        """A call that came in, and is on: its line and its call."""
        if self.phone._server is None:
            await self.serve(agent)
        line = await self.simulator.call(list(caller), **manners)
        await self.simulator.until(lambda _: self.call_of(line))
        return line, self.call_of(line)

    def call_of(self, line: Any) -> Any:
        return next((call for call in self.phone._calls if call.carrier_call_id == line.sid), None)

    async def placed(self, callee: Callee | None = None, *, agent: Any = None, **order: Any) -> tuple[Any, Any]:
        """A call that was dialled: its line and its call."""
        if callee is not None:
            self.simulator.callee = callee
        if self.phone._server is None:
            await self.serve(agent)
        call = await self.phone.call(FRIEND, **order)
        return self.simulator.lines[call.carrier_call_id], call

    async def over(self, line: Any, call: Any) -> Any:
        """The call's row, when both ends are over."""
        await call.ended(CALL_SECONDS)
        await asyncio.wait_for(line.ended(), CALL_SECONDS)
        assert [warning.text for warning in line.warnings] == []
        return self.row(call)

    def row(self, call: Any) -> Any:
        return self.phone.calls.set_index("call_id").loc[call.id]

    def line_to(self, number: str) -> Any:
        return next((line for line in self.simulator.lines.values() if line.to_number == number), None)

    async def until(self, what: Callable[[], Any]) -> Any:
        return await self.simulator.until(lambda _: what(), seconds=CALL_SECONDS)


async def happened(call: Any, kind: str, times: int = 1) -> None:
    """Wait until this has happened in a call that is on."""
    async with asyncio.timeout(CALL_SECONDS):
        async for event in call.stream():
            times -= event.kind == kind
            if not times:
                return
    raise AssertionError(f"the call ended without {kind}")


def texts(call: Any) -> list[str]:
    return [said["text"] for said in call.transcript]


def data(call: Any, kind: str) -> list[dict[str, Any]]:
    events = call.events
    return list(events[events.kind == kind]["data"])


def marks_came_back_in_order(line: Any) -> bool:
    """Ours are numbered as they are sent."""
    numbers = [int(mark.name.rsplit(".", 1)[1]) for report in line.reports for mark in report.marks]
    return numbers == list(range(1, len(numbers) + 1)) and bool(numbers)


def audible_seconds(samples: Any) -> float:
    """How much of a sound of 8 kHz is audible, in pieces of 10 ms."""
    blocks = samples[: len(samples) // 80 * 80].reshape(-1, 80).astype(float)
    return float(np.count_nonzero(np.sqrt(np.mean(np.square(blocks), axis=1)) >= AUDIBLE)) / 100


@contextlib.asynccontextmanager
async def staged(**settings: Any) -> AsyncIterator[Stage]:
    """`settings`: the phone's, beside its line."""
    async with TwilioSimulator(synthetic=True) as simulator:
        line = {"carrier": simulator.carrier, "phone_number": simulator.number, "tunnel": simulator.tunnel}
        phone = Patter(**{"store": False, "show": False, **line, **settings})
        try:
            yield Stage(simulator, phone)
        finally:
            await phone.disconnect()
