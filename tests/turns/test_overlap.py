"""Words over the agent's voice, and to whom they belong by arrival and by date."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import FinalizeTranscript, RecordEvent, StartReply
from patter_nb.turns.events import (
    CallerHungUp,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
)
from patter_nb.turns.messages import Message


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
