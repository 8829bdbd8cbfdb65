"""A call on paper, and the simulated world."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from patter_nb.turns.commands import Command, RecordEvent, RecordTurn, StartReply
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    Event,
    FinalReceived,
    ReplyGenerated,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
)
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.script import let_time_pass


class Talk:
    """A call written down line by line. Each method lets time pass to its instant and returns what was commanded on the way."""

    def __init__(self, greeting: str = "", **policy: Any) -> None:
        self.engine = TurnEngine(TurnPolicy(**policy))
        self.log: list[tuple[float, Command]] = []
        self.now = 0.0
        self.tell(0.0, CallAnswered(greeting))

    def tell(self, at: float, *events: Event) -> list[Command]:
        assert at >= self.now, f"the script goes back from {self.now} to {at}"
        before = len(self.log)
        self.wait(at)
        for event in events:
            self.log += [(at, command) for command in self.engine.receive(event, at)]
        return [command for _, command in self.log[before:]]

    def wait(self, until: float) -> list[Command]:
        passed = let_time_pass(self.engine, until)
        self.log += passed
        self.now = until
        return [command for _, command in passed]

    def voice(self, start: float, end: float) -> list[Command]:
        """Voice noticed with its first window of 32 ms, reported on every 100 ms and 200 ms after it ended."""
        commands = self.tell(start + 0.032, SpeechStarted(start))
        at = start + 0.1
        while at < end:
            commands += self.tell(at, SpeechContinued(at))
            at += 0.1
        return commands + self.tell(end + 0.2, SpeechStopped(end))

    def final(self, at: float, text: str, started_at: float | None = None, ended_at: float | None = None) -> list[Command]:
        return self.tell(at, FinalReceived(text, started_at, ended_at))

    def caller(self, start: float, end: float, text: str) -> list[Command]:
        """Voice, and its transcript 50 ms after it was asked for; by default the answer is due 320 ms after `end`."""
        return self.voice(start, end) + self.final(end + 0.25, text) + self.wait(end + 0.321)

    def made(self, at: float, reply: int, *segments: str, seconds: float = 2.0) -> list[Command]:
        """A reply generated and synthesised all at once."""
        events: list[Event] = [SegmentReady(reply, index, text) for index, text in enumerate(segments)]
        events += [SegmentSynthesized(reply, index, seconds) for index in range(len(segments))]
        return self.tell(at, *events, ReplyGenerated(reply))

    def heard(self, at: float, reply: int, seconds: float, segment: int = 0) -> list[Command]:
        return self.tell(at, AudioHeard(reply, segment, seconds, at))

    @property
    def commands(self) -> list[Command]:
        return [command for _, command in self.log]

    @property
    def rows(self) -> list[TurnFacts]:
        return [command.facts for command in self.commands if isinstance(command, RecordTurn)]

    @property
    def replies(self) -> list[StartReply]:
        return [command for command in self.commands if isinstance(command, StartReply)]

    def events(self, kind: str) -> list[dict[str, object]]:
        return [dict(command.data) for command in self.commands if isinstance(command, RecordEvent) and command.kind == kind]

    def conversation(self) -> list[tuple[str, str]]:
        return [(message.role, message.content) for message in self.engine.messages]


@pytest.fixture
def talk() -> type[Talk]:
    return Talk


def _beside(name: str) -> ModuleType:
    """A helper module of this folder, imported by its path as the tests are."""
    full = f"tests_of_turns_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


@pytest.fixture
def world() -> ModuleType:
    for part in ("agent_side", "caller_side"):
        _beside(part)
    return _beside("world")


@pytest.fixture
def mutate() -> ModuleType:
    return _beside("mutate")
