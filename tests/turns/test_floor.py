"""The transitions by themselves. When they happen is in test_engine, test_caller and test_orders."""

from __future__ import annotations

import pytest

from patter_nb.turns.barge_in import Voice
from patter_nb.turns.commands import CancelReply, ClearAudio, EndCall, RecordTurn, StartReply
from patter_nb.turns.floor import Floor
from patter_nb.turns.heard import Segment
from patter_nb.turns.policy import TurnPolicy


@pytest.fixture
def floor():
    return Floor(TurnPolicy())


def answered(floor):
    """A caller's turn whose answer was ordered."""
    turn = floor.caller_turn(1.0)
    turn.words.append("when")
    floor.order(turn, "answer", 2.0)
    return turn


def kinds(floor):
    return [type(command) for command in floor.commands]


def test_the_caller_has_one_open_turn(floor):
    assert floor.caller_turn(1.0) is floor.caller_turn(2.0)
    assert floor.listening.onset == 1.0


def test_an_order_moves_a_turn_from_the_caller_to_the_agent(floor):
    turn = answered(floor)
    assert (floor.listening, floor.speaking) == (None, turn)
    assert (turn.number, turn.reply.number) == (1, 1)


def test_an_order_to_say_leaves_the_caller_his_turn(floor):
    turn = floor.caller_turn(1.0)
    floor.order(floor.open("said"), "said", 2.0, "Hello?")
    assert floor.listening is turn
    assert floor.commands == [StartReply(1, 1, "said", (), "Hello?")]


def test_a_turn_is_numbered_once_and_the_greeting_is_0(floor):
    greeting, first, second = floor.open("greeting"), floor.open("caller"), floor.open("said")
    for turn in (greeting, first, second, first, greeting):
        floor.number(turn)
    assert [turn.number for turn in (greeting, first, second)] == [0, 1, 2]


def test_a_turn_put_back_is_the_callers_again_and_keeps_its_number(floor):
    turn = answered(floor)
    floor.put_back(turn)
    assert (floor.listening, floor.speaking, turn.number) == (turn, None, 1)
    assert kinds(floor) == [StartReply, CancelReply, ClearAudio]


def test_closing_a_turn_writes_its_row_and_frees_the_floor(floor):
    turn = answered(floor)
    floor.close(turn, 3.0)
    assert (floor.listening, floor.speaking, turn.written) == (None, None, True)
    assert kinds(floor) == [StartReply, RecordTurn]


def test_closing_a_turn_gives_the_floor_to_a_voice_that_goes_on(floor):
    turn = answered(floor)
    floor.ear.voice = Voice(2.5, 2.9, words=["and"])
    floor.close(turn, 3.0)
    assert floor.listening is floor.ear.voice.turn
    assert (floor.listening.words, floor.listening.onset, turn.silent_from) == (["and"], 2.5, 2.5)


@pytest.mark.parametrize(("played", "commands"), [(1.0, [CancelReply(1, 1.0)]), (0.5, [CancelReply(1, 0.5), ClearAudio()])])
def test_a_failed_reply_is_cleared_if_some_of_it_may_still_play(floor, played, commands):
    turn = answered(floor)
    turn.reply.segments[0] = Segment("At six.", plays_seconds=1.0, whole=True, heard_seconds=played)
    floor.stop(turn.reply)
    assert floor.commands[1:] == commands


def test_the_end_closes_both_turns_and_is_the_last_command(floor):
    floor.caller_turn(1.0).words.append("when")
    floor.order(floor.open("said"), "said", 2.0, "Hello?")
    floor.end("enough", 3.0)
    assert kinds(floor) == [StartReply, CancelReply, RecordTurn, RecordTurn, EndCall]
    assert floor.ended
