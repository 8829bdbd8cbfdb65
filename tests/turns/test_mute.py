"""An agent that must be silent, whatever was about to be said."""

from __future__ import annotations

from patter_nb.turns.commands import AdoptReply, CancelReply, ClearAudio, EndCall, RecordEvent, StartReply
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    CallAnswered,
    CallerHungUp,
    HangUpRequested,
    LimitReached,
    MuteRequested,
    ProviderReplyStarted,
    ProviderTurnEnded,
    ProviderTurnStarted,
    SayRequested,
)

MUTE, UNMUTE = MuteRequested(True), MuteRequested(False)


def test_what_it_was_saying_is_cut_and_its_row_has_what_was_heard(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.8, 1, "Dinner is served from six.")
    call.heard(3.5, 1, 0.5)
    assert call.tell(4.0, MUTE)[:4] == [
        RecordEvent("muted"),
        CancelReply(1, 0.5),
        ClearAudio(),
        RecordEvent("cut_off", {"turn": 1, "reply": 1, "reason": "muted"}),
    ]
    assert [(row.heard_text, row.interrupted) for row in call.rows] == [("Dinner", False)]
    assert call.conversation() == [("user", "when"), ("assistant", "Dinner")]


def test_the_caller_is_listened_to_and_answered_from_then_on_that_it_may_speak(talk):
    call = talk()
    call.tell(0.5, MUTE)
    call.caller(1.0, 2.0, "when")
    call.tell(3.0, UNMUTE, UNMUTE)
    call.caller(4.0, 5.0, "hello")
    assert call.conversation() == [("user", "when"), ("user", "hello")]
    assert [order.turn for order in call.replies] == [2]
    assert [(row.turn, row.kind, row.reply) for row in call.rows] == [(1, "caller", 0)]
    assert (call.events("muted"), call.events("unmuted")) == ([{}], [{}])


def test_an_agent_that_was_never_muted_is_not_unmuted(talk):
    assert talk().tell(1.0, UNMUTE) == []


def test_a_greeting_waits_like_anything_it_is_told_to_say():
    engine = TurnEngine()
    assert engine.receive(MUTE, 0.5) == [RecordEvent("muted")]
    assert engine.receive(CallAnswered("Good evening."), 1.0) == []
    assert engine.receive(UNMUTE, 2.0) == [RecordEvent("unmuted"), StartReply(1, 1, "said", (), "Good evening.")]


def test_a_greeting_nobody_heard_of_is_reported():
    engine = TurnEngine()
    for now, event in ((0.5, MUTE), (1.0, CallAnswered("Good evening."))):
        engine.receive(event, now)
    assert RecordEvent("unsaid", {"text": "Good evening."}) in engine.receive(CallerHungUp(), 2.0)


def test_without_a_greeting_there_is_nothing_to_say_later():
    engine = TurnEngine()
    for now, event in ((0.5, MUTE), (1.0, CallAnswered(""))):
        engine.receive(event, now)
    assert engine.receive(UNMUTE, 2.0) == [RecordEvent("unmuted")]


def test_a_limit_is_met_without_a_word(talk):
    call = talk()
    call.tell(1.0, MUTE)
    assert call.tell(2.0, LimitReached("money")) == [RecordEvent("limit_reached", {"reason": "money"}), EndCall("money")]


def test_a_goodbye_that_is_being_said_is_cut_and_the_call_ends(talk):
    call = talk()
    call.tell(1.0, HangUpRequested("served", "Goodbye, and have a nice evening!"))
    call.made(1.2, 1, "Goodbye, and have a nice evening!")
    call.heard(1.8, 1, 0.5)
    assert EndCall("served") not in call.tell(1.9, UNMUTE)
    commands = call.tell(2.0, MUTE)
    assert commands[:2] == [RecordEvent("muted"), CancelReply(1, 0.5)]
    assert commands[-1] == EndCall("served")


def test_last_words_of_a_caller_who_hung_up_on_a_muted_agent_are_waited_for(talk):
    call = talk()
    call.tell(0.5, MUTE)
    call.voice(1.0, 2.0)
    call.tell(2.25, CallerHungUp())
    assert not call.engine.ended
    call.final(2.5, "bye")
    assert [row.caller_text for row in call.rows] == ["bye"]
    assert call.engine.ended


def test_what_waits_is_said_in_its_order_and_what_says_nothing_does_not_wait(talk):
    call = talk()
    call.tell(1.0, MUTE, SayRequested("One."), SayRequested("Two."))
    assert call.tell(1.5, UNMUTE)[-1] == StartReply(1, 1, "said", (), "One.")
    call.made(1.6, 1, "One.", seconds=0.1)
    call.heard(1.7, 1, 0.1)
    assert call.replies[-1].text == "Two."


# A provider that begins replies by itself.


def by_itself(talk):
    call = talk(ends_turns="provider", begins_replies="provider", max_failures=1)
    call.tell(0.5, MUTE)
    call.tell(1.0, ProviderTurnStarted(0.9))
    call.tell(2.0, ProviderTurnEnded(1.8, "when"))
    return call


def test_a_reply_a_provider_begins_by_itself_is_stopped_before_it_is_heard(talk):
    call = by_itself(talk)
    assert call.tell(2.1, ProviderReplyStarted("r"))[:3] == [AdoptReply(1, 1, "r"), CancelReply(1, 0.0), ClearAudio()]
    call.wait(30.0)
    assert [(row.kind, row.caller_text, row.heard_text, row.error) for row in call.rows] == [("caller", "when", "", None)]


def test_a_provider_that_begins_none_has_not_failed(talk):
    call = by_itself(talk)
    call.wait(30.0)
    assert [(row.caller_text, row.reply, row.error) for row in call.rows] == [("when", 0, None)]
    assert call.events("reply_failed") == []
    assert call.engine.state == "waiting"


def test_a_reply_to_nobody_is_stopped_too(talk):
    call = by_itself(talk)
    call.wait(30.0)
    call.tell(31.0, ProviderReplyStarted("r"))
    assert call.events("cut_off") == [{"turn": 2, "reply": 1, "reason": "muted"}]
    assert call.engine.state == "waiting"
