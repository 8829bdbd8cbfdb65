"""Replies that a provider begins by itself."""

from __future__ import annotations

from patter_nb.turns.commands import (
    AdoptReply,
    CancelReply,
    ClearAudio,
)
from patter_nb.turns.events import (
    CallerHungUp,
    ProviderReplyStarted,
    ProviderTurnEnded,
    ProviderTurnStarted,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
)


def test_a_reply_a_provider_began_by_itself_is_given_a_number(talk):
    call = talk(ends_turns="provider", begins_replies="provider")
    call.tell(1.0, ProviderTurnStarted(0.9))
    assert call.tell(2.0, ProviderTurnEnded(1.8)) == []
    assert call.tell(2.1, ProviderReplyStarted("resp_1")) == [AdoptReply(1, 1, "resp_1")]
    call.made(2.2, 1, "At six.")
    call.heard(2.5, 1, 0.2)
    call.final(2.8, "when is dinner")
    call.heard(4.4, 1, 2.0)
    (row,) = call.rows
    assert (row.caller_text, row.heard_text, row.resumed) == ("when is dinner", "At six.", 0)
    assert call.conversation() == [("user", "when is dinner"), ("assistant", "At six.")]
    assert "reply_ordered_at" not in row.instants


def test_a_transcript_that_comes_before_its_reply_is_heard_takes_nothing_back(talk):
    call = talk(ends_turns="provider", begins_replies="provider")
    call.tell(2.0, ProviderTurnEnded(1.8), ProviderReplyStarted("resp_1"))
    assert call.final(2.2, "when is dinner") == []
    assert call.tell(3.0, CallerHungUp())[-2].facts.caller_text == "when is dinner"


def test_the_row_of_such_a_turn_waits_for_its_transcript(talk):
    call = talk(ends_turns="provider", begins_replies="provider")
    call.tell(2.0, ProviderTurnEnded(1.8), ProviderReplyStarted("resp_1"))
    call.made(2.2, 1, "Hm.", seconds=0.3)
    call.heard(2.6, 1, 0.3)
    assert call.rows == []
    call.final(2.9, "when is dinner")
    assert call.rows[0].caller_text == "when is dinner"


def test_a_provider_that_begins_replies_is_not_ordered_to(talk):
    call = talk(begins_replies="provider")
    call.caller(1.0, 2.0, "when")
    assert call.wait(9.0) == []
    assert call.tell(9.0, ProviderReplyStarted("resp_1")) == [AdoptReply(1, 1, "resp_1")]
    call.made(9.1, 1, "At six.")
    call.heard(11.2, 1, 2.0)
    assert call.rows[0].instants["endpointed_at"] == 2.32


def test_a_provider_that_never_begins_has_failed(talk):
    call = talk(begins_replies="provider")
    call.caller(1.0, 2.0, "when")
    call.wait(17.3)
    assert call.replies == []
    call.wait(17.4)
    assert [order.kind for order in call.replies] == ["fallback"]
    assert call.events("reply_failed") == [
        {"turn": 1, "reply": 0, "stage": "llm", "error": "the provider did not begin its reply within 15 s"}
    ]


def test_a_provider_that_begins_nothing_upon_a_sound_has_not_failed(talk):
    call = talk(ends_turns="provider", begins_replies="provider")
    call.tell(2.0, ProviderTurnEnded(1.8, ""))
    call.wait(30.0)
    assert call.events("reply_failed") == []
    assert len(call.events("no_words")) == 1


def test_a_reply_a_provider_begins_unasked_is_a_said_turn(talk):
    call = talk(begins_replies="provider")
    assert call.tell(1.0, ProviderReplyStarted("resp_1")) == [AdoptReply(1, 1, "resp_1")]
    call.made(1.1, 1, "Are you there?")
    call.heard(3.2, 1, 2.0)
    assert (call.rows[0].kind, call.rows[0].heard_text) == ("said", "Are you there?")
    assert call.rows[0].instants == {"finished_at": 3.2}


def test_an_adopted_reply_is_interrupted_like_any_other(talk):
    call = talk(ends_turns="provider", begins_replies="provider")
    call.tell(2.0, ProviderTurnEnded(1.8, "when"), ProviderReplyStarted("resp_1"))
    call.tell(2.1, SegmentReady(1, 0, "Dinner is at six."), SegmentSynthesized(1, 0, 2.0))
    call.heard(3.2, 1, 1.0)
    assert call.tell(3.3, ProviderTurnStarted(3.2))[:2] == [CancelReply(1, 1.0), ClearAudio()]
    call.tell(4.0, ProviderTurnEnded(3.9, "lunch"), ProviderReplyStarted("resp_2"))
    assert call.conversation() == [("user", "when"), ("assistant", "Dinner"), ("user", "lunch")]
    assert call.rows[0].interrupted


def test_a_voice_that_goes_on_does_not_take_back_what_the_provider_began(talk):
    call = talk(begins_replies="provider")
    call.tell(1.0, SpeechStarted(1.0), SpeechContinued(1.8))
    call.tell(2.0, ProviderReplyStarted("resp_1"))
    assert call.engine.state == "answering"
    assert call.wait(2.5) == []
    call.tell(3.0, CallerHungUp())
    call.wait(4.0)
    assert (call.rows[0].instants["speech_ended_at"], call.rows[0].instants["endpointed_at"]) == (1.8, 2.0)


def test_a_provider_may_begin_the_answer_to_a_turn_again(talk):
    call = talk(begins_replies="provider")
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, ProviderReplyStarted("resp_1"))
    assert call.tell(2.6, ProviderReplyStarted("resp_2")) == [CancelReply(1, 0.0), ClearAudio(), AdoptReply(2, 1, "resp_2")]


def test_a_provider_that_talks_on_cuts_itself_off(talk):
    call = talk(begins_replies="provider")
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, ProviderReplyStarted("resp_1"))
    call.made(2.5, 1, "Dinner is at six.")
    call.heard(3.6, 1, 1.0)
    commands = call.tell(3.7, ProviderReplyStarted("resp_2"))
    assert commands[-1] == AdoptReply(2, 2, "resp_2")
    assert (call.rows[0].heard_text, call.rows[0].interrupted) == ("Dinner", False)


def test_no_word_is_lost_when_a_provider_takes_the_floor(talk):
    call = talk(begins_replies="provider", barge_in_seconds=None)
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, ProviderReplyStarted("resp_1"))
    call.made(2.5, 1, "Dinner is at six.")
    call.heard(3.6, 1, 1.0)
    call.tell(3.7, SpeechStarted(3.6))
    call.final(3.8, "and lunch")
    call.tell(3.9, ProviderReplyStarted("resp_2"), CallerHungUp())
    assert [(row.caller_text, row.overlap_text) for row in call.rows] == [("when", "and lunch"), ("", "")]
