"""Tools within a reply: rounds, fillers, interruptions."""

from __future__ import annotations

from patter_nb.turns.commands import (
    ContinueReply,
    RunTool,
    SpeakFiller,
)
from patter_nb.turns.events import (
    InstantRecorded,
    ReplyGenerated,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    ToolCalled,
    ToolReturned,
)
from patter_nb.turns.facts import ToolRun
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.reply import CANCELLED


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
    assert row.tools == (
        ToolRun("t1", "book", '{"for": 2}', "table 4", None, 3.0, 3.9),
        ToolRun("t2", "smile", "{}", None, "no face", 3.1, 3.5),
    )
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
    assert call.wait(4.49) == []
    assert call.wait(4.5) == [SpeakFiller(1, "One moment.")]
    call.tell(4.6, SegmentReady(1, 0, "One moment."), SegmentSynthesized(1, 0, 0.8), ReplyGenerated(1))
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
    assert call.wait(4.7) == [SpeakFiller(1, "Hm.")]


def test_each_tool_says_how_long_it_may_take_before_its_filler_line(talk):
    call = with_tool(talk(), filler="One moment.")
    call.tell(3.1, ToolCalled(1, "t2", "smile", "{}", "Hm.", 0.5))
    assert call.wait(3.59) == []
    assert call.wait(3.6) == [SpeakFiller(1, "Hm.")]
    assert call.wait(9.0) == []


def ending(call, *events):
    """A reply that asked for `end_call` and has said `events`; the tool has returned."""
    call.caller(1.0, 2.0, "bye")
    call.tell(2.9, *events, ToolCalled(1, "t1", "end_call", "{}"), ReplyGenerated(1))
    return call.tell(3.0, ToolReturned(1, "t1", "ok", ends_reply=True))


def test_a_tool_that_ends_the_reply_leaves_nothing_to_add_to_what_was_said(talk):
    call = talk()
    assert ending(call, SegmentReady(1, 0, "Goodbye."), SegmentSynthesized(1, 0, 1.0)) == []
    call.heard(4.0, 1, 1.0)
    assert call.rows[0].heard_text == "Goodbye."


def test_a_tool_that_ends_the_reply_lets_the_model_say_goodbye_if_nothing_was_said(talk):
    call = talk()
    (command,) = ending(call)
    assert isinstance(command, ContinueReply)


def test_a_filler_line_is_nothing_that_was_said(talk):
    call = with_tool(talk(), filler="One moment.")
    call.wait(4.5)
    call.tell(4.6, SegmentReady(1, 0, "One moment."), SegmentSynthesized(1, 0, 0.8), ReplyGenerated(1))
    assert isinstance(call.tell(5.0, ToolReturned(1, "t1", "ok", ends_reply=True))[0], ContinueReply)


def test_another_tool_that_still_runs_is_waited_for_before_the_reply_ends(talk):
    call = talk()
    call.caller(1.0, 2.0, "bye")
    call.tell(2.8, SegmentReady(1, 0, "Goodbye."), SegmentSynthesized(1, 0, 1.0), ToolCalled(1, "t1", "end_call", "{}"))
    call.tell(2.9, ToolCalled(1, "t2", "save", "{}"), ReplyGenerated(1), ToolReturned(1, "t1", "ok", ends_reply=True))
    call.heard(4.0, 1, 1.0)
    assert call.rows == []
    call.tell(5.0, ToolReturned(1, "t2", "saved", attempts=3))
    assert [(run.result, run.attempts) for run in call.rows[0].tools] == [("ok", 1), ("saved", 3)]

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
    assert row.tools == (
        ToolRun("t1", "book", "{}", "table 4", None, 2.6, 2.7),
        ToolRun("t2", "smile", "{}", None, CANCELLED, 2.6),
    )
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
