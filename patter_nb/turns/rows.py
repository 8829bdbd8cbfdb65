"""Closed turns on their way to the table.

A row is written once, so it waits a moment for what is still on its way: the words of an overlap, the instant at
which the carrier was told to clear. Rows are written in the order in which their turns were closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from patter_nb.turns.reply import Reply
from patter_nb.turns.turn import Turn


class Rows:
    """The turns that are closed and not yet written, and which turn any reply belongs to."""

    def __init__(self) -> None:
        self._waiting: deque[Turn] = deque()
        self._by_reply: dict[int, tuple[Turn, Reply]] = {}

    def __iter__(self) -> Iterator[Turn]:
        """The turns that wait, the one closed last first."""
        return reversed(self._waiting)

    def register(self, turn: Turn, reply: Reply) -> None:
        """Remember for the rest of the call to which turn a reply belongs."""
        self._by_reply[reply.number] = turn, reply

    def find(self, reply: int) -> tuple[Turn, Reply] | None:
        """The turn and the reply of this number; None for a number that was never given."""
        return self._by_reply.get(reply)

    def hold(self, turn: Turn) -> None:
        """Take a turn that was closed."""
        self._waiting.append(turn)

    def reopen(self, turn: Turn) -> None:
        """Give a turn back to which words came after all."""
        if turn in self._waiting:
            self._waiting.remove(turn)

    def ready(self, now: float, awaited: Callable[[Turn], bool], *, force: bool) -> Iterator[Turn]:
        """Take out, in order, the turns that wait for nothing more. `awaited` says whether words of a turn are on their way."""
        while self._waiting:
            turn = self._waiting[0]
            uncleared = turn.interrupted and "cleared_at" not in turn.instants
            if (uncleared or awaited(turn)) and now < turn.hold_until and not force:
                return
            self._waiting.popleft()
            yield turn

    def next_timer(self) -> float | None:
        """When the first of them has waited long enough."""
        return self._waiting[0].hold_until if self._waiting else None
