"""Revisions with what became of them: the turns they answered, how long callers waited for those, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from patter_nb.records.facts import RevisionFacts
from patter_nb.records.metrics import percentile
from patter_nb.records.readings import CallReading
from patter_nb.turns.facts import TurnKind

Key = tuple[str, str, int]
"""Which `Patter` object, which agent, which number."""


class Answered(NamedTuple):
    """What a revision needs to know of a turn it answered: so little that it can be kept of every turn there ever was."""

    turn: int
    kind: TurnKind
    gap_ms: float
    usd: float


class RevisionReading:
    """One revision, with the turns it answered and the revision it was made from."""

    def __init__(self, facts: RevisionFacts, turns: Sequence[Answered], parent: RevisionFacts | None) -> None:
        self.facts = facts
        self.turns = turns
        self._parent = parent

    @cached_property
    def caller_turns(self) -> list[Answered]:
        """The turns that statistics are over."""
        return [turn for turn in self.turns if turn.kind == "caller"]

    @property
    def gap_p50_ms(self) -> float:
        """The median of the gaps; NaN without any."""
        return percentile((turn.gap_ms for turn in self.caller_turns), 0.50)

    @property
    def usd(self) -> float:
        """What its turns cost; NaN where a price is not known, and without turns."""
        return math.fsum(turn.usd for turn in self.turns) if self.turns else math.nan

    @property
    def changed(self) -> list[str]:
        """The fields whose content differs from the parent's."""
        before = {} if self._parent is None else self._parent.content
        return [name for name, value in self.facts.content.items() if self._parent is not None and before.get(name) != value]


def revisions_with_turns(revisions: Iterable[tuple[str, RevisionFacts]], calls: Iterable[CallReading]) -> list[RevisionReading]:
    """Each revision with its turns. `revisions`: with the id of the `Patter` object they were made in."""
    turns: dict[Key, list[Answered]] = {}
    for call in calls:
        for turn in call.turns:
            if turn.facts.revision is not None:
                answered = Answered(turn.facts.turn, turn.facts.kind, turn.attribution.gap_ms, turn.total.usd)
                turns.setdefault((call.record.phone_id, call.record.facts.agent, turn.facts.revision), []).append(answered)
    found = list(revisions)
    known: Mapping[Key, RevisionFacts] = {(phone, facts.agent, facts.number): facts for phone, facts in found}

    def reading(phone: str, facts: RevisionFacts) -> RevisionReading:
        parent = known.get((phone, facts.agent, facts.parent or 0))
        return RevisionReading(facts, turns.get((phone, facts.agent, facts.number), []), parent)

    return [reading(phone, facts) for phone, facts in found]
