"""Replies that fail: replaced, played out, counted, and given up."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import (
    CancelReply,
    ClearAudio,
    EndCall,
    RecordEvent,
    StartReply,
)
from patter_nb.turns.events import (
    InstantRecorded,
    ReplyFailed,
    ReplyGenerated,
    SegmentReady,
    SegmentSynthesized,
    ToolCalled,
    ToolReturned,
    TranscriptionFailed,
)
from patter_nb.turns.facts import ToolRun
from patter_nb.turns.policy import TurnPolicy

FALLBACK, GOODBYE = TurnPolicy().fallback, TurnPolicy().goodbye


def test_an_answer_that_fails_unheard_is_replaced_by_the_fallback_line(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    assert call.tell(2.5, ReplyFailed(1, "llm", "out of quota")) == [
        RecordEvent("reply_failed", {"turn": 1, "reply": 1, "stage": "llm", "error": "out of quota"}),
        CancelReply(1, 0.0),
        StartReply(2, 1, "fallback", (), FALLBACK),
    ]
    call.made(2.6, 2, FALLBACK)
    call.heard(4.7, 2, 2.0)
    (row,) = call.rows
    assert (row.turn, row.reply, row.error, row.heard_text) == (1, 2, "out of quota", FALLBACK)
    assert call.conversation() == [("user", "when"), ("assistant", FALLBACK)]


def test_what_the_carrier_may_have_of_a_failed_answer_is_cleared(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, "At six."))
    assert call.tell(2.6, ReplyFailed(1, "tts", "broke"))[1:3] == [CancelReply(1, 0.0), ClearAudio()]


def test_a_reply_that_fails_while_it_is_heard_plays_out(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, "At six."), SegmentSynthesized(1, 0, 1.0), SegmentReady(1, 1, "Or at"))
    call.heard(2.9, 1, 0.2)
    assert call.tell(3.0, ReplyFailed(1, "tts", "broke", segment=1)) == [
        RecordEvent("reply_failed", {"turn": 1, "reply": 1, "stage": "tts", "error": "broke"})
    ]
    call.tell(3.1, SegmentReady(1, 2, "seven."), ToolCalled(1, "t", "book", "{}"), ReplyFailed(1, "tts", "again", segment=1))
    assert call.heard(3.7, 1, 1.0)[:-1] == [CancelReply(1, 1.0)]
    (row,) = call.rows
    assert (row.error, row.heard_text, row.agent_text, row.interrupted) == ("broke", "At six.", "At six. Or at", False)
    assert row.instants["finished_at"] == 3.7
    assert len(call.events("reply_failed")) == 1


def test_audio_of_which_nobody_knows_how_much_there_is_does_not_play_on(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, "At six."), SegmentSynthesized(1, 0, 1.0), SegmentReady(1, 1, "Or at"))
    call.heard(2.9, 1, 0.2)
    call.tell(3.0, ReplyFailed(1, "tts", "broke"), ReplyFailed(1, "tts", "broke", segment=1))
    assert call.heard(3.7, 1, 1.0)[:2] == [CancelReply(1, 1.0), ClearAudio()]


def test_the_audio_there_is_of_a_segment_that_failed_plays_out_too(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, "At six or at seven."))
    call.heard(2.9, 1, 0.2)
    call.tell(3.0, ReplyFailed(1, "tts", "broke", segment=0, seconds=0.6))
    assert call.rows == []
    call.heard(3.3, 1, 0.6)
    assert (call.rows[0].heard_text, call.rows[0].agent_text) == ("", "At six or at seven.")


def test_segments_ready_before_the_model_failed_are_spoken(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SegmentReady(1, 0, "At six."), SegmentSynthesized(1, 0, 1.0), SegmentReady(1, 1, "Or later."))
    call.heard(2.9, 1, 0.2)
    call.tell(3.0, ReplyFailed(1, "llm", "broke"))
    call.heard(3.7, 1, 1.0)
    assert call.rows == []
    call.tell(3.8, SegmentSynthesized(1, 1, 1.0))
    call.heard(4.7, 1, 1.0, segment=1)
    assert (call.rows[0].heard_text, call.rows[0].error) == ("At six. Or later.", "broke")


def test_a_greeting_that_fails_is_not_replaced(talk):
    call = talk("Hi!")
    assert call.tell(0.5, ReplyFailed(1, "tts", "broke"))[1:2] == [CancelReply(1, 0.0)]
    assert len(call.replies) == 1
    assert call.rows[0].error == "broke"
    assert call.engine.state == "waiting"


def test_a_fallback_that_fails_closes_the_turn_with_the_first_error(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, ReplyFailed(1, "llm", "out of quota"))
    call.tell(2.6, ReplyFailed(2, "tts", "no voice"))
    assert (call.rows[0].error, call.rows[0].heard_text) == ("out of quota", "")
    assert [event["error"] for event in call.events("reply_failed")] == ["out of quota", "no voice"]


def test_without_a_fallback_line_nothing_is_said(talk):
    call = talk(fallback="")
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, ReplyFailed(1, "llm", "out of quota"))
    assert len(call.replies) == 1
    assert call.rows[0].error == "out of quota"


def test_a_model_that_does_not_answer_has_failed(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    due = call.replies and call.engine.next_timer()
    assert due == pytest.approx(17.32)
    call.wait(17.3)
    assert len(call.replies) == 1
    call.wait(17.33)
    assert call.replies[1].kind == "fallback"
    assert call.events("reply_failed")[0]["error"] == "the model did not answer within 15 s"


def test_a_token_renews_the_patience_with_a_model_once(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(12.0, InstantRecorded(1, "llm_first_token_at", 12.0))
    call.tell(20.0, InstantRecorded(1, "llm_first_token_at", 20.0))
    call.wait(26.9)
    assert call.events("reply_failed") == []
    call.wait(27.1)
    assert call.events("reply_failed")[0]["error"] == "the model brought no sentence within 15 s of its first token"


def test_a_token_counts_anew_when_the_model_is_asked_again(talk):
    call = talk()
    call.caller(1.0, 2.0, "book")
    call.tell(3.0, InstantRecorded(1, "llm_first_token_at", 3.0), ToolCalled(1, "t", "book", "{}"), ReplyGenerated(1))
    call.tell(4.0, ToolReturned(1, "t", "ok"))
    call.tell(18.0, InstantRecorded(1, "llm_first_token_at", 18.0))
    call.wait(32.9)
    assert call.events("reply_failed") == []
    call.wait(33.1)
    assert call.replies[1].kind == "fallback"


def test_the_row_says_how_long_was_waited_for_a_reply_that_failed(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, InstantRecorded(1, "llm_requested_at", 2.4))
    call.tell(5.0, ReplyFailed(1, "llm", "down"))
    call.made(5.1, 2, FALLBACK)
    call.heard(7.2, 2, 2.0)
    instants = call.rows[0].instants
    assert (instants["failed_reply_ordered_at"], instants["failed_reply_ended_at"]) == (2.32, 5.0)
    assert instants["reply_ordered_at"] == 5.0
    assert "llm_requested_at" not in instants


def test_what_failed_before_the_caller_went_on_is_no_part_of_their_wait(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, InstantRecorded(1, "llm_requested_at", 2.4), ReplyFailed(1, "llm", "down"))
    call.tell(2.6, InstantRecorded(2, "tts_requested_at", 2.6))
    call.caller(3.0, 4.0, "is dinner")
    call.made(5.0, 3, "At six.")
    call.heard(7.1, 3, 2.0)
    (row,) = call.rows
    assert (row.resumed, row.instants["speech_ended_at"], row.instants["reply_ordered_at"]) == (1, 4.0, 4.32)
    assert not {"failed_reply_ordered_at", "failed_reply_ended_at", "llm_requested_at", "tts_requested_at"} & set(row.instants)


@pytest.mark.parametrize("event", [SegmentReady(1, 0, "At six."), ToolCalled(1, "t", "book", "{}")])
def test_a_segment_or_a_tool_call_is_an_answer(talk, event):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(3.0, event)
    call.wait(100.0)
    assert call.events("reply_failed") == []


def test_a_reply_that_stops_in_the_middle_of_its_tools_fails_too(talk):
    call = talk()
    call.caller(1.0, 2.0, "book")
    call.tell(3.0, ToolCalled(1, "t", "book", "{}"), ReplyGenerated(1))
    call.tell(4.0, ToolReturned(1, "t", "ok"))
    call.wait(18.9)
    assert call.events("reply_failed") == []
    call.wait(19.1)
    assert call.replies[1].kind == "fallback"


def test_a_reply_overdue_while_it_is_heard_plays_out(talk):
    call = talk()
    call.caller(1.0, 2.0, "book")
    call.tell(2.5, SegmentReady(1, 0, "One moment."), SegmentSynthesized(1, 0, 30.0))
    call.tell(3.0, ToolCalled(1, "t", "book", "{}"), ReplyGenerated(1), ToolReturned(1, "t", "ok"))
    call.heard(3.5, 1, 0.5)
    call.wait(20.0)
    assert call.rows == []
    call.heard(33.0, 1, 30.0)
    assert (call.rows[0].error, call.rows[0].heard_text) == ("the model did not answer within 15 s", "One moment.")
    assert call.rows[0].tools == (ToolRun("t", "book", "{}", "ok", None, 3.0, 3.0),)


def test_an_empty_reply_is_a_failure_and_nothing_is_said(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, ReplyGenerated(1))
    assert len(call.replies) == 1
    assert (call.rows[0].error, call.rows[0].agent_text) == ("the reply was empty", "")
    assert "finished_at" not in call.rows[0].instants
    assert len(call.events("reply_failed")) == 1
    assert call.conversation() == [("user", "when")]


def test_an_empty_reply_that_was_silenced_is_no_failure_and_the_next_turn_is_answered(talk):
    call = talk()
    for start in (1.0, 11.0, 21.0, 31.0):
        call.caller(start, start + 1, "when")
        call.tell(start + 1.5, ReplyGenerated(call.replies[-1].reply, silenced=True))
    assert [(row.error, row.agent_text) for row in call.rows] == [(None, "")] * 4
    assert call.events("reply_failed") == []


def failing(call, number, start):
    """One turn whose answer and fallback both fail."""
    call.caller(start, start + 1, f"turn {number}")
    call.tell(start + 1.5, ReplyFailed(call.replies[-1].reply, "llm", "down"))
    if call.replies[-1].kind == "fallback":
        call.tell(start + 1.6, ReplyFailed(call.replies[-1].reply, "tts", "down"))


def test_after_max_failures_in_a_row_the_agent_says_goodbye(talk):
    call = talk()
    failing(call, 1, 1.0)
    assert call.engine.state == "waiting"
    failing(call, 2, 4.0)
    order = call.replies[-1]
    assert (order.kind, order.text, order.turn) == ("goodbye", GOODBYE, 3)
    call.made(6.0, order.reply, GOODBYE)
    assert call.heard(8.1, order.reply, 2.0)[-1] == EndCall("3 failures in a row")
    assert [row.kind for row in call.rows] == ["caller", "caller", "goodbye"]


def test_a_fallback_that_is_heard_does_not_count_as_success(talk):
    call = talk()
    for start in (1.0, 11.0, 21.0):
        call.caller(start, start + 1, "when")
        call.tell(start + 1.5, ReplyFailed(call.replies[-1].reply, "llm", "down"))
        reply = call.replies[-1].reply
        call.made(start + 1.6, reply, call.replies[-1].text)
        call.heard(start + 3.7, reply, 2.0)
    assert [order.kind for order in call.replies] == ["answer", "fallback"] * 2 + ["answer", "goodbye"]
    assert call.engine.ended


def test_an_answer_that_is_heard_forgives_the_failures_before(talk):
    call = talk(max_failures=2)
    for start in (1.0, 21.0, 41.0):
        call.caller(start, start + 1, "when")
        call.tell(start + 1.5, ReplyFailed(call.replies[-1].reply, "llm", "down"))
        reply = call.replies[-1].reply
        call.made(start + 1.6, reply, FALLBACK)
        call.heard(start + 3.7, reply, 2.0)
        call.caller(start + 5, start + 6, "when")
        reply = call.replies[-1].reply
        call.made(start + 6.5, reply, "At six.")
        call.heard(start + 9, reply, 2.0)
    assert "goodbye" not in [order.kind for order in call.replies]


def test_a_recogniser_that_fails_again_and_again_ends_the_call_too(talk):
    call = talk(max_failures=2, goodbye="")
    call.tell(1.0, TranscriptionFailed("down"))
    assert not call.engine.ended
    assert call.tell(2.0, TranscriptionFailed("down"))[-1] == EndCall("2 failures in a row")


def test_the_agent_finishes_what_it_says_before_it_gives_up(talk):
    call = talk("Hi!", max_failures=1)
    call.made(0.1, 1, "Hi!")
    call.tell(1.0, TranscriptionFailed("down"))
    assert len(call.replies) == 1
    call.heard(2.2, 1, 1.0)
    call.heard(2.3, 1, 2.0)
    assert call.engine.state == "waiting", "what was heard is a success"
    call.tell(3.0, TranscriptionFailed("down"))
    assert call.replies[-1].kind == "goodbye"


def test_a_call_that_gives_up_does_not_answer_any_more(talk):
    call = talk(max_failures=1)
    call.voice(1.0, 2.0)
    call.final(2.25, "when")
    call.tell(2.26, TranscriptionFailed("down"))
    assert [order.kind for order in call.replies] == ["goodbye"]
    assert call.rows[0].caller_text == "when"
