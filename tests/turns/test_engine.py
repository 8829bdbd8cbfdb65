"""The engine: a call opens, replies live from order to row, and a new policy waits for its turn."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import (
    EndCall,
    StartReply,
)
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    CallerHungUp,
    FinalReceived,
    InstantRecorded,
    LimitReached,
    ReplyFailed,
    ReplyGenerated,
    ReplyStarted,
    SayRequested,
    SegmentReady,
    SegmentSynthesized,
    SpeechStarted,
    SpeechStopped,
    ToolCalled,
    ToolReturned,
)
from patter_nb.turns.messages import Message
from patter_nb.turns.policy import TurnPolicy


def test_a_greeting_is_spoken_first_and_is_turn_0(talk):
    call = talk("Good evening!")
    assert call.commands == [StartReply(1, 0, "greeting", (), "Good evening!")]
    call.made(0.2, 1, "Good evening!", seconds=1.0)
    call.heard(1.4, 1, 1.0)
    (row,) = call.rows
    assert (row.turn, row.kind, row.reply, row.heard_text) == (0, "greeting", 1, "Good evening!")
    assert row.instants == {"reply_ordered_at": 0.0, "finished_at": 1.4}
    assert call.conversation() == [("assistant", "Good evening!")]


def test_without_a_greeting_the_caller_speaks_first(talk):
    call = talk()
    assert call.commands == []
    call.caller(1.0, 2.0, "hello")
    assert call.replies[0].turn == 1


def test_a_call_is_answered_once(talk):
    call = talk("Hi!")
    assert call.tell(0.1, CallAnswered("Hello!")) == []
    assert call.engine.next_timer() == 15.0


def test_states_are_told_for_display(talk):
    engine = TurnEngine()
    states = [engine.state]
    call = talk()
    states.append(call.engine.state)
    call.voice(1.0, 2.0)
    states.append(call.engine.state)
    call.final(2.4, "hello")
    states.append(call.engine.state)
    call.made(2.5, 1, "Hi!")
    call.heard(3.0, 1, 0.2)
    states.append(call.engine.state)
    call.tell(3.1, LimitReached("money"))
    states.append(call.engine.state)
    call.tell(3.2, CallerHungUp())
    states.append(call.engine.state)
    assert states == ["ringing", "waiting", "listening", "answering", "speaking", "leaving", "ended"]


def test_a_reply_is_complete_when_all_of_it_was_heard(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, "At six."), SegmentReady(1, 1, "See you."))
    call.tell(2.6, SegmentSynthesized(1, 0, 1.0))
    call.heard(3.7, 1, 1.0)
    call.tell(3.8, ReplyGenerated(1))
    assert call.rows == []
    call.tell(3.9, SegmentSynthesized(1, 1, 0.8))
    assert call.rows == []
    call.heard(4.4, 1, 0.7, segment=1)
    assert call.rows == []
    call.heard(4.5, 1, 0.7995, segment=1)
    (row,) = call.rows
    assert (row.agent_text, row.heard_text, row.instants["finished_at"]) == ("At six. See you.", "At six. See you.", 4.5)
    assert call.engine.state == "waiting"


def test_it_is_complete_as_well_when_the_model_is_done_last(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, "At six."), SegmentSynthesized(1, 0, 1.0))
    call.heard(3.7, 1, 1.0)
    call.tell(4.0, ReplyGenerated(1))
    assert call.rows[0].instants["finished_at"] == 3.7


def test_the_revision_a_reply_was_spoken_with_stands_in_its_row(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, ReplyStarted(1, 7))
    call.made(2.5, 1, "At six.")
    call.heard(4.6, 1, 2.0)
    assert call.rows[0].revision == 7


def test_instants_go_to_the_row_and_the_first_of_a_name_stays(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, InstantRecorded(1, "tts_first_byte_at", 2.45), InstantRecorded(1, "tts_first_byte_at", 2.5))
    call.made(2.5, 1, "At six.")
    call.heard(4.6, 1, 2.0)
    assert call.rows[0].instants["tts_first_byte_at"] == 2.45


@pytest.mark.parametrize("reply", [1, 99])
def test_an_unknown_instant_raises_and_harms_nothing(talk, reply):
    call = talk("Hi!")
    with pytest.raises(ValueError, match=r"no instant named 'lunch_at'.*INSTANTS"):
        call.tell(1.0, InstantRecorded(reply, "lunch_at", 1.0))
    call.made(1.1, 1, "Hi!")
    call.heard(3.2, 1, 2.0)
    assert call.rows[0].heard_text == "Hi!"


def test_reply_numbers_rise_by_one_and_turns_count_in_time(talk):
    call = talk("Hi!")
    call.made(0.1, 1, "Hi!")
    call.heard(2.2, 1, 2.0)
    call.caller(3.0, 4.0, "one")
    call.made(4.5, 2, "Two.")
    call.heard(6.6, 2, 2.0)
    call.tell(7.0, SayRequested("Three."))
    call.made(7.1, 3, "Three.")
    call.heard(9.2, 3, 2.0)
    call.caller(10.0, 11.0, "four")
    assert [(order.reply, order.turn, order.kind) for order in call.replies] == [
        (1, 0, "greeting"),
        (2, 1, "answer"),
        (3, 2, "said"),
        (4, 3, "answer"),
    ]
    assert [(row.turn, row.kind) for row in call.rows] == [(0, "greeting"), (1, "caller"), (2, "said")]


def test_an_answer_is_asked_for_with_the_conversation_as_it_was_heard(talk):
    call = talk("Hi!")
    call.made(0.1, 1, "Hi!")
    call.heard(2.2, 1, 2.0)
    call.caller(3.0, 4.0, "when is dinner")
    assert call.replies[-1].messages == (Message("assistant", "Hi!"), Message("user", "when is dinner"))


OF_ANOTHER = [
    ReplyStarted(1, 9),
    InstantRecorded(1, "played_at", 5.0),
    SegmentReady(1, 0, "Old."),
    SegmentSynthesized(1, 0, 0.1),
    ReplyGenerated(1),
    AudioHeard(1, 0, 0.1, 5.0),
    ReplyFailed(1, "llm", "old"),
    ToolCalled(1, "t", "book", "{}"),
    ToolReturned(1, "t", "ok"),
]


@pytest.mark.parametrize("event", OF_ANOTHER, ids=lambda event: type(event).__name__)
def test_late_events_of_an_old_reply_change_nothing(talk, event):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.final(2.5, "is dinner")
    assert [order.reply for order in call.replies] == [1, 2]
    assert call.tell(2.6, event) == []
    call.tell(2.7, CallerHungUp())
    (row,) = call.rows
    assert (row.reply, row.revision, row.agent_text, row.heard_text, row.error, row.tools) == (2, None, "", "", None, ())
    assert "played_at" not in row.instants


@pytest.mark.parametrize("event", OF_ANOTHER, ids=lambda event: type(event).__name__)
def test_events_of_a_reply_that_never_was_change_nothing(talk, event):
    call = talk()
    assert call.tell(2.6, event) == []
    assert call.tell(2.7, CallerHungUp()) == [EndCall("caller hung up")]


@pytest.mark.parametrize("policy", [TurnPolicy(ends_turns="provider"), TurnPolicy(begins_replies="provider")])
def test_who_decides_cannot_change_while_a_call_is_on(talk, policy):
    call = talk()
    call.engine.govern(policy)
    call.voice(1.0, 2.0)
    call.final(2.2, "one")
    call.wait(2.32)
    assert len(call.replies) == 1


def test_a_new_policy_governs_at_once(talk):
    call = talk(hangover_seconds=0.5)
    call.tell(1.0, SpeechStarted(1.0))
    call.tell(2.2, SpeechStopped(2.0), FinalReceived("one"))
    call.wait(2.5)
    assert len(call.replies) == 1
    call.engine.govern(TurnPolicy(hangover_seconds=2.0))
    call.made(2.6, 1, "Two.")
    call.heard(4.7, 1, 2.0)
    call.voice(5.0, 6.0)
    call.final(6.3, "three")
    call.wait(7.9)
    assert len(call.replies) == 1
    call.wait(8.0)
    assert len(call.replies) == 2


def test_a_timer_that_comes_early_does_nothing(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(2.25, "when")
    assert call.engine.handle_timer(2.3) == []
    assert call.engine.next_timer() == 2.32
