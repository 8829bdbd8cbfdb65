"""What pages order, each order once and in its order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REMEMBERED_PAGES = 50
REMEMBERED_ANSWERS = 100
"""Of each page. A page sends an order again only while it has no answer to it."""

MOST_WAITING = 500
"""Orders of one page that wait for an earlier one."""


@dataclass(slots=True)
class _Page:
    next: int = 1
    waiting: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    answers: OrderedDict[int, Mapping[str, Any]] = field(default_factory=OrderedDict)


class Inbox:
    """Pages number their orders from 1. One that arrives early waits for those before it, since the messages of one widget may
    come on more than one way; one that arrives again is not carried out again.
    """

    def __init__(self) -> None:
        self._pages: OrderedDict[str, _Page] = OrderedDict()

    def take(self, page: str, number: int, order: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
        """The orders that are to be carried out now, with their numbers."""
        here = self._page(page)
        if number < here.next or (number > here.next and len(here.waiting) >= MOST_WAITING):
            return []
        here.waiting[number] = order
        due = []
        while here.next in here.waiting:
            due.append((here.next, here.waiting.pop(here.next)))
            here.next += 1
        return due

    def answer(self, page: str, number: int, answer: Mapping[str, Any]) -> None:
        """What the page was told about an order."""
        answers = self._page(page).answers
        answers[number] = answer
        while len(answers) > REMEMBERED_ANSWERS:
            answers.popitem(last=False)

    def answered(self, page: str, number: int) -> Mapping[str, Any] | None:
        """The answer to an order that was carried out already; None while there is none."""
        return self._page(page).answers.get(number)

    def _page(self, page: str) -> _Page:
        here = self._pages.setdefault(page, _Page())
        self._pages.move_to_end(page)
        while len(self._pages) > REMEMBERED_PAGES:
            self._pages.popitem(last=False)
        return here
