"""Rows wait for what is on its way, are written once and in order."""

from __future__ import annotations

from patter_nb.turns.reply import Reply
from patter_nb.turns.rows import Rows
from patter_nb.turns.turn import Turn


def closed(until=9.0, *, interrupted=False, **instants):
    return Turn("caller", words=["hi"], hold_until=until, interrupted=interrupted, instants=instants)


def ready(rows, now=1.0, *, awaited=(), force=False):
    return list(rows.ready(now, lambda turn: turn in awaited, force=force))


def rows_of(*turns):
    rows = Rows()
    for turn in turns:
        rows.hold(turn)
    return rows


def test_a_turn_that_waits_for_nothing_is_ready_once():
    turn = closed()
    rows = rows_of(turn)
    assert ready(rows) == [turn]
    assert ready(rows) == []


def test_a_turn_waits_for_its_words_until_they_came_or_its_time_has():
    turn = closed(9.0)
    rows = rows_of(turn)
    assert ready(rows, 8.99, awaited=[turn]) == []
    assert rows.next_timer() == 9.0
    assert ready(rows, 9.0, awaited=[turn]) == [turn]
    assert rows.next_timer() is None


def test_an_interrupted_turn_waits_for_its_clear():
    turn = closed(interrupted=True)
    rows = rows_of(turn)
    assert ready(rows) == []
    turn.instants["cleared_at"] = 1.0
    assert ready(rows) == [turn]


def test_force_waits_for_nothing():
    first, second = closed(interrupted=True), closed()
    assert ready(rows_of(first, second), awaited=[second], force=True) == [first, second]


def test_rows_keep_the_order_in_which_turns_were_closed():
    first, second = closed(), closed()
    rows = rows_of(first, second)
    assert ready(rows, awaited=[first]) == []
    assert list(rows) == [second, first]
    assert ready(rows) == [first, second]


def test_a_turn_can_be_taken_out_again():
    first, second = closed(), closed()
    rows = rows_of(first)
    rows.reopen(first)
    rows.reopen(second)
    assert ready(rows) == []


def test_replies_are_found_for_the_rest_of_the_call():
    rows, turn, reply = Rows(), closed(), Reply(3, "answer", 0.0)
    rows.register(turn, reply)
    assert rows.find(3) == (turn, reply)
    assert rows.find(4) is None
