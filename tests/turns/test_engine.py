"""The engine: replies from order to row, failures, tools, speech-to-speech, and how a call ends."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import (
    AdoptReply,
    CancelReply,
    ClearAudio,
    ContinueReply,
    EndCall,
    FinalizeTranscript,
    RecordEvent,
    RecordTurn,
    RunTool,
    SpeakFiller,
    StartReply,
)
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    CallerHungUp,
    FinalReceived,
    HangUpRequested,
    InstantRecorded,
    LimitReached,
    ProviderReplyStarted,
    ProviderTurnEnded,
    ProviderTurnStarted,
    ReplyFailed,
    ReplyGenerated,
    ReplyStarted,
    SayRequested,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    ToolCalled,
    ToolReturned,
    TranscriptionFailed,
)
from patter_nb.turns.facts import ToolRun
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.reply import CANCELLED

FALLBACK, GOODBYE = TurnPolicy().fallback, TurnPolicy().goodbye


# The call opens.


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


# A reply's life.


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


# Failures.


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
    assert call.rows[0].tools == (ToolRun("t", "book", "{}", "ok"),)


def test_an_empty_reply_is_a_failure_and_nothing_is_said(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, ReplyGenerated(1))
    assert len(call.replies) == 1
    assert (call.rows[0].error, call.rows[0].agent_text) == ("the reply was empty", "")
    assert "finished_at" not in call.rows[0].instants
    assert len(call.events("reply_failed")) == 1
    assert call.conversation() == [("user", "when")]


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


# Tools.


def with_tool(call, filler=""):
    call.caller(1.0, 2.0, "book a table")
    assert call.tell(3.0, ToolCalled(1, "t1", "book", '{"for": 2}', filler)) == [RunTool(1, "t1", "book", '{"for": 2}')]
    return call


def test_when_its_tools_have_returned_the_model_is_asked_again_in_the_same_reply(talk):
    call = with_tool(talk())
    assert call.tell(3.1, ToolCalled(1, "t2", "smile", "{}")) == [RunTool(1, "t2", "smile", "{}")]
    assert call.tell(3.2, ReplyGenerated(1)) == []
    assert call.tell(3.5, ToolReturned(1, "t2", error="no face")) == []
    assert call.tell(3.9, ToolReturned(1, "t1", "table 4")) == [
        ContinueReply(
            1,
            (
                Message("user", "book a table"),
                Message("assistant", "", (ToolRequest("t1", "book", '{"for": 2}'), ToolRequest("t2", "smile", "{}"))),
                Message("tool", "table 4", tool_id="t1"),
                Message("tool", "no face", tool_id="t2"),
            ),
        )
    ]
    call.made(4.2, 1, "It is table four.")
    call.heard(6.5, 1, 2.0)
    (row,) = call.rows
    assert row.tools == (ToolRun("t1", "book", '{"for": 2}', "table 4"), ToolRun("t2", "smile", "{}", None, "no face"))
    assert row.heard_text == "It is table four."
    assert call.conversation()[-1] == ("assistant", "It is table four.")


def test_a_tool_that_returned_before_the_model_was_done_waits_for_it(talk):
    call = with_tool(talk())
    assert call.tell(3.2, ToolReturned(1, "t1", "ok")) == []
    assert isinstance(call.tell(3.3, ReplyGenerated(1))[0], ContinueReply)


def test_the_model_is_shown_what_it_wrote_before_the_tool_though_it_is_not_heard_yet(talk):
    call = talk()
    call.caller(1.0, 2.0, "book a table")
    call.tell(2.9, SegmentReady(1, 0, "One moment."), SegmentSynthesized(1, 0, 1.0), ToolCalled(1, "t1", "book", "{}"))
    call.tell(3.0, ReplyGenerated(1))
    (command,) = call.tell(3.1, ToolReturned(1, "t1", "ok"))
    assert command.messages[1] == Message("assistant", "One moment.", (ToolRequest("t1", "book", "{}"),))
    assert call.engine.messages[1].content == ""


def test_there_may_be_several_rounds(talk):
    call = with_tool(talk())
    call.tell(3.2, ReplyGenerated(1), ToolReturned(1, "t1", "full"))
    call.tell(3.5, ToolCalled(1, "t2", "book", "{}"), ReplyGenerated(1))
    (command,) = call.tell(3.9, ToolReturned(1, "t2", "ok"))
    assert [message.role for message in command.messages] == ["user", "assistant", "tool", "assistant", "tool"]
    call.made(4.0, 1, "Done.")
    call.heard(6.1, 1, 2.0)
    assert [run.id for run in call.rows[0].tools] == ["t1", "t2"]


def test_a_reply_is_not_complete_while_its_tool_runs(talk):
    call = talk()
    call.caller(1.0, 2.0, "book")
    call.tell(2.9, SegmentReady(1, 0, "One moment."), SegmentSynthesized(1, 0, 1.0), ToolCalled(1, "t1", "book", "{}"))
    call.tell(3.0, ReplyGenerated(1))
    call.heard(4.0, 1, 1.0)
    assert call.rows == []


def test_a_tool_that_takes_long_is_covered_by_its_filler_line_once(talk):
    call = with_tool(talk(), filler="One moment.")
    assert call.wait(3.99) == []
    assert call.wait(4.0) == [SpeakFiller(1, "One moment.")]
    call.tell(4.1, SegmentReady(1, 0, "One moment."), SegmentSynthesized(1, 0, 0.8), ReplyGenerated(1))
    call.heard(5.0, 1, 0.8)
    assert call.wait(12.0) == []
    call.tell(12.0, ToolReturned(1, "t1", "ok"))
    call.tell(12.1, SegmentReady(1, 1, "Done."), SegmentSynthesized(1, 1, 0.5), ReplyGenerated(1))
    call.heard(13.0, 1, 0.5, segment=1)
    assert call.rows[0].heard_text == "One moment. Done."


def test_a_quick_tool_needs_no_filler(talk):
    call = with_tool(talk(), filler="One moment.")
    call.tell(3.5, ToolReturned(1, "t1", "ok"))
    assert call.wait(9.0) == []


def test_the_filler_waits_until_the_agent_is_silent(talk):
    call = talk()
    call.caller(1.0, 2.0, "book")
    call.tell(2.5, SegmentReady(1, 0, "Let me see."), SegmentSynthesized(1, 0, 3.0))
    call.tell(3.0, ToolCalled(1, "t1", "book", "{}", "One moment."))
    call.heard(3.5, 1, 0.5)
    assert call.wait(5.9) == []
    assert call.heard(6.0, 1, 3.0) == [SpeakFiller(1, "One moment.")]


def test_the_filler_is_that_of_a_tool_that_has_one(talk):
    call = with_tool(talk())
    call.tell(3.1, ToolCalled(1, "t2", "smile", "{}", "Hm."))
    assert call.wait(4.2) == [SpeakFiller(1, "Hm.")]


def interrupted_with_tools(call):
    """t1 returned, t2 still runs; half of "One moment please, sir." was heard when the caller interrupts."""
    call.caller(1.0, 2.0, "book a table")
    call.tell(2.5, SegmentReady(1, 0, "One moment please, sir."), SegmentSynthesized(1, 0, 2.0))
    call.tell(2.6, ToolCalled(1, "t1", "book", "{}"), ToolCalled(1, "t2", "smile", "{}"), ReplyGenerated(1))
    call.tell(2.7, ToolReturned(1, "t1", "table 4"))
    call.heard(3.8, 1, 1.0)
    call.tell(3.9, SpeechStarted(3.6), SpeechContinued(3.9))
    assert call.engine.state == "listening"
    return call


def test_results_survive_an_interruption_and_what_still_ran_is_cancelled(talk):
    call = interrupted_with_tools(talk())
    call.tell(4.0, InstantRecorded(1, "cleared_at", 3.9))
    (row,) = call.rows
    assert row.tools == (ToolRun("t1", "book", "{}", "table 4"), ToolRun("t2", "smile", "{}", None, CANCELLED))
    assert call.engine.messages == (
        Message("user", "book a table"),
        Message("assistant", "One moment", (ToolRequest("t1", "book", "{}"), ToolRequest("t2", "smile", "{}"))),
        Message("tool", "table 4", tool_id="t1"),
        Message("tool", CANCELLED, tool_id="t2"),
    )


def test_a_cancelled_reply_is_not_continued(talk):
    call = interrupted_with_tools(talk())
    assert call.tell(4.0, ToolReturned(1, "t2", "smiled")) == []
    assert not [command for command in call.commands if isinstance(command, ContinueReply)]


# Speech-to-speech.


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


# The call ends.


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
    call.tell(1.0, SpeechStarted(1.0))
    call.final(1.8, "when is")
    call.tell(1.9, CallerHungUp())
    (row,) = call.rows
    assert (row.turn, row.reply, row.caller_text, row.agent_text) == (1, 0, "when is", "")


def test_a_sound_at_the_end_is_reported(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    call.tell(1.9, CallerHungUp())
    assert call.rows == []
    assert call.events("no_words") == [{"started_at": 1.0, "ended_at": None}]


def test_words_spoken_over_the_agent_when_the_line_breaks_are_overlap(talk):
    call = talk(barge_in_seconds=None)
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "Dinner is at six.")
    call.heard(3.6, 1, 1.0)
    call.tell(3.7, SpeechStarted(3.6))
    call.final(3.9, "bye then")
    call.tell(4.0, CallerHungUp())
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


# The policy.


def test_a_new_policy_governs_from_the_next_turn_on(talk):
    call = talk(hangover_seconds=0.5)
    call.tell(1.0, SpeechStarted(1.0))
    call.engine.replace_policy(TurnPolicy(hangover_seconds=2.0))
    call.tell(2.2, SpeechStopped(2.0), FinalReceived("one"))
    call.wait(2.5)
    assert len(call.replies) == 1
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
