"""Orders of pages: each once, in its order, whatever way its message came."""

from __future__ import annotations

import random

import pytest

from patter_nb.notebook.studio.inbox import MOST_WAITING, REMEMBERED_ANSWERS, REMEMBERED_PAGES, Inbox


def taken(inbox: Inbox, *numbers: int, page: str = "a") -> list[int]:
    return [number for given in numbers for number, _ in inbox.take(page, given, {"order": given})]


CASES = {
    "in order": ((1, 2, 3), [1, 2, 3]),
    "the second overtakes the first": ((2, 1, 3), [1, 2, 3]),
    "the last one first": ((3, 2, 1), [1, 2, 3]),
    "sent again": ((1, 1, 2, 1, 2, 3), [1, 2, 3]),
    "sent again while it waits": ((3, 3, 1, 3, 2), [1, 2, 3]),
    "one is missing": ((1, 3, 4), [1]),
    "no number of an order": ((0, -1, 1), [1]),
}


@pytest.mark.parametrize(("given", "done"), CASES.values(), ids=CASES)
def test_orders_are_carried_out_once_and_in_order(given, done):
    assert taken(Inbox(), *given) == done


def test_pages_count_for_themselves():
    inbox = Inbox()
    assert taken(inbox, 1, 2, page="a") == [1, 2]
    assert taken(inbox, 2, page="b") == []
    assert taken(inbox, 1, page="b") == [1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_any_shuffle_with_repeats_comes_out_in_order(seed):
    dice = random.Random(seed)
    given = [*range(1, 51), *dice.choices(range(1, 51), k=30)]
    dice.shuffle(given)
    inbox = Inbox()
    assert taken(inbox, *given) == list(range(1, 51))


def test_an_answer_is_known_until_many_came_after_it():
    inbox = Inbox()
    for number in range(1, REMEMBERED_ANSWERS + 2):
        inbox.answer("a", number, {"ok": number})
    assert inbox.answered("a", 1) is None
    assert inbox.answered("a", 2) == {"ok": 2}


def test_what_waits_is_bounded_and_the_next_one_is_always_taken():
    inbox = Inbox()
    assert taken(inbox, *range(2, MOST_WAITING + 50)) == []
    assert taken(inbox, 1) == list(range(1, MOST_WAITING + 2))


def test_what_is_sent_again_takes_no_room_of_what_waits():
    inbox = Inbox()
    taken(inbox, *range(1, MOST_WAITING + 2))
    taken(inbox, *range(1, MOST_WAITING + 2))
    assert taken(inbox, MOST_WAITING + 3, MOST_WAITING + 2) == [MOST_WAITING + 2, MOST_WAITING + 3]


def test_a_page_is_forgotten_when_many_came_after_it():
    inbox = Inbox()
    assert taken(inbox, 1) == [1]
    for number in range(REMEMBERED_PAGES):
        taken(inbox, 1, page=f"b{number}")
    assert taken(inbox, 1) == [1]
