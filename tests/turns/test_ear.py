"""Whose words they are, by their date. By arrival and by whole calls: test_caller."""

from __future__ import annotations

import pytest

from patter_nb.turns.barge_in import Voice
from patter_nb.turns.ear import Ear, Stretch, middle, stretch_at
from patter_nb.turns.events import FinalReceived
from patter_nb.turns.reply import Reply
from patter_nb.turns.turn import Turn


@pytest.mark.parametrize(
    ("started_at", "ended_at", "at"), [(1.0, 2.0, 1.5), (1.0, None, 1.0), (None, 2.0, 2.0), (None, None, None), (0.0, 0.0, 0.0)]
)
def test_words_are_dated_by_their_middle(started_at, ended_at, at):
    assert middle(FinalReceived("hi", started_at, ended_at)) == at


def turns():
    """The caller speaks from 1 s, hears the agent from 3 s, and speaks again from 5 s: the older turn is silent from then on."""
    older = Turn("caller", onset=1.0, replies=[Reply(1, "answer", 2.0, heard_from=3.0)], silent_from=5.0)
    return Turn("caller", onset=5.0), older


@pytest.mark.parametrize(
    ("at", "index", "part"),
    [
        (0.89, None, None),
        (0.9, 1, "caller"),
        (2.0, 1, "caller"),
        (2.89, 1, "caller"),
        (2.91, 1, "overlap"),
        (4.8, 1, "overlap"),
        (4.9, 0, "caller"),
        (99.0, 0, "caller"),
    ],
)
def test_words_belong_to_the_stretch_that_began_last_before_them(at, index, part):
    newer, older = turns()
    found = stretch_at(at, (newer, older))
    assert found == (None if index is None else ((newer, older)[index], part))


def test_words_after_a_turn_fell_silent_are_not_its_own():
    _, older = turns()
    assert stretch_at(6.0, (older,)) is None


def test_a_turn_the_agent_opened_has_only_overlap():
    greeting = Turn("greeting", replies=[Reply(1, "greeting", 0.0, heard_from=0.5)])
    assert stretch_at(0.3, (greeting,)) is None
    assert stretch_at(0.7, (greeting,)) == (greeting, "overlap")
    assert stretch_at(0.7, (Turn("greeting", replies=[Reply(1, "greeting", 0.0)]),)) is None


def test_the_ear_awaits_words_whose_final_is_pending_or_whose_voice_goes_on():
    ear, turn, other = Ear(), Turn("caller"), Turn("caller")
    assert not ear.awaits(turn)
    ear.voice = Voice(1.0, 1.0)
    assert ear.undecided is ear.voice
    assert not ear.awaits(turn)
    ear.voice.turn = turn
    assert ear.undecided is None
    assert ear.awaits(turn)
    assert not ear.awaits(other)
    ear.voice = None
    ear.awaited = Stretch(other, "overlap", 1.0, 1.2)
    assert ear.undecided is None
    assert ear.awaits(other)
    assert not ear.awaits(turn)
    ear.forget(turn)
    assert ear.awaits(other)
    ear.forget(other)
    assert not ear.awaits(other)
    ear.forget(other)
