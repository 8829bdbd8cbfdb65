"""Interruptions: how long a voice over the agent must last, and what becomes of the turn it interrupts."""

from __future__ import annotations

import pytest

from patter_nb.turns.barge_in import Voice, meaning
from patter_nb.turns.commands import CancelReply, ClearAudio, RecordEvent, RecordTurn, StartReply
from patter_nb.turns.events import (
    AudioHeard,
    CallerHungUp,
    InstantRecorded,
    SayRequested,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
)
from patter_nb.turns.messages import Message
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.reply import Reply
from patter_nb.turns.turn import Turn

TEXT = "Dinner is served from six to ten."


def speaking(call, seconds=4.0):
    """Reply 1 is heard from 3.0 s on, marked at 3.4 s, and goes on until 7.0 s."""
    call.caller(1.0, 2.0, "when")
    call.made(2.8, 1, TEXT, seconds=seconds)
    call.heard(3.4, 1, 0.4)
    return call


def test_voice_of_the_threshold_interrupts(talk):
    call = speaking(talk())
    assert call.tell(4.03, SpeechStarted(4.0), SpeechContinued(4.2)) == []
    call.heard(4.2, 1, 1.2)
    assert call.tell(4.29, SpeechContinued(4.29)) == []
    assert call.tell(4.32, SpeechContinued(4.3)) == [
        CancelReply(1, 1.2),
        ClearAudio(),
        RecordEvent("barge_in", {"turn": 1, "reply": 1, "started_at": 4.0, "heard_seconds": 1.2}),
    ]
    assert call.engine.state == "listening"


def test_the_row_of_an_interrupted_turn_has_what_was_heard_and_when(talk):
    call = speaking(talk())
    call.heard(4.2, 1, 1.2)
    call.tell(4.33, SpeechStarted(4.0), SpeechContinued(4.3))
    assert call.rows == [], "it waits for the instant of the clear"
    call.tell(4.34, InstantRecorded(1, "cleared_at", 4.335))
    (row,) = call.rows
    assert (row.interrupted, row.heard_text, row.agent_text, row.heard_estimated) == (True, "Dinner is", TEXT, True)
    instants = row.instants
    assert (instants["barge_in_started_at"], instants["barge_in_at"], instants["cleared_at"]) == (4.0, 4.33, 4.335)
    assert "finished_at" not in instants


def test_the_words_spoken_while_interrupting_are_the_next_turn(talk):
    call = speaking(talk())
    call.tell(4.33, SpeechStarted(4.0), SpeechContinued(4.3))
    call.tell(5.2, SpeechStopped(5.0))
    call.final(5.25, "and lunch?")
    commands = call.wait(5.4)
    assert isinstance(commands[0], RecordTurn), "the row of the interrupted turn stands before the next answer"
    assert commands[1] == StartReply(2, 2, "answer", (Message("user", "when"), Message("user", "and lunch?")))
    call.tell(6.0, CallerHungUp())
    assert call.rows[1].instants["speech_started_at"] == 4.0
    assert "cleared_at" not in call.rows[0].instants


def test_nothing_of_a_cleared_reply_is_heard_any_more(talk):
    call = speaking(talk())
    call.tell(4.33, SpeechStarted(4.0), SpeechContinued(4.3))
    call.tell(4.4, AudioHeard(1, 0, 4.0, 4.4), InstantRecorded(1, "finished_at", 4.4))
    call.tell(4.5, InstantRecorded(1, "cleared_at", 4.4))
    assert call.rows[0].heard_text == ""
    assert "finished_at" not in call.rows[0].instants
    assert ("assistant", TEXT) not in call.conversation()


def test_the_row_waits_for_both_its_clear_and_its_overlap(talk):
    call = speaking(talk())
    call.tell(4.6, SpeechStarted(4.5))
    call.tell(4.8, SpeechStopped(4.6))
    call.tell(5.33, SpeechStarted(5.0), SpeechContinued(5.3))
    call.tell(5.4, InstantRecorded(1, "cleared_at", 5.35), InstantRecorded(1, "cleared_at", 5.39))
    assert call.rows == []
    call.final(5.5, "mhm")
    assert (call.rows[0].overlap_text, call.rows[0].instants["cleared_at"]) == ("mhm", 5.35)


def test_a_row_that_waits_for_its_clear_waits_no_longer_than_the_final_timeout(talk):
    call = speaking(talk(final_timeout_seconds=1.0))
    call.tell(4.33, SpeechStarted(4.0), SpeechContinued(4.3))
    call.wait(5.32)
    assert call.rows == []
    assert call.engine.next_timer() == 5.33
    call.wait(5.33)
    assert len(call.rows) == 1
    assert call.tell(5.4, InstantRecorded(1, "cleared_at", 5.35)) == [
        RecordEvent("late_instant", {"turn": 1, "reply": 1, "name": "cleared_at", "at": 5.35})
    ]


def test_an_interruption_whose_sound_held_no_words_is_answered_by_nobody(talk):
    call = speaking(talk())
    call.tell(4.33, SpeechStarted(4.0), SpeechContinued(4.3))
    call.tell(4.7, SpeechStopped(4.5), InstantRecorded(1, "cleared_at", 4.35))
    call.final(4.75, "")
    call.wait(6.0)
    assert len(call.replies) == 1
    assert call.events("no_words") == [{"started_at": 4.0, "ended_at": 4.5}]
    assert call.engine.state == "waiting"


def test_the_stop_may_show_that_the_voice_was_an_interruption(talk):
    call = speaking(talk())
    call.tell(4.03, SpeechStarted(4.0))
    assert CancelReply(1, 0.4) in call.tell(4.5, SpeechStopped(4.3))
    call.final(4.6, "stop")
    call.wait(5.0)
    assert call.replies[-1].messages[-1] == Message("user", "stop")
    assert call.events("overlap") == []


def test_voice_that_began_before_the_agent_was_heard_interrupts_as_soon_as_it_is(talk):
    call = talk("Good evening, this is Acme.")
    call.tell(0.2, SpeechStarted(0.1), SpeechContinued(0.5))
    call.made(0.6, 1, "Good evening, this is Acme.")
    assert call.heard(0.8, 1, 0.2)[:2] == [CancelReply(1, 0.2), ClearAudio()]
    assert call.engine.state == "listening"


def test_what_the_agent_was_told_to_say_is_interrupted_like_an_answer(talk):
    call = talk()
    call.tell(0.5, SayRequested("One more thing, sir."))
    call.made(0.6, 1, "One more thing, sir.")
    call.heard(1.6, 1, 1.0)
    call.tell(2.0, SpeechStarted(1.7), SpeechContinued(2.0), InstantRecorded(1, "cleared_at", 2.0))
    assert [(row.kind, row.interrupted, row.heard_text) for row in call.rows] == [("said", True, "One more")]


def test_an_agent_that_may_not_be_interrupted_speaks_on(talk):
    call = speaking(talk(barge_in_seconds=None))
    assert call.tell(6.0, SpeechStarted(4.0), SpeechContinued(6.0)) == []
    call.heard(7.0, 1, 4.0)
    assert not call.rows[0].interrupted


def test_a_threshold_of_zero_interrupts_with_the_first_window(talk):
    call = speaking(talk(barge_in_seconds=0.0))
    assert CancelReply(1, 0.4) in call.tell(4.03, SpeechStarted(4.0))


def test_the_greeting_can_be_interrupted(talk):
    call = talk("Good evening, this is Acme.")
    call.made(0.1, 1, "Good evening, this is Acme.")
    call.heard(1.1, 1, 1.0)
    call.tell(1.5, SpeechStarted(1.2), SpeechContinued(1.5), InstantRecorded(1, "cleared_at", 1.5))
    assert (call.rows[0].turn, call.rows[0].interrupted, call.rows[0].heard_text) == (0, True, "Good evening,")
    assert call.conversation() == [("assistant", "Good evening,")]


def test_audio_of_no_length_proves_nothing(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, TEXT), SegmentSynthesized(1, 0, 4.0))
    call.heard(2.6, 1, 0.0)
    assert call.engine.state == "answering"


def over(kind, *, heard=True, last_words=False, certain=False, start=1.0, last=1.3, **policy):
    turn = Turn(kind, last=last_words, replies=[Reply(1, "answer", 0.0, heard_from=0.5 if heard else None)])
    return meaning(Voice(start, last, certain), turn, TurnPolicy(**policy))


@pytest.mark.parametrize(
    ("expected", "case"),
    [
        ("interrupts", {"kind": "caller"}),
        ("interrupts", {"kind": "greeting"}),
        ("interrupts", {"kind": "said"}),
        ("nothing yet", {"kind": "goodbye", "last_words": True}),
        ("nothing yet", {"kind": "goodbye", "last_words": True, "heard": False}),
        ("nothing yet", {"kind": "said", "last_words": True, "certain": True}),
        ("nothing yet", {"kind": "caller", "last": 1.29}),
        ("interrupts", {"kind": "caller", "last": 1.0, "certain": True}),
        ("nothing yet", {"kind": "caller", "barge_in_seconds": None}),
        ("nothing yet", {"kind": "caller", "barge_in_seconds": None, "certain": True}),
        ("goes on", {"kind": "caller", "heard": False, "last": 1.1}),
        ("nothing yet", {"kind": "caller", "heard": False, "last": 1.09}),
        ("goes on", {"kind": "caller", "heard": False, "last": 1.1, "barge_in_seconds": None}),
        ("nothing yet", {"kind": "greeting", "heard": False, "last": 9.0}),
        ("nothing yet", {"kind": "said", "heard": False, "last": 9.0, "certain": True}),
    ],
)
def test_what_a_voice_means(expected, case):
    assert over(**case) == expected
