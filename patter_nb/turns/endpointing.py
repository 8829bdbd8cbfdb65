"""Deciding that the caller's turn is over: the silence granted has passed, and its final transcript is in.

Both are waited for side by side and each is recorded by itself; the later one decides. A transcript that does not
come is waited for a bounded time, and the turn then goes on with the words there are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Endpointing:
    """The silence of one caller turn. Whether a final transcript is awaited is the ear's to know, and an argument here."""

    deadline: float | None = None
    """When the silence granted will have passed; None while the caller speaks, or somebody else decides."""
    reached_at: float | None = None
    """When the engine acted on that."""
    not_before: float = float("-inf")
    """Whatever silence is granted, the turn is not over before: another key of the telephone may follow."""

    def hold(self) -> None:
        """The caller speaks: there is no silence to wait for."""
        self.deadline = self.reached_at = None

    def grant(self, until: float) -> None:
        """The caller is silent; the turn is over when they still are at `until`."""
        self.deadline, self.reached_at = max(until, self.not_before), None

    def is_reached(self, now: float) -> bool:
        """Whether the silence has passed; notes the instant at which that was first seen."""
        if self.deadline is None or now < self.deadline:
            return False
        if self.reached_at is None:
            self.reached_at = now
        return True

    def next_timer(self) -> float | None:
        """When the silence will have passed, unless it has."""
        return self.deadline if self.reached_at is None else None

    def later(self, seconds: float) -> float:
        """So long after the silence has passed; never while there is none."""
        return float("inf") if self.deadline is None else self.deadline + seconds
