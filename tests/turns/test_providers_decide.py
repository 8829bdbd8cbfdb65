"""Providers that own turn-taking, and recognisers that fail."""

from __future__ import annotations

from patter_nb.turns.commands import CancelReply, ClearAudio, RecordEvent, StartReply
from patter_nb.turns.events import (
    AudioHeard,
    CallerHungUp,
    ProviderTurnEnded,
    ProviderTurnStarted,
    SpeechStarted,
    SpeechStopped,
    TranscriptionFailed,
)
from patter_nb.turns.messages import Message
from patter_nb.turns.policy import TurnPolicy


def asked(reply, turn, *texts):
    """The order of an answer to a conversation that is nothing but these words of the caller."""
    return StartReply(reply, turn, "answer", tuple(Message("user", text) for text in texts))


def speaking(call, text="Dinner is at six.", seconds=2.0):
    """Reply 1 to "when" is heard from 3.0 s on; its first 200 ms are marked at 3.2 s."""
    call.caller(1.0, 2.0, "when")
    call.made(2.8, 1, text, seconds=seconds)
    call.heard(3.2, 1, 0.2)
    return call


def answered(call):
    """A caller who asked "when is" from 1 to 2 s, and reply 1 ordered at 2.32 s."""
    call.caller(1.0, 2.0, "when is")
    assert call.replies == [asked(1, 1, "when is")]
    return call


PROVIDER = {"ends_turns": "provider"}


def test_a_provider_that_ends_turns_is_answered_at_once(talk):
    call = talk(**PROVIDER)
    call.tell(1.0, ProviderTurnStarted(0.9))
    assert call.engine.state == "listening"
    assert call.tell(2.0, ProviderTurnEnded(1.8, "when is dinner")) == [asked(1, 1, "when is dinner")]
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].instants == {
        "speech_started_at": 0.9,
        "speech_ended_at": 1.8,
        "vad_stopped_at": 2.0,
        "endpointed_at": 2.0,
        "stt_final_at": 2.0,
        "reply_ordered_at": 2.0,
    }


def test_our_own_voice_activity_does_not_end_turns_of_such_a_provider(talk):
    call = talk(**PROVIDER)
    assert call.voice(1.0, 2.0) == []
    assert call.final(2.3, "when is dinner") == []
    assert call.wait(9.0) == []
    assert call.tell(9.0, ProviderTurnEnded(8.9)) == [asked(1, 1, "when is dinner")]
    call.tell(10.0, CallerHungUp())
    assert call.rows[0].instants["speech_ended_at"] == 2.0
    assert "stt_requested_at" not in call.rows[0].instants


def test_words_alone_wait_for_such_a_provider(talk):
    call = talk(**PROVIDER)
    call.final(1.0, "when is dinner")
    assert call.wait(9.0) == []
    call.tell(9.0, ProviderTurnEnded(8.9))
    assert call.replies == [asked(1, 1, "when is dinner")]
    call.tell(10.0, CallerHungUp())
    assert call.rows[0].instants["speech_ended_at"] == 8.9


def test_a_provider_that_ends_turns_without_words_is_waited_for(talk):
    call = talk(**PROVIDER)
    call.tell(1.0, ProviderTurnStarted(0.9))
    assert call.tell(2.0, ProviderTurnEnded(1.8)) == []
    assert call.final(2.4, "when is dinner") == [asked(1, 1, "when is dinner")]


def test_a_provider_turn_without_words_at_all_is_no_turn(talk):
    call = talk(**PROVIDER)
    call.tell(1.0, ProviderTurnStarted(0.9))
    assert call.tell(2.0, ProviderTurnEnded(1.8, "")) == [RecordEvent("no_words", {"started_at": 0.9, "ended_at": 1.8})]


def test_a_provider_may_end_a_turn_nobody_saw_begin(talk):
    call = talk()
    assert call.tell(2.0, ProviderTurnEnded(1.8, "hello")) == [asked(1, 1, "hello")]
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].instants["speech_ended_at"] == 1.8
    assert "speech_started_at" not in call.rows[0].instants


def test_a_providers_turn_over_the_agent_interrupts_it_at_once(talk):
    call = speaking(talk())
    assert call.tell(3.5, ProviderTurnStarted(3.4))[:2] == [CancelReply(1, 0.2), ClearAudio()]
    assert call.engine.state == "listening"


def test_a_providers_turn_before_the_answer_is_heard_takes_it_back_at_once(talk):
    call = answered(talk())
    assert call.tell(2.5, ProviderTurnStarted(2.5))[:2] == [CancelReply(1, 0.0), ClearAudio()]


def test_an_agent_that_may_not_be_interrupted_is_not_by_a_provider_either(talk):
    call = speaking(talk(barge_in_seconds=None))
    assert call.tell(3.5, ProviderTurnStarted(3.4)) == []
    call.tell(4.0, ProviderTurnEnded(3.9, "mhm"))
    call.heard(5.0, 1, 2.0)
    assert call.rows[0].overlap_text == "mhm"


def test_words_a_provider_ends_over_the_agent_are_overlap(talk):
    call = speaking(talk())
    call.tell(4.0, ProviderTurnEnded(3.9, "mhm"))
    call.heard(5.0, 1, 2.0)
    assert call.rows[0].overlap_text == "mhm"
    assert call.wait(9.0) == []


def test_a_caller_who_was_not_understood_is_asked_again(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    assert call.tell(1.5, TranscriptionFailed("the socket broke")) == [
        RecordEvent("transcription_failed", {"error": "the socket broke"})
    ]
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.25, "")
    fallback = TurnPolicy().fallback
    assert call.wait(2.32) == [StartReply(1, 1, "fallback", (), fallback)]
    call.made(2.5, 1, fallback)
    call.heard(4.6, 1, 2.0)
    (row,) = call.rows
    assert (row.error, row.caller_text, row.heard_text) == ("the socket broke", "", fallback)


def test_a_final_that_can_not_come_is_not_waited_for(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.tell(2.25, TranscriptionFailed("the socket broke"))
    assert [command.kind for command in call.wait(2.4)] == ["fallback"]


def test_words_heard_after_the_recogniser_recovered_are_answered(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), TranscriptionFailed("the socket broke"))
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.25, "dinner")
    assert call.wait(2.4) == [asked(1, 1, "dinner")]


def test_a_recogniser_that_fails_while_nobody_speaks_leaves_no_row(talk):
    call = talk()
    call.tell(1.0, TranscriptionFailed("the socket broke"))
    call.tell(2.0, CallerHungUp())
    assert call.rows == []
    assert call.events("transcription_failed") == [{"error": "the socket broke"}]


def test_without_a_fallback_line_the_row_alone_tells_of_it(talk):
    call = talk(fallback="")
    call.voice(1.0, 2.0)
    call.tell(2.25, TranscriptionFailed("the socket broke"))
    call.wait(2.4)
    assert call.replies == []
    assert [(row.turn, row.error, row.reply) for row in call.rows] == [(1, "the socket broke", 0)]


def test_a_mark_of_a_reply_that_was_taken_back_proves_nothing(talk):
    call = answered(talk())
    call.made(2.4, 1, "At six.")
    call.final(2.5, "dinner")
    assert call.tell(2.6, AudioHeard(1, 0, 2.0, 2.6)) == []
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].heard_text == ""
    assert call.conversation() == [("user", "when is dinner")]
