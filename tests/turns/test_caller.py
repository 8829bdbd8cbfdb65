"""The caller's side: turns open, are answered, and go on before anything was heard."""

from __future__ import annotations

from patter_nb.turns.commands import CancelReply, ClearAudio, FinalizeTranscript, RecordEvent, StartReply
from patter_nb.turns.events import (
    CallerHungUp,
    FinalReceived,
    InstantRecorded,
    InterimReceived,
    LimitReached,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    UsageReported,
)
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Usage


def asked(reply, turn, *texts):
    """The order of an answer to a conversation that is nothing but these words of the caller."""
    return StartReply(reply, turn, "answer", tuple(Message("user", text) for text in texts))


def test_a_turn_is_answered_when_the_silence_granted_has_passed(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(2.25, "when is dinner")
    assert call.wait(2.319) == []
    assert call.wait(2.32) == [asked(1, 1, "when is dinner")]


def test_the_transcript_is_asked_for_at_the_stop_and_only_then(talk):
    call = talk()
    assert call.tell(1.0, SpeechStarted(0.9), SpeechContinued(1.0), InterimReceived("when")) == []
    assert call.tell(1.5, SpeechStopped(1.3)) == [FinalizeTranscript()]


def test_a_final_after_the_deadline_is_answered_at_once(talk):
    call = talk()
    call.voice(1.0, 2.0)
    assert call.wait(2.9) == []
    assert call.final(3.0, "when is dinner") == [asked(1, 1, "when is dinner")]


def test_both_waits_are_recorded_by_themselves(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(3.0, "when is dinner")
    call.tell(3.5, CallerHungUp())
    assert call.rows[0].instants == {
        "speech_started_at": 1.0,
        "speech_ended_at": 2.0,
        "vad_stopped_at": 2.2,
        "endpointed_at": 2.32,
        "stt_requested_at": 2.2,
        "stt_final_at": 3.0,
        "reply_ordered_at": 3.0,
    }


def test_the_endpoint_is_when_the_silence_had_passed_however_late_that_is_acted_upon(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.log += [(2.4, command) for command in call.engine.receive(FinalReceived("hello"), 2.4)]
    assert call.replies == [asked(1, 1, "hello")]
    call.tell(2.5, CallerHungUp())
    assert (call.rows[0].instants["endpointed_at"], call.rows[0].instants["reply_ordered_at"]) == (2.32, 2.4)


def test_speech_before_the_deadline_goes_on_with_the_same_turn(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(2.25, "when is")
    assert call.voice(2.27, 3.0) == [FinalizeTranscript()]
    assert call.wait(3.31) == []
    call.final(3.32, "dinner")
    assert call.replies == [asked(1, 1, "when is dinner")]
    call.tell(4.0, CallerHungUp())
    instants = call.rows[0].instants
    assert (instants["speech_started_at"], instants["speech_ended_at"], instants["endpointed_at"]) == (1.0, 3.0, 3.32)


def test_voice_at_the_very_deadline_comes_too_late(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(2.25, "when")
    call.tell(2.33, SpeechStarted(2.3))
    assert call.replies == [asked(1, 1, "when")]


def test_a_sound_without_words_is_no_turn(talk):
    call = talk()
    call.voice(1.0, 1.2)
    assert call.final(1.45, "") == []
    assert call.wait(2.0) == [RecordEvent("no_words", {"started_at": 1.0, "ended_at": 1.2})]
    assert call.engine.state == "waiting"
    call.caller(3.0, 4.0, "hello")
    assert call.replies == [asked(1, 1, "hello")]
    call.tell(5.0, CallerHungUp())
    assert len(call.rows) == 1
    assert call.rows[0].instants["speech_started_at"] == 3.0


def test_a_final_of_spaces_holds_no_words(talk):
    call = talk()
    call.caller(1.0, 1.5, "  ")
    assert call.replies == []
    assert len(call.events("no_words")) == 1


def test_words_before_a_wordless_sound_are_answered(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(2.25, "hello")
    call.voice(2.28, 2.5)
    assert call.final(2.75, "") == []
    assert call.wait(3.0) == [asked(1, 1, "hello")]
    call.tell(3.1, CallerHungUp())
    assert call.rows[0].instants["stt_final_at"] == 2.75


def test_a_final_that_never_comes_is_given_up(talk):
    call = talk()
    call.voice(1.0, 2.0)
    assert call.wait(5.319) == []
    assert call.wait(5.33) == [RecordEvent("no_words", {"started_at": 1.0, "ended_at": 2.0})]
    assert call.engine.state == "waiting"


def test_a_final_even_later_than_that_is_answered_all_the_same(talk):
    call = talk()
    call.voice(1.0, 2.0)
    assert call.final(7.0, "when is dinner")[-1] == asked(1, 1, "when is dinner")
    call.tell(8.0, CallerHungUp())
    assert call.rows[0].instants["speech_ended_at"] == 2.0
    assert call.rows[0].instants["stt_final_at"] == 7.0


def test_what_a_turn_consumed_that_was_open_again_stands_in_its_row(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(7.0, "when is dinner")
    call.tell(7.1, UsageReported(Usage("stt", "p", "m", 1.0)), CallerHungUp())
    assert call.rows[0].usage == (Usage("stt", "p", "m", 1.0),)


def test_a_dated_final_even_later_than_that_too(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.final(7.0, "when is dinner", 1.1, 2.0)
    call.tell(8.0, CallerHungUp())
    assert call.rows[0].instants["speech_ended_at"] == 2.0


def test_a_final_later_than_the_goodbye_began_is_its_overlap(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.wait(6.0)
    call.tell(6.1, LimitReached("money"))
    call.final(7.0, "when is dinner")
    call.tell(8.0, CallerHungUp())
    assert [(row.kind, row.caller_text, row.overlap_text) for row in call.rows] == [("goodbye", "", "when is dinner")]


def test_a_final_too_late_joins_the_turn_that_is_open_by_then(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.wait(6.0)
    call.tell(6.1, SpeechStarted(6.0))
    call.final(6.5, "when is dinner")
    call.tell(7.2, SpeechStopped(7.0))
    call.final(7.25, "hello?")
    assert call.wait(8.0) == [asked(1, 1, "when is dinner hello?")]


def test_the_words_there_are_go_on_without_a_final_that_never_comes(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    call.final(1.8, "when is")
    call.tell(2.2, SpeechStopped(2.0))
    assert call.wait(5.3) == []
    assert call.wait(5.4) == [asked(1, 1, "when is")]


def test_words_of_which_no_voice_was_noticed_open_a_turn(talk):
    call = talk()
    assert call.final(1.0, "hello") == []
    assert call.engine.state == "listening"
    assert call.wait(1.319) == []
    assert call.wait(1.32) == [asked(1, 1, "hello")]
    call.tell(2.0, CallerHungUp())
    assert call.rows[0].instants == {"stt_final_at": 1.0, "endpointed_at": 1.32, "reply_ordered_at": 1.32}


def test_a_quiet_caller_is_granted_silence_after_each_final(talk):
    call = talk()
    call.final(1.0, "when is")
    assert call.final(1.2, "dinner") == []
    assert call.wait(1.51) == []
    assert call.wait(1.52) == [asked(1, 1, "when is dinner")]


def test_a_quiet_caller_who_goes_on_is_granted_silence_again(talk):
    call = talk()
    call.final(1.0, "when is")
    call.wait(1.4)
    assert call.final(1.5, "dinner")[:2] == [CancelReply(1, 0.0), ClearAudio()]
    assert call.wait(1.81) == []
    assert call.wait(1.83) == [asked(2, 1, "when is dinner")]


def test_stops_and_windows_without_a_start_are_forgiven(talk):
    call = talk()
    assert call.tell(1.0, SpeechStopped(0.9)) == []
    assert call.engine.state == "waiting"
    call.tell(2.0, SpeechContinued(1.9))
    assert call.engine.state == "listening"
    call.tell(2.5, SpeechStarted(2.4), SpeechStopped(2.4))
    call.final(2.6, "hello")
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].instants["speech_started_at"] == 1.9


def answered(call):
    """A caller who asked "when is" from 1 to 2 s, and reply 1 ordered at 2.32 s."""
    call.caller(1.0, 2.0, "when is")
    assert call.replies == [asked(1, 1, "when is")]
    return call


def test_voice_before_the_answer_is_heard_takes_the_turn_back(talk):
    call = answered(talk())
    assert call.tell(2.43, SpeechStarted(2.4), SpeechContinued(2.49)) == []
    assert call.tell(2.5, SpeechContinued(2.5)) == [
        CancelReply(1, 0.0),
        ClearAudio(),
        RecordEvent("resumed", {"turn": 1, "reply": 1}),
    ]
    assert call.tell(3.2, SpeechStopped(3.0)) == [FinalizeTranscript()]
    call.final(3.25, "dinner")
    assert call.wait(3.32) == [asked(2, 1, "when is dinner")]
    call.tell(4.0, CallerHungUp())
    (row,) = call.rows
    assert (row.turn, row.reply, row.resumed, row.caller_text) == (1, 2, 1, "when is dinner")
    assert row.instants["speech_ended_at"] == 3.0
    assert row.instants["endpointed_at"] == 3.32
    assert row.instants["speech_started_at"] == 1.0


def test_a_sound_that_took_the_turn_back_and_held_no_words_is_answered_again(talk):
    call = answered(talk())
    call.voice(2.4, 2.8)
    call.final(3.05, "")
    assert call.wait(3.2) == [asked(2, 1, "when is")]
    assert call.engine._floor.speaking.resumed == 1


def test_a_blip_before_the_answer_is_heard_changes_nothing(talk):
    call = answered(talk())
    assert call.tell(2.43, SpeechStarted(2.4), SpeechContinued(2.45)) == []
    assert call.tell(2.7, SpeechStopped(2.49)) == [FinalizeTranscript()]
    assert call.final(2.8, "") == []
    call.made(3.0, 1, "At six.")
    call.heard(5.0, 1, 2.0)
    (row,) = call.rows
    assert (row.resumed, row.heard_text, row.instants["speech_ended_at"]) == (0, "At six.", 2.0)


def test_the_stop_itself_may_show_that_voice_lasted_long_enough(talk):
    call = answered(talk())
    call.tell(2.43, SpeechStarted(2.4))
    assert call.tell(2.7, SpeechStopped(2.5))[:2] == [CancelReply(1, 0.0), ClearAudio()]


def test_words_of_a_blip_take_the_turn_back_and_grant_silence_from_its_end(talk):
    call = answered(talk())
    call.tell(2.43, SpeechStarted(2.4))
    call.tell(2.6, SpeechStopped(2.48))
    assert call.final(2.7, "no")[:2] == [CancelReply(1, 0.0), ClearAudio()]
    assert call.wait(2.79) == []
    assert call.wait(2.81) == [asked(2, 1, "when is no")]
    call.tell(3.0, CallerHungUp())
    instants = call.rows[0].instants
    assert (instants["speech_ended_at"], instants["vad_stopped_at"], instants["stt_requested_at"]) == (2.48, 2.6, 2.6)
    assert (instants["stt_final_at"], instants["endpointed_at"]) == (2.7, 2.8)


def test_a_second_final_takes_the_turn_back_and_is_answered_at_once(talk):
    call = answered(talk())
    assert call.final(2.5, "dinner") == [
        CancelReply(1, 0.0),
        ClearAudio(),
        RecordEvent("resumed", {"turn": 1, "reply": 1}),
        asked(2, 1, "when is dinner"),
    ]
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].resumed == 1
    assert call.rows[0].instants["stt_final_at"] == 2.5


def test_words_in_a_blip_that_goes_on_wait_for_its_end(talk):
    call = answered(talk())
    call.tell(2.43, SpeechStarted(2.4), SpeechContinued(2.46))
    assert call.final(2.47, "dinner")[:2] == [CancelReply(1, 0.0), ClearAudio()]
    call.tell(2.7, SpeechStopped(2.6))
    call.final(2.75, "please")
    assert call.wait(2.91) == []
    assert call.wait(2.93) == [asked(2, 1, "when is dinner please")]


def test_a_turn_can_be_taken_back_again_and_again(talk):
    call = answered(talk())
    call.final(2.5, "dinner")
    call.final(2.6, "please")
    call.tell(3.0, CallerHungUp())
    assert (call.rows[0].resumed, call.rows[0].reply, call.rows[0].caller_text) == (2, 3, "when is dinner please")


def test_instants_of_a_reply_that_was_taken_back_are_not_the_turns(talk):
    call = answered(talk())
    call.tell(2.35, InstantRecorded(1, "llm_requested_at", 2.34), InstantRecorded(1, "llm_requested_at", 9.9))
    call.final(2.5, "dinner")
    call.tell(2.6, InstantRecorded(1, "played_at", 2.6), InstantRecorded(2, "llm_requested_at", 2.55))
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].instants["llm_requested_at"] == 2.55
    assert "played_at" not in call.rows[0].instants
