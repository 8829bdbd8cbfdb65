"""How a call ends: hung up, at its limit, with a goodbye or without."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import (
    CancelReply,
    ClearAudio,
    EndCall,
    FinalizeTranscript,
    RecordEvent,
    RecordTurn,
    StartReply,
)
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    CallerHungUp,
    DtmfRequested,
    FinalReceived,
    HangUpRequested,
    InstantRecorded,
    LimitReached,
    ProviderReplyStarted,
    ProviderTurnEnded,
    ReplyFailed,
    SayRequested,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    TranscriptionFailed,
)
from patter_nb.turns.policy import TurnPolicy

FALLBACK, GOODBYE = TurnPolicy().fallback, TurnPolicy().goodbye


def test_a_caller_who_hangs_up_ends_the_call_with_what_was_heard(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "Dinner is at six.")
    call.heard(3.6, 1, 1.0)
    commands = call.tell(3.7, CallerHungUp())
    assert commands[0] == CancelReply(1, 1.0)
    assert isinstance(commands[1], RecordTurn)
    assert commands[2:] == [EndCall("caller hung up")]
    assert (call.rows[0].heard_text, call.rows[0].interrupted) == ("Dinner", False)


def test_after_the_end_nothing_is_noted_and_no_timer_runs(talk):
    call = talk("Hi!")
    call.tell(1.0, CallerHungUp())
    engine = call.engine
    assert engine.ended
    assert engine.next_timer() is None
    assert engine.receive(SpeechStarted(2.0), 2.0) == []
    assert engine.receive(InstantRecorded(1, "lunch_at", 1.0), 2.0) == []
    assert engine.handle_timer(900.0) == []


def test_a_turn_that_was_not_answered_yet_gets_its_row(talk):
    call = talk()
    call.voice(1.0, 1.5)
    call.final(1.8, "when is")
    assert call.tell(1.81, CallerHungUp())[-1] == EndCall("caller hung up")
    (row,) = call.rows
    assert (row.turn, row.reply, row.caller_text, row.agent_text) == (1, 0, "when is", "")


def test_the_last_words_before_a_hang_up_are_waited_for(talk):
    call = talk()
    call.voice(1.0, 2.0)
    assert call.tell(2.25, CallerHungUp(), CallerHungUp()) == []
    assert (call.engine.state, call.engine.next_timer()) == ("leaving", 3.25)
    assert call.tell(2.4, SayRequested("Wait!"), SpeechStarted(2.3), DtmfRequested("1"), LimitReached("money")) == []
    commands = call.final(2.9, "goodbye then")
    assert [type(command) for command in commands] == [RecordTurn, EndCall]
    (row,) = call.rows
    assert (row.kind, row.reply, row.caller_text, row.instants["stt_final_at"]) == ("caller", 0, "goodbye then", 2.9)
    assert call.events("no_words") == []
    assert call.conversation() == [("user", "goodbye then")]


def test_the_words_of_a_voice_that_goes_on_at_the_hang_up_are_asked_for(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), SpeechContinued(1.8))
    assert call.tell(1.9, CallerHungUp()) == [FinalizeTranscript()]
    call.final(2.0, "never mind")
    (row,) = call.rows
    assert (row.caller_text, row.instants["speech_ended_at"]) == ("never mind", 1.8)


@pytest.mark.parametrize(("seconds", "ends"), [(1.0, 2.9), (0.4, 2.3)])
def test_last_words_are_waited_for_no_longer_than_the_policy_says(talk, seconds, ends):
    call = talk(last_words_seconds=seconds, final_timeout_seconds=0.1)
    call.tell(1.0, SpeechStarted(1.0))
    call.tell(1.9, CallerHungUp())
    assert call.wait(ends - 0.01) == []
    assert call.wait(ends + 0.01)[-1] == EndCall("caller hung up")
    assert call.rows == []
    assert call.events("no_words") == [{"started_at": 1.0, "ended_at": 1.0}]


@pytest.mark.parametrize("event", [FinalReceived(""), TranscriptionFailed("down")])
def test_when_no_last_words_come_the_call_ends_at_once(talk, event):
    call = talk()
    call.voice(1.0, 2.0)
    call.tell(2.25, CallerHungUp())
    assert call.tell(2.3, event)[-1] == EndCall("caller hung up")


def test_a_hang_up_silences_the_agent_while_last_words_are_waited_for(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "Dinner is at six.")
    call.heard(3.2, 1, 0.6)
    call.voice(3.3, 3.5)
    call.tell(3.72, AudioHeard(1, 0, 1.0, 3.72))
    assert call.tell(3.75, CallerHungUp()) == [CancelReply(1, 1.0), ClearAudio()]
    assert call.final(4.0, "mhm")[-1] == EndCall("caller hung up")
    (row,) = call.rows
    assert (row.caller_text, row.overlap_text, row.heard_text) == ("when", "mhm", "Dinner")


def test_last_words_of_a_turn_whose_answer_was_not_heard_belong_to_it(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SpeechStarted(2.48))
    assert call.tell(2.52, CallerHungUp()) == [FinalizeTranscript(), CancelReply(1, 0.0)]
    call.final(2.8, "is dinner")
    (row,) = call.rows
    assert (row.caller_text, row.reply, row.heard_text) == ("when is dinner", 1, "")


def test_last_words_told_with_the_end_of_a_turn_stand_where_they_were_spoken(talk):
    call = talk(ends_turns="provider", barge_in_seconds=None)
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, ProviderTurnEnded(2.0, "is dinner"))
    call.made(2.5, 1, "At six.")
    call.heard(3.6, 1, 1.0)
    call.tell(3.7, SpeechStarted(3.6))
    call.tell(3.75, CallerHungUp())
    assert call.tell(3.9, ProviderTurnEnded(3.7, "bye"))[-1] == EndCall("caller hung up")
    assert [(row.caller_text, row.overlap_text) for row in call.rows] == [("when is dinner", "bye")]


def test_words_spoken_over_the_agent_when_the_line_breaks_are_overlap(talk):
    call = talk(barge_in_seconds=None)
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "Dinner is at six.")
    call.heard(3.6, 1, 1.0)
    call.tell(3.7, SpeechStarted(3.6))
    call.final(3.9, "bye")
    call.tell(4.0, CallerHungUp())
    call.final(4.1, "then")
    assert call.rows[0].overlap_text == "bye then"
    assert len(call.rows) == 1


def test_a_call_has_a_limit(talk):
    call = talk(max_duration_seconds=60.0)
    call.wait(59.9)
    assert call.commands == []
    call.wait(60.0)
    reason = "the call lasted 60 s, its limit"
    assert call.commands == [RecordEvent("limit_reached", {"reason": reason}), StartReply(1, 1, "goodbye", (), GOODBYE)]
    call.made(60.1, 1, GOODBYE)
    assert call.heard(62.2, 1, 2.0)[-1] == EndCall(reason)
    assert (call.rows[0].kind, call.rows[0].heard_text) == ("goodbye", GOODBYE)


def test_without_a_goodbye_line_the_limit_is_the_end(talk):
    call = talk(max_duration_seconds=60.0, goodbye="")
    assert call.wait(60.0)[-1] == EndCall("the call lasted 60 s, its limit")


def test_the_limit_counts_from_the_answer(talk):
    engine = TurnEngine()
    assert engine.next_timer() is None
    assert engine.handle_timer(700.0) == []
    engine.receive(CallAnswered(), 5.0)
    assert engine.next_timer() == 605.0


def test_a_limit_cuts_off_what_is_being_said(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "Dinner is at six.")
    call.heard(3.6, 1, 1.0)
    commands = call.tell(3.7, LimitReached("2 USD are spent"))
    assert commands[:4] == [
        RecordEvent("limit_reached", {"reason": "2 USD are spent"}),
        CancelReply(1, 1.0),
        ClearAudio(),
        RecordEvent("cut_off", {"turn": 1, "reply": 1, "reason": "2 USD are spent"}),
    ]
    assert commands[-1] == StartReply(2, 2, "goodbye", (), GOODBYE)
    assert (call.rows[0].heard_text, call.rows[0].interrupted) == ("Dinner", False)


def test_a_goodbye_is_bounded(talk):
    call = talk(goodbye_seconds=4.0)
    call.tell(1.0, LimitReached("money"))
    call.made(1.2, 1, GOODBYE, seconds=9.0)
    call.heard(4.9, 1, 3.0)
    assert call.engine.next_timer() == 5.0
    commands = call.wait(5.0)
    assert commands[0] == CancelReply(1, 3.0)
    assert commands[-1] == EndCall("money")
    assert call.rows[0].heard_text == "I'm sorry, I"


def test_a_goodbye_can_not_be_interrupted(talk):
    call = talk()
    call.tell(1.0, LimitReached("money"))
    call.tell(1.1, SpeechStarted(1.05), SpeechContinued(1.5))
    call.made(1.6, 1, GOODBYE)
    call.heard(2.0, 1, 0.4)
    assert call.tell(3.0, SpeechContinued(3.0)) == []
    assert call.tell(3.4, SpeechStopped(3.2)) == [FinalizeTranscript()]
    call.final(3.5, "no wait")
    commands = call.heard(3.6, 1, 2.0)
    assert (call.rows[0].overlap_text, commands[-1]) == ("no wait", EndCall("money"))


def test_words_before_a_goodbye_is_heard_are_its_overlap(talk):
    call = talk()
    call.tell(1.0, LimitReached("money"))
    call.final(1.2, "hello?")
    call.tell(2.0, CallerHungUp())
    assert [(row.kind, row.overlap_text) for row in call.rows] == [("goodbye", "hello?")]


def test_a_goodbye_that_fails_ends_the_call(talk):
    call = talk()
    call.tell(1.0, LimitReached("money"))
    assert call.tell(1.5, ReplyFailed(1, "tts", "broke"))[-1] == EndCall("money")
    assert call.rows[0].error == "broke"


def test_without_a_goodbye_line_the_call_just_ends(talk):
    call = talk(goodbye="")
    assert call.tell(1.0, LimitReached("money"))[-1] == EndCall("money")


def test_the_first_reason_to_leave_stays(talk):
    call = talk()
    call.tell(1.0, LimitReached("money"))
    assert call.tell(2.0, LimitReached("time"), HangUpRequested("bored")) == []
    assert call.wait(11.0)[-1] == EndCall("money")


def test_a_turn_open_at_the_limit_keeps_the_words_that_still_come(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.tell(2.25, LimitReached("money"))
    assert call.replies[-1].turn == 1
    call.final(2.4, "when is dinner")
    assert call.rows[0].caller_text == "when is dinner"
    call.tell(3.0, CallerHungUp())
    assert [(row.kind, row.turn, row.caller_text) for row in call.rows] == [("caller", 2, "when is dinner"), ("goodbye", 1, "")]


def test_a_voice_at_the_limit_ends_within_its_own_turn(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    call.final(1.5, "when")
    call.tell(1.6, LimitReached("money"))
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.3, "is dinner")
    call.tell(3.0, CallerHungUp())
    assert [(row.kind, row.turn, row.caller_text) for row in call.rows] == [("caller", 1, "when is dinner"), ("goodbye", 2, "")]
    assert call.rows[0].instants["speech_ended_at"] == 2.0


def test_a_reply_a_provider_begins_during_the_goodbye_is_not_adopted(talk):
    call = talk(begins_replies="provider")
    call.tell(1.0, LimitReached("money"))
    assert call.tell(1.5, ProviderReplyStarted("resp_1")) == []
