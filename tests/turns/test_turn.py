"""A turn's row."""

from __future__ import annotations

import pytest

from patter_nb.turns.events import ReplyStarted
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.heard import Segment
from patter_nb.turns.reply import Reply, Tool
from patter_nb.turns.turn import Turn


def test_a_turn_without_a_reply_has_the_callers_words_alone():
    assert Turn("caller", number=4, words=["one", "two"], overlap=["three"]).facts() == TurnFacts(
        turn=4, kind="caller", reply=0, caller_text="one two", overlap_text="three"
    )


def test_the_last_reply_tells_what_was_said_and_heard():
    first, last = Reply(1, "answer", 0.0), Reply(2, "answer", 0.0)
    first.segments[0] = Segment("Lost.", plays_seconds=1.0, whole=True)
    first.instants["played_at"] = 1.0
    last.segments[0] = Segment("Kept.", plays_seconds=1.0, whole=True, heard_seconds=1.0, points=((5, 1.0),))
    last.instants["played_at"] = 2.0
    last.started(ReplyStarted(2, 5), 0.0)
    row = Turn("caller", number=1, replies=[first, last], instants={"endpointed_at": 0.5}).facts()
    assert (row.reply, row.revision, row.agent_text, row.heard_text, row.heard_estimated) == (2, 5, "Kept.", "Kept.", False)
    assert row.instants == {"endpointed_at": 0.5, "played_at": 2.0}


def test_two_turns_are_two_though_they_hold_the_same():
    assert Turn("caller") != Turn("caller")
    assert Reply(1, "answer", 0.0) != Reply(1, "answer", 0.0)
    assert Tool("t", "book", "{}", "", 1.5, 0, 0.0) != Tool("t", "book", "{}", "", 1.5, 0, 0.0)


@pytest.mark.parametrize(
    ("turn", "blank"),
    [
        (Turn("caller"), True),
        (Turn("greeting"), False),
        (Turn("caller", words=["hi"]), False),
        (Turn("caller", overlap=["hi"]), False),
        (Turn("caller", error="broke"), False),
        (Turn("caller", replies=[Reply(1, "answer", 0.0)]), False),
    ],
)
def test_a_sound_without_words_that_nobody_answered_is_blank(turn, blank):
    assert turn.blank is blank
