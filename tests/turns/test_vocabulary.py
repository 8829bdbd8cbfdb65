"""The whole vocabulary of events and commands, spoken once by a scripted session."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import get_args

import pytest

import patter_nb.turns
from patter_nb.turns import commands, events
from patter_nb.turns.commands import EVENT_KINDS, Command
from patter_nb.turns.ear import Stretch
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    AudioHeard,
    BargeInConfirmed,
    CallAnswered,
    CallerHungUp,
    DtmfReceived,
    DtmfRequested,
    Event,
    FinalReceived,
    GuardrailHit,
    HangUpRequested,
    InjectRequested,
    InstantRecorded,
    InterimReceived,
    KeysPlayed,
    LimitReached,
    MachineDetected,
    MuteRequested,
    ProviderReplyStarted,
    ProviderTurnEnded,
    ProviderTurnStarted,
    ReplyFailed,
    ReplyGenerated,
    ReplyStarted,
    SayRequested,
    SegmentAligned,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptionFailed,
    TransferAnswered,
    TransferFailed,
    TransferRequested,
    UsageReported,
)
from patter_nb.turns.facts import ToolRun, TurnFacts
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.script import play
from patter_nb.turns.usage import Price, Usage

SESSION = [
    (0.0, CallAnswered("Hi!")),
    (0.1, ReplyStarted(1, 1)),
    (0.1, SegmentReady(1, 0, "Hi!")),
    (0.1, ReplyGenerated(1)),
    (0.2, SegmentAligned(1, 0, ((3, 0.5),))),
    (0.2, SegmentSynthesized(1, 0, 0.5)),
    (0.3, InstantRecorded(1, "played_at", 0.3)),
    (0.8, AudioHeard(1, 0, 0.5, 0.8)),
    (1.0, SpeechStarted(1.0)),
    (1.1, SpeechContinued(1.1)),
    (1.1, InterimReceived("book")),
    (2.0, SpeechStopped(1.8)),
    (2.0, UsageReported(Usage("stt", "p", "m", 0.8))),
    (2.1, FinalReceived("book a table")),
    (2.5, ToolCalled(2, "t", "book", "{}", "One moment.")),
    (2.6, ReplyGenerated(2)),
    (4.0, ToolReturned(2, "t", "table 4")),
    (4.1, SegmentReady(2, 0, "Table four.")),
    (4.1, SegmentSynthesized(2, 0, 1.0)),
    (4.4, AudioHeard(2, 0, 0.2, 4.4)),
    (4.4, StageFailed(2, "before_llm", "it broke")),
    (4.4, GuardrailHit(2, "rail", "term", 0.0, "terms")),
    (4.4, BargeInConfirmed()),
    (4.5, MuteRequested(True)),
    (4.5, MuteRequested(False)),
    (4.5, DtmfRequested("2")),
    (4.5, KeysPlayed()),
    (4.5, DtmfReceived("1")),
    (4.5, MachineDetected("human", "human", 900.0)),
    (4.5, TransferRequested("+1555", mode="warm", summary="A guest.")),
    (4.6, TransferAnswered()),
    (4.7, TransferFailed("refused")),
    (4.9, ProviderTurnStarted(4.8)),
    (5.5, ProviderTurnEnded(5.4, "thanks")),
    (5.6, ProviderReplyStarted("resp")),
    (5.7, ReplyFailed(4, "llm", "down")),
    (5.8, TranscriptionFailed("down")),
    (5.9, InjectRequested("Be brief.")),
    (6.0, SayRequested("Still there?", interrupt=True)),
    (6.1, HangUpRequested("served")),
    (6.2, LimitReached("money")),
    (6.3, CallerHungUp()),
]


def test_every_event_is_understood_and_every_command_given():
    assert {type(event) for _, event in SESSION} == set(get_args(Event))
    assert {type(command) for _, command in play(SESSION)} == set(get_args(Command))


def test_the_session_ends_with_the_last_command():
    assert type(play(SESSION)[-1][1]).__name__ == "EndCall"


@pytest.mark.parametrize("event", [event for _, event in SESSION], ids=lambda event: type(event).__name__)
def test_any_event_may_be_the_first_one_of_a_call(event):
    engine = TurnEngine()
    engine.receive(event, 1.0)
    engine.receive(CallAnswered("Hi!"), 2.0)
    engine.receive(CallerHungUp(), 3.0)
    engine.handle_timer(4.0)
    assert engine.ended


def test_whatever_is_told_before_the_answer_the_line_is_still_ringing():
    engine = TurnEngine()
    for now, event in SESSION[8:-1]:
        engine.receive(event, now)
    assert engine.next_timer() is None


@pytest.mark.parametrize("kind", [*get_args(Event), *get_args(Command)], ids=lambda kind: kind.__name__)
def test_words_of_the_vocabulary_are_frozen_and_say_what_they_mean(kind):
    assert kind.__doc__
    assert not kind.__doc__.startswith(kind.__name__)
    assert kind.__dataclass_params__.frozen
    if names := [field.name for field in fields(kind)]:
        with pytest.raises(FrozenInstanceError):
            setattr(object.__new__(kind), names[0], None)


@pytest.mark.parametrize("kind", [Message, ToolRequest, TurnFacts, ToolRun, TurnPolicy, Usage, Price, Stretch])
def test_what_is_handed_on_can_not_be_changed(kind):
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("module", [name for _, name, _ in pkgutil.iter_modules(patter_nb.turns.__path__)])
def test_no_object_of_the_engine_takes_an_attribute_it_does_not_have(module):
    module = importlib.import_module(f"patter_nb.turns.{module}")
    for kind in vars(module).values():
        if isinstance(kind, type) and is_dataclass(kind):
            assert "__slots__" in vars(kind), kind


def test_every_event_that_is_recorded_is_documented_with_its_data():
    recorded = {}
    for path in Path(patter_nb.turns.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="record"), args=[ast.Constant(kind)]):
                    recorded[kind] = {keyword.arg for keyword in node.keywords} - {None}
                case ast.Call(func=ast.Name("RecordEvent"), args=[ast.Constant(kind), ast.Dict(keys)]):
                    recorded[kind] = {key.value for key in keys}
    assert set(recorded) == set(EVENT_KINDS)
    for kind, names in recorded.items():
        _, _, documented = EVENT_KINDS[kind].rpartition(": ")
        assert all(name in documented for name in names), kind


def test_nothing_is_left_out_of_the_vocabulary():
    for module, union in ((events, Event), (commands, Command)):
        defined = {each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__}
        assert defined == set(get_args(union))
