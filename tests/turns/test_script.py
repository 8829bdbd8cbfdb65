"""Calls on paper."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import FinalizeTranscript, StartReply
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import CallAnswered, FinalReceived, SpeechStarted, SpeechStopped
from patter_nb.turns.messages import Message
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.script import let_time_pass, play, play_on

SCRIPT = [(0.0, CallAnswered()), (0.1, SpeechStarted(0.0)), (1.0, SpeechStopped(1.0)), (1.2, FinalReceived("hi"))]
ANSWER = StartReply(1, 1, "answer", (Message("user", "hi"),))


def test_a_call_is_a_list_of_what_happened_and_of_what_was_done():
    assert play(SCRIPT) == [(1.0, FinalizeTranscript()), (1.32, ANSWER)]


def test_time_goes_on_after_the_last_event_for_as_long_as_is_said():
    assert play(SCRIPT, seconds_after=0.1) == [(1.0, FinalizeTranscript())]


def test_another_policy_gives_another_call():
    assert play(SCRIPT, TurnPolicy(hangover_seconds=0.5))[-1] == (1.5, ANSWER)


def test_a_timer_due_at_an_event_fires_before_it():
    (_, early), (at, order) = play([*SCRIPT, (1.32, SpeechStarted(1.32))], seconds_after=0.0)
    assert (early, at, order) == (FinalizeTranscript(), 1.32, ANSWER)


def test_an_engine_can_be_looked_at_between_and_afterwards():
    engine = TurnEngine()
    assert play_on(engine, SCRIPT) == [(1.0, FinalizeTranscript())]
    assert engine.state == "listening"
    assert let_time_pass(engine, 2.0) == [(1.32, ANSWER)]
    assert engine.state == "answering"


def test_a_script_ascends():
    with pytest.raises(ValueError, match=r"SpeechStarted.*stands at 0.1 s, after one at 1.2 s; a script ascends"):
        play([SCRIPT[3], SCRIPT[1]])
