"""The caller's side: turns open, go on and are answered; words land where they belong."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import CancelReply, ClearAudio, FinalizeTranscript, RecordEvent, StartReply
from patter_nb.turns.events import (
    AudioHeard,
    CallerHungUp,
    FinalReceived,
    InstantRecorded,
    InterimReceived,
    LimitReached,
    ProviderTurnEnded,
    ProviderTurnStarted,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    TranscriptionFailed,
    UsageReported,
)
from patter_nb.turns.messages import Message
from patter_nb.turns.policy import TurnPolicy
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


def test_the_endpoint_is_when_the_engine_acted_on_it(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.log += [(2.4, command) for command in call.engine.receive(FinalReceived("hello"), 2.4)]
    assert call.replies == [asked(1, 1, "hello")]
    call.tell(2.5, CallerHungUp())
    assert (call.rows[0].instants["endpointed_at"], call.rows[0].instants["reply_ordered_at"]) == (2.4, 2.4)


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


# Going on before anything of the answer was heard.


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


# Over the agent's voice.


def speaking(call, text="Dinner is at six.", seconds=2.0):
    """Reply 1 to "when" is heard from 3.0 s on; its first 200 ms are marked at 3.2 s."""
    call.caller(1.0, 2.0, "when")
    call.made(2.8, 1, text, seconds=seconds)
    call.heard(3.2, 1, 0.2)
    return call


def test_short_words_over_the_agent_are_overlap(talk):
    call = speaking(talk())
    call.tell(3.53, SpeechStarted(3.5), SpeechContinued(3.7))
    assert call.tell(3.95, SpeechStopped(3.75)) == [FinalizeTranscript()]
    assert call.final(4.1, "mhm") == [RecordEvent("overlap", {"turn": 1, "text": "mhm"})]
    call.heard(5.0, 1, 2.0)
    (row,) = call.rows
    assert (row.overlap_text, row.caller_text, row.heard_text, row.interrupted) == ("mhm", "when", "Dinner is at six.", False)
    assert call.wait(8.0) == []


def test_a_row_waits_for_the_words_of_its_overlap(talk):
    call = speaking(talk())
    call.tell(4.5, SpeechStarted(4.4))
    call.tell(4.7, SpeechStopped(4.55))
    assert call.heard(5.0, 1, 2.0) == []
    assert call.rows == []
    call.final(5.4, "mhm")
    assert call.rows[0].overlap_text == "mhm"
    assert call.rows[0].instants["finished_at"] == 5.0


def test_a_row_waits_no_longer_than_the_final_timeout(talk):
    call = speaking(talk())
    call.tell(4.5, SpeechStarted(4.4))
    call.tell(4.7, SpeechStopped(4.55))
    call.heard(5.0, 1, 2.0)
    call.wait(7.99)
    assert call.rows == []
    call.wait(8.0)
    assert call.rows[0].overlap_text == ""


def test_a_word_after_its_row_was_written_opens_the_next_turn(talk):
    call = speaking(talk())
    call.tell(4.5, SpeechStarted(4.4))
    call.tell(4.7, SpeechStopped(4.55))
    call.heard(5.0, 1, 2.0)
    call.wait(9.0)
    call.final(9.1, "mhm")
    call.tell(11.0, CallerHungUp())
    assert [row.caller_text for row in call.rows] == ["when", "mhm"]


def test_an_empty_final_releases_the_row(talk):
    call = speaking(talk())
    call.tell(4.5, SpeechStarted(4.4))
    call.tell(4.7, SpeechStopped(4.55))
    call.heard(5.0, 1, 2.0)
    call.final(5.4, "")
    assert len(call.rows) == 1


def test_the_next_answer_forces_the_row(talk):
    call = speaking(talk())
    call.tell(4.5, SpeechStarted(4.4))
    call.tell(4.7, SpeechStopped(4.55))
    call.heard(5.0, 1, 2.0)
    call.tell(5.2, SpeechStarted(5.1))
    call.tell(5.9, SpeechStopped(5.7))
    assert call.rows[0].overlap_text == "", "its final can not be told from the next one any more"
    commands = call.final(6.1, "mhm thanks")
    assert call.replies[-1].messages[-1] == Message("user", "mhm thanks")
    assert isinstance(commands[-1], StartReply)


def test_voice_that_goes_on_when_the_agent_falls_silent_opens_the_next_turn(talk):
    call = speaking(talk(barge_in_seconds=None))
    call.tell(4.2, SpeechStarted(4.1), SpeechContinued(4.9))
    call.final(4.95, "and")
    assert call.rows == []
    call.heard(5.0, 1, 2.0)
    assert call.rows[0].overlap_text == ""
    call.tell(5.7, SpeechStopped(5.5))
    call.final(5.75, "lunch")
    assert call.wait(6.0)[-1] == StartReply(
        2, 2, "answer", (Message("user", "when"), Message("assistant", "Dinner is at six."), Message("user", "and lunch"))
    )
    call.tell(7.0, CallerHungUp())
    assert call.rows[1].instants["speech_started_at"] == 4.1


def test_words_of_an_undecided_voice_become_overlap_when_it_ends_in_time(talk):
    call = speaking(talk(barge_in_seconds=None))
    call.tell(3.5, SpeechStarted(3.4), SpeechContinued(3.9))
    assert call.final(3.95, "go on") == []
    assert call.tell(4.2, SpeechStopped(4.0)) == [RecordEvent("overlap", {"turn": 1, "text": "go on"}), FinalizeTranscript()]
    call.final(4.3, "please")
    call.heard(5.0, 1, 2.0)
    assert call.rows[0].overlap_text == "go on please"


def test_words_over_the_agent_of_which_no_voice_was_noticed_are_overlap(talk):
    call = speaking(talk())
    call.final(4.0, "mhm")
    call.heard(5.0, 1, 2.0)
    assert call.rows[0].overlap_text == "mhm"


# By their date.


def test_a_dated_final_goes_to_the_stretch_it_was_spoken_in(talk):
    call = speaking(talk())
    call.tell(3.53, SpeechStarted(3.5))
    call.tell(3.95, SpeechStopped(3.75))
    call.tell(4.13, SpeechStarted(4.1), SpeechContinued(4.4))
    assert call.engine.state == "listening"
    call.final(4.45, "mhm", 3.5, 3.7)
    call.tell(4.9, SpeechStopped(4.7))
    call.final(5.0, "wait", 4.15, 4.6)
    call.tell(6.0, CallerHungUp())
    assert [(row.caller_text, row.overlap_text) for row in call.rows] == [("when", "mhm"), ("wait", "")]


def test_an_older_dated_final_does_not_stand_for_the_one_that_was_asked_for(talk):
    call = speaking(talk())
    call.tell(3.53, SpeechStarted(3.5))
    call.tell(3.72, SpeechStopped(3.7))
    call.tell(3.93, SpeechStarted(3.9), SpeechContinued(4.2))
    call.tell(4.5, SpeechStopped(4.4))
    call.final(4.6, "mhm", 3.5, 3.7)
    assert call.wait(5.5) == []
    assert isinstance(call.final(5.6, "wait", 3.95, 4.4)[-1], StartReply)
    call.tell(6.0, CallerHungUp())
    assert [(row.caller_text, row.overlap_text) for row in call.rows] == [("when", "mhm"), ("wait", "")]


def test_a_late_dated_final_joins_the_words_it_belongs_to_even_while_the_answer_is_heard(talk):
    call = speaking(talk())
    assert call.final(3.5, "exactly", 1.5, 1.9) == []
    call.heard(5.0, 1, 2.0)
    assert (call.rows[0].caller_text, call.rows[0].overlap_text) == ("when exactly", "")
    assert call.rows[0].instants["stt_final_at"] == 2.25
    assert call.conversation()[0] == ("user", "when exactly")


def test_a_dated_final_of_a_voice_that_is_undecided_waits_with_it(talk):
    call = speaking(talk())
    call.tell(3.53, SpeechStarted(3.5), SpeechContinued(3.6))
    assert call.final(3.65, "stop", 3.45, 3.6) == []
    call.tell(3.8, SpeechContinued(3.8))
    call.tell(4.2, SpeechStopped(4.0))
    call.final(4.3, "it", 3.7, 4.0)
    call.wait(5.0)
    assert call.replies[-1].messages[-1] == Message("user", "stop it")


def test_voice_activity_may_notice_a_word_a_little_late(talk):
    call = speaking(talk())
    call.tell(3.53, SpeechStarted(3.5), SpeechContinued(3.6))
    assert call.final(3.65, "stop", 3.4, 3.4) == [], "it is the voice's"
    assert call.final(3.66, "yes", 3.39, 3.39) == [RecordEvent("overlap", {"turn": 1, "text": "yes"})]


def test_a_date_in_nobodys_stretch_leaves_it_to_whoever_has_the_floor(talk):
    call = speaking(talk())
    call.tell(4.6, SpeechStarted(4.5))
    call.tell(4.8, SpeechStopped(4.6))
    call.heard(5.0, 1, 2.0)
    call.final(6.5, "hello", 6.0, 6.3)
    assert call.rows == []
    call.wait(6.9)
    assert [(row.caller_text, row.overlap_text) for row in call.rows] == [("when", "")]
    assert call.replies[-1].messages[-1] == Message("user", "hello")


@pytest.mark.parametrize(("started_at", "ended_at"), [(1.2, None), (None, 1.9)])
def test_half_a_date_is_a_date(talk, started_at, ended_at):
    call = speaking(talk())
    call.final(3.5, "exactly", started_at, ended_at)
    call.heard(5.0, 1, 2.0)
    assert call.rows[0].caller_text == "when exactly"


# What the agent was told to say answers nobody.


def test_voice_that_ended_before_the_greeting_is_heard_is_answered_after_it(talk):
    call = talk("Good evening!")
    call.voice(0.1, 0.6)
    call.final(0.9, "hello?")
    call.made(1.0, 1, "Good evening!")
    call.heard(1.4, 1, 0.4)
    assert call.heard(3.0, 1, 2.0)[-1] == StartReply(
        2, 1, "answer", (Message("assistant", "Good evening!"), Message("user", "hello?"))
    )
    call.tell(4.0, CallerHungUp())
    assert [(row.turn, row.kind, row.caller_text, row.resumed) for row in call.rows] == [
        (0, "greeting", "", 0),
        (1, "caller", "hello?", 0),
    ]
    assert call.rows[1].instants["endpointed_at"] == pytest.approx(0.92)
    assert call.rows[1].instants["reply_ordered_at"] == 3.0


def test_a_caller_who_waits_for_his_answer_may_say_more_over_the_greeting(talk):
    call = talk("Good evening!")
    call.caller(0.1, 0.6, "hello?")
    call.made(1.0, 1, "Good evening!")
    call.heard(1.4, 1, 0.4)
    call.voice(1.5, 1.7)
    call.final(2.0, "mhm")
    call.voice(2.1, 2.6)
    assert call.engine.state == "listening"
    call.final(2.85, "are you there")
    call.wait(3.0)
    assert call.replies[-1].messages[-1] == Message("user", "hello? are you there")
    assert call.events("overlap") == [{"turn": 0, "text": "mhm"}]


def test_words_of_a_voice_over_a_greeting_that_is_not_heard_yet_wait_with_it(talk):
    call = talk("Good evening!")
    call.made(0.1, 1, "Good evening!")
    call.tell(0.2, SpeechStarted(0.15))
    assert call.final(0.3, "hel") == []
    call.heard(0.35, 1, 0.2)
    assert call.tell(0.45, SpeechStopped(0.4)) == [RecordEvent("overlap", {"turn": 0, "text": "hel"}), FinalizeTranscript()]
    call.heard(2.2, 1, 2.0)
    assert call.engine.state == "waiting"


# A provider that owns turn-taking.

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


# A recogniser that fails.


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
