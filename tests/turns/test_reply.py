"""One reply: what counts as quiet, complete and returned, and what is told of it."""

from __future__ import annotations

import pytest

from patter_nb.turns.events import (
    AudioHeard,
    ReplyFailed,
    ReplyGenerated,
    SegmentAligned,
    SegmentReady,
    SegmentSynthesized,
    ToolCalled,
    ToolReturned,
)
from patter_nb.turns.facts import INSTANTS
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.reply import Reply, known_instant


def reply(*events):
    made = Reply(1, "answer", begun_at=0.0)
    notes = {
        AudioHeard: made.audio_heard,
        ReplyGenerated: made.text_generated,
        SegmentAligned: made.segment_aligned,
        SegmentReady: made.segment_ready,
        SegmentSynthesized: made.segment_synthesized,
        ToolCalled: made.tool_called,
        ToolReturned: made.tool_returned,
    }
    for event in events:
        notes[type(event)](event, 1.0)
    return made


ONE, TWO = SegmentReady(1, 0, "One."), SegmentReady(1, 1, "Two.")
MADE = (SegmentSynthesized(1, 0, 1.0), SegmentSynthesized(1, 1, 1.0))


def test_audio_of_a_later_segment_proves_the_earlier_ones():
    made = reply(ONE, TWO, *MADE, AudioHeard(1, 1, 0.5, 3.0))
    assert made.heard_text() == "One."
    assert made.heard_seconds == 1.5


def test_audio_of_a_segment_proves_nothing_of_the_next():
    assert reply(ONE, TWO, *MADE, AudioHeard(1, 0, 1.0, 3.0)).heard_text() == "One."


def test_an_earlier_segment_of_unknown_length_stays_unknown():
    made = reply(ONE, TWO, MADE[1], AudioHeard(1, 1, 1.0, 3.0))
    assert made.heard_text() == "Two."
    assert not made.quiet


def test_events_of_segments_that_were_never_ready_are_dropped():
    made = reply(MADE[0], SegmentAligned(1, 0, ((1, 0.1),)), AudioHeard(1, 0, 1.0, 3.0))
    assert not made.is_heard
    assert made.segments == {}


def test_it_is_silenced_only_where_that_is_said_of_its_text():
    said, meant = ReplyGenerated(1), ReplyGenerated(1, silenced=True)
    assert [reply(*events).silenced for events in ((), (said,), (meant,), (meant, said))] == [False, False, True, False]


def test_a_segment_is_ready_once():
    made = reply(ONE, SegmentReady(1, 0, "Other."))
    assert made.text() == "One."


def test_it_is_heard_from_where_its_first_audio_began():
    made = reply(ONE, MADE[0], AudioHeard(1, 0, 0.2, 3.2), AudioHeard(1, 0, 0.4, 3.4))
    assert (made.heard_from, made.heard_until) == (3.0, 3.4)


@pytest.mark.parametrize(
    ("events", "quiet", "complete"),
    [
        ((), True, False),
        ((ReplyGenerated(1),), True, True),
        ((ONE,), False, False),
        ((ONE, ReplyGenerated(1)), False, False),
        ((ONE, MADE[0], ReplyGenerated(1)), False, False),
        ((ONE, MADE[0], ReplyGenerated(1), AudioHeard(1, 0, 1.0, 2.0)), True, True),
        ((ONE, MADE[0], AudioHeard(1, 0, 1.0, 2.0)), True, False),
        ((ToolCalled(1, "t", "book", "{}"), ReplyGenerated(1)), True, False),
        ((ToolCalled(1, "t", "book", "{}"), ReplyGenerated(1), ToolReturned(1, "t", "ok")), True, False),
    ],
)
def test_when_it_is_quiet_and_complete(events, quiet, complete):
    made = reply(*events)
    assert (made.quiet, made.complete) == (quiet, complete)


def test_a_tools_result_may_be_nothing():
    made = reply(ToolCalled(1, "t", "hang", "{}"), ReplyGenerated(1), ToolReturned(1, "t"))
    assert made.round_returned
    assert made.messages()[1] == Message("tool", "", tool_id="t")


def test_the_next_round_waits_for_the_model_anew():
    made = reply(ToolCalled(1, "t", "book", "{}"), ReplyGenerated(1), ToolReturned(1, "t", "ok"))
    made.next_round(5.0)
    assert not made.round_returned
    assert made.next_timer(15.0) == 20.0
    made.text_generated(ReplyGenerated(1), 6.0)
    assert made.complete


def test_timers_of_a_reply():
    made = reply()
    assert made.next_timer(15.0) == 15.0
    made.tool_called(ToolCalled(1, "t", "book", "{}", "Hm."), 4.0)
    assert made.next_timer(15.0) == 5.5
    made.tool_called(ToolCalled(1, "u", "book", "{}", "Hm, hm.", 0.2), 4.5)
    assert made.next_timer(15.0) == 4.7, "the one that is due first"
    assert made.filler().filler == "Hm, hm."
    made.filled = True
    assert made.next_timer(15.0) is None
    assert reply(ONE).next_timer(15.0) is None


def test_what_failed_calls_no_more_tools_and_waits_for_none():
    made = reply(ONE, MADE[0], ToolCalled(1, "t", "book", "{}", "Hm."), AudioHeard(1, 0, 0.5, 2.0))
    made.give_up(ReplyFailed(1, "llm", "broke"))
    assert made.filler() is None
    assert not made.round_returned
    assert made.next_timer(15.0) is None
    made.audio_heard(AudioHeard(1, 0, 1.0, 2.5), 2.5)
    assert made.complete
    assert made.filler() is None


@pytest.mark.parametrize(
    ("failure", "plays"),
    [
        (ReplyFailed(1, "llm", "broke"), [1.0, None, None]),
        (ReplyFailed(1, "tts", "broke"), [1.0, 0.0, 0.0]),
        (ReplyFailed(1, "tts", "broke", segment=1, seconds=0.4), [1.0, 0.4, 0.0]),
        (ReplyFailed(1, "tts", "broke", segment=2, seconds=0.4), [1.0, None, 0.4]),
    ],
)
def test_what_still_plays_of_a_reply_that_failed(failure, plays):
    made = reply(ONE, TWO, SegmentReady(1, 2, "Three."), MADE[0])
    made.give_up(failure)
    assert [segment.plays_seconds for segment in made.segments.values()] == plays


def test_a_segment_made_ahead_of_one_that_failed_is_not_played():
    made = reply(ONE, TWO, SegmentReady(1, 2, "Three."), MADE[0], SegmentSynthesized(1, 2, 1.0))
    made.give_up(ReplyFailed(1, "tts", "broke", segment=1, seconds=0.4))
    assert [segment.plays_seconds for segment in made.segments.values()] == [1.0, 0.4, 0.0]


ALIGNED = SegmentAligned(1, 0, ((4, 1.0),))


@pytest.mark.parametrize(
    ("events", "estimated"),
    [
        ((ONE, MADE[0]), True),
        ((ONE, MADE[0], ALIGNED), True),
        ((ONE, MADE[0], AudioHeard(1, 0, 0.5, 2.0)), True),
        ((ONE, MADE[0], ALIGNED, AudioHeard(1, 0, 0.5, 2.0)), False),
        ((ONE, TWO, *MADE, ALIGNED, AudioHeard(1, 0, 1.0, 2.0)), False),
        ((ONE, TWO, *MADE, ALIGNED, AudioHeard(1, 1, 0.5, 2.0)), True),
    ],
)
def test_heard_words_are_an_estimate_unless_all_of_them_were_aligned(events, estimated):
    assert reply(*events).heard_estimated is estimated


def test_each_round_is_told_with_its_own_words():
    made = reply(ONE, MADE[0], ToolCalled(1, "t", "book", "{}"), ReplyGenerated(1), ToolReturned(1, "t", "ok"))
    made.next_round(2.0)
    made.segment_ready(TWO, 2.0)
    request = (ToolRequest("t", "book", "{}"),)
    result = Message("tool", "ok", tool_id="t")
    assert made.messages(as_generated=True) == [
        Message("assistant", "One.", request),
        result,
        Message("assistant", "Two."),
    ]
    assert made.messages() == [Message("assistant", "", request), result]


@pytest.mark.parametrize("name", INSTANTS)
def test_every_instant_of_a_turn_is_known(name):
    assert known_instant(name) == name
