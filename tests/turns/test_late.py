"""What comes after its time: usage, tool results and instants."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import EndCall, RecordEvent
from patter_nb.turns.events import (
    CallerHungUp,
    InstantRecorded,
    LimitReached,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    ToolCalled,
    ToolReturned,
    UsageReported,
)
from patter_nb.turns.facts import ToolRun
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.reply import CANCELLED
from patter_nb.turns.usage import Usage

LLM = Usage("llm", "p", "m", input_tokens=7)
STT = Usage("stt", "p", "m", audio_seconds=1.0)
TTS = Usage("tts", "p", "m", characters=5)


CALLED = 2.5


def interrupted(call):
    """Reply 1 with a running tool is interrupted at 4.3 s; its row waits for the clear."""
    call.caller(1.0, 2.0, "book")
    call.tell(2.5, SegmentReady(1, 0, "One moment."), SegmentSynthesized(1, 0, 4.0), ToolCalled(1, "t1", "book", "{}"))
    call.heard(3.5, 1, 0.5)
    call.tell(4.3, SpeechStarted(4.0), SpeechContinued(4.3))
    assert call.rows == []
    return call


def test_what_a_reply_consumed_stands_in_its_turns_row(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, UsageReported(LLM, 1), UsageReported(TTS, 1))
    call.made(2.5, 1, "At six.")
    call.heard(4.6, 1, 2.0)
    assert call.rows[0].usage == (LLM, TTS)


def test_what_a_cancelled_reply_consumed_is_paid_for_by_its_turn(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.final(2.5, "is dinner")
    call.tell(2.6, UsageReported(LLM, 1), UsageReported(LLM, 2))
    call.made(2.7, 2, "At six.")
    call.heard(4.8, 2, 2.0)
    assert call.rows[0].usage == (LLM, LLM)


def test_usage_of_an_interrupted_reply_comes_into_its_row_while_that_waits(talk):
    call = interrupted(talk())
    assert call.tell(4.4, UsageReported(LLM, 1)) == []
    call.tell(4.5, InstantRecorded(1, "cleared_at", 4.4))
    assert call.rows[0].usage == (LLM,)


def test_usage_after_the_row_is_an_event(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "At six.")
    call.heard(4.6, 1, 2.0)
    assert call.tell(5.0, UsageReported(LLM, 1)) == [RecordEvent("late_usage", {"turn": 1, "reply": 1, "usage": LLM})]


def test_usage_of_a_reply_that_never_was_belongs_to_the_call(talk):
    call = talk()
    assert call.tell(5.0, UsageReported(LLM, 7)) == [RecordEvent("call_usage", {"usage": LLM})]


def test_transcription_belongs_to_the_open_turn(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), UsageReported(STT))
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.3, "when")
    call.wait(2.4)
    call.tell(2.5, UsageReported(STT))
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].usage == (STT, STT)


def test_transcription_belongs_to_the_callers_last_turn_while_its_row_waits(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "At six.")
    call.heard(4.0, 1, 1.0)
    call.tell(4.3, SpeechStarted(4.1), SpeechStopped(4.2))
    call.heard(5.0, 1, 2.0)
    call.tell(5.1, UsageReported(STT))
    call.final(5.2, "mhm")
    assert (call.rows[0].usage, call.rows[0].overlap_text) == ((STT,), "mhm")


@pytest.mark.parametrize("usage", [STT, LLM, TTS], ids=lambda usage: usage.service)
def test_what_belongs_to_no_turn_belongs_to_the_call(talk, usage):
    call = talk("Hi!")
    assert call.tell(0.1, UsageReported(usage)) == [RecordEvent("call_usage", {"usage": usage})]


def test_only_transcription_belongs_to_a_turn_without_a_reply_number(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    assert call.tell(1.1, UsageReported(LLM)) == [RecordEvent("call_usage", {"usage": LLM})]


def test_transcription_after_the_last_row_belongs_to_the_call(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "At six.")
    call.heard(4.6, 1, 2.0)
    assert call.tell(5.0, UsageReported(STT)) == [RecordEvent("call_usage", {"usage": STT})]


def test_transcription_of_a_sound_without_words_belongs_to_the_call(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), UsageReported(STT))
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.3, "")
    assert call.wait(2.4) == [
        RecordEvent("no_words", {"started_at": 1.0, "ended_at": 2.0}),
        RecordEvent("call_usage", {"usage": STT}),
    ]
    assert call.final(2.5, "oh")[-1:] == [], "and it is not counted again should words come after all"
    call.wait(3.0)
    call.tell(3.5, CallerHungUp())
    assert call.rows[0].usage == ()


def test_a_tool_that_finished_after_an_interruption_has_finished(talk):
    call = interrupted(talk())
    assert call.tell(4.4, ToolReturned(1, "t1", "table 4")) == []
    call.tell(4.5, InstantRecorded(1, "cleared_at", 4.4))
    assert call.rows[0].tools == (ToolRun("t1", "book", "{}", "table 4", None, CALLED, 4.4),)
    assert Message("tool", "table 4", tool_id="t1") in call.engine.messages


def test_a_tool_that_finished_after_its_row_is_an_event_and_in_the_conversation(talk):
    call = interrupted(talk())
    call.tell(4.5, InstantRecorded(1, "cleared_at", 4.4))
    assert call.rows[0].tools == (ToolRun("t1", "book", "{}", None, CANCELLED, CALLED),)
    assert call.tell(4.6, ToolReturned(1, "t1", "table 4")) == [
        RecordEvent("late_tool_result", {"turn": 1, "reply": 1, "id": "t1", "result": "table 4", "error": None, "at": 4.6})
    ]
    assert call.engine.messages[-1] == Message("tool", "table 4", tool_id="t1")


def test_a_tool_of_a_reply_that_was_taken_back_is_still_known_to_the_next_one(talk):
    call = talk()
    call.caller(1.0, 2.0, "book a table")
    call.tell(2.4, ToolCalled(1, "t1", "book", "{}"))
    call.tell(2.5, SpeechStarted(2.4), SpeechContinued(2.5))
    call.tell(2.6, ToolReturned(1, "t1", "table 4"))
    call.tell(3.2, SpeechStopped(3.0))
    call.final(3.25, "please")
    call.wait(3.4)
    assert call.replies[-1].messages == (
        Message("user", "book a table please"),
        Message("assistant", "", (ToolRequest("t1", "book", "{}"),)),
        Message("tool", "table 4", tool_id="t1"),
    )
    call.made(3.5, 2, "Table four.")
    call.heard(5.6, 2, 2.0)
    assert call.rows[0].tools == (ToolRun("t1", "book", "{}", "table 4", None, 2.4, 2.6),)


def test_a_tool_nobody_asked_for_returns_nothing(talk):
    call = interrupted(talk())
    assert call.tell(4.4, ToolReturned(1, "t9", "table 4")) == []
    call.tell(4.5, InstantRecorded(1, "cleared_at", 4.4))
    assert len(call.rows[0].tools) == 1


def test_a_clear_that_was_no_interruption_is_not_recorded(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.final(2.5, "is dinner")
    assert call.tell(2.6, InstantRecorded(1, "cleared_at", 2.55)) == []
    call.tell(3.0, LimitReached("money"))
    assert call.tell(3.1, InstantRecorded(2, "cleared_at", 3.05)) == []
    assert all("cleared_at" not in row.instants for row in call.rows)
    assert call.tell(4.0, CallerHungUp())[-1] == EndCall("caller hung up")


def test_of_two_clears_the_first_counts(talk):
    call = interrupted(talk())
    call.tell(4.35, SpeechStopped(4.32), InstantRecorded(1, "audible_at", 4.33))
    call.tell(4.4, InstantRecorded(1, "cleared_at", 4.4))
    (row,) = call.rows
    assert row.instants["cleared_at"] == 4.4
    assert "audible_at" not in row.instants


def test_a_clear_of_a_reply_that_was_taken_back_is_no_clear_of_the_next_one(talk):
    call = talk()
    call.caller(1.0, 2.0, "book")
    call.tell(2.5, SegmentReady(1, 0, "One moment."))
    call.caller(2.6, 3.0, "please")
    call.tell(3.5, SegmentReady(2, 0, "One moment."), SegmentSynthesized(2, 0, 4.0))
    call.heard(4.0, 2, 0.4)
    call.tell(4.5, SpeechStarted(4.1), SpeechContinued(4.5))
    call.tell(4.6, InstantRecorded(1, "cleared_at", 2.7), InstantRecorded(2, "cleared_at", 4.55))
    (row,) = call.rows
    assert (row.resumed, row.interrupted, row.instants["cleared_at"]) == (1, True, 4.55)
