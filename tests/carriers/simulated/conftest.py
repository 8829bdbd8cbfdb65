"""An agent's side for the far end to talk to. It writes and reads its JSON by hand, so that neither of our codecs is trusted."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from patter_nb.audio import g711
from patter_nb.carriers.base import Connection
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import FarEndReport, SimulatedCaller, SpokenLine
from patter_nb.clock import CallClock, Clock, run_virtual


def _tone(seconds: float, *, hz: int = 8000, pitch: float = 440.0, amplitude: float = 8000.0) -> np.ndarray:
    """A sine that is loud from its first 10 ms to its last."""
    return (amplitude * np.cos(2 * np.pi * pitch * np.arange(round(seconds * hz)) / hz)).astype(np.int16)


@dataclass
class Agent:
    """The agent's end of a line: keeps (seconds of the stream, message) of everything received."""

    connection: Connection
    clock: Clock
    received: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    zero: float = 0.0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        while (text := await self.connection.receive()) is not None:
            message = json.loads(text)
            if message["event"] == "start":
                self.zero = self.clock.now()
            self.received.append((self.clock.now() - self.zero, message))
            self.arrived.set()

    def of(self, event: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, message) for at, message in self.received if message["event"] == event]

    @property
    def stream(self) -> str:
        return self.of("start")[0][1]["streamSid"]

    async def at(self, seconds: float) -> None:
        """Wait until this second of the stream."""
        while not self.of("start"):
            await self.arrived.wait()
            self.arrived.clear()
        await self.clock.sleep_until(self.zero + seconds)

    async def say(self, samples: np.ndarray) -> None:
        payload = base64.b64encode(g711.encode(samples)).decode()
        await self.post({"event": "media", "streamSid": self.stream, "media": {"payload": payload}})

    async def mark(self, name: str) -> None:
        await self.post({"event": "mark", "streamSid": self.stream, "mark": {"name": name}})

    async def clear(self) -> None:
        await self.post({"event": "clear", "streamSid": self.stream})

    async def post(self, message: Any) -> None:
        await self.connection.send(json.dumps(message))

    def marks(self) -> list[tuple[float, str]]:
        return [(at, message["mark"]["name"]) for at, message in self.of("mark")]


Behaviour = Callable[[Agent], Awaitable[None]]


async def _converse(caller: SimulatedCaller, behave: Behaviour | None, clock: Clock | None) -> tuple[FarEndReport, Agent]:
    near, far = connection_pair()
    agent = Agent(near, CallClock())
    reading = asyncio.create_task(agent.read())
    acting = asyncio.create_task(behave(agent)) if behave else None
    report = await caller.run(far, clock or CallClock())
    if acting:
        await acting
    await reading
    return report, agent


@pytest.fixture
def tone() -> Callable[..., np.ndarray]:
    return _tone


@pytest.fixture
def line() -> Callable[..., SpokenLine]:
    """A line of so many seconds of tone at 8 kHz: `line(1.0, wait_seconds=...)`."""

    def make(seconds: float = 1.0, **settings: Any) -> SpokenLine:
        return SpokenLine(settings.pop("text", "a tone"), _tone(seconds), 8000, **settings)

    return make


@pytest.fixture
def hold() -> Callable[..., tuple[FarEndReport, Agent]]:
    """Holds one call in virtual time: `report, agent = hold(caller, behaviour of the agent)`."""

    def run(caller: SimulatedCaller, behave: Behaviour | None = None, clock: Callable[[], Clock] | None = None) -> Any:
        async def main() -> Any:
            return await _converse(caller, behave, clock() if clock else None)

        return run_virtual(main())

    return run
