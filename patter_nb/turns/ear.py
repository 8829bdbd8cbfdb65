"""What reaches us of the caller: their voice, their words, and the question whose words they are.

A transcript arrives long after the sound it stands for. Where the recogniser dates it, its middle says to which
stretch of speech it belongs; where it does not, it answers the last stretch for which a final was asked. One final is
pending at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from patter_nb.turns.barge_in import Voice
from patter_nb.turns.events import FinalReceived
from patter_nb.turns.turn import Part, Turn

LATE_ONSET_SECONDS = 0.1
"""How much later than the recogniser voice activity detection may notice that somebody began to speak."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of speech that has ended, and where its words belong."""

    turn: Turn
    part: Part
    ended_at: float
    """End of its last voiced window."""
    reported_at: float
    """When voice activity detection reported that, and a final was asked for."""
    voice: Voice | None = None
    """The voice it was, where that began over the agent."""


class Ear:
    """The voice that goes on, if any, and the stretch whose final transcript is awaited, if any."""

    def __init__(self) -> None:
        self.voice: Voice | None = None
        self.awaited: Stretch | None = None

    @property
    def undecided(self) -> Voice | None:
        """A voice that began over the agent and may still be overlap, an interruption or the next turn."""
        return self.voice if self.voice is not None and self.voice.turn is None else None

    def awaits(self, turn: Turn) -> bool:
        """Whether words of this turn are on their way: its final is pending, or its voice goes on."""
        pending = self.awaited is not None and self.awaited.turn is turn
        return pending or (self.voice is not None and self.voice.turn is turn)

    def forget(self, turn: Turn) -> None:
        """No words of this turn are expected any more; a voice that goes on belongs to nobody yet."""
        if self.awaited is not None and self.awaited.turn is turn:
            self.awaited = None
        if self.voice is not None and self.voice.turn is turn:
            self.voice.turn = None


def middle(final: FinalReceived) -> float | None:
    """The middle of the audio a final stands for, as far as the recogniser says."""
    known = [at for at in (final.started_at, final.ended_at) if at is not None]
    return sum(known) / len(known) if known else None


def stretch_at(spoken_at: float, turns: Iterable[Turn]) -> tuple[Turn, Part] | None:
    """Whose words were spoken at this instant: those of the stretch that began last before it. Earlier in `turns` wins a tie."""
    latest, found = float("-inf"), None
    for turn in turns:
        for since, part in turn.stretches():
            if latest < since <= spoken_at + LATE_ONSET_SECONDS:
                latest, found = since, (turn, part)
    if found is None or found[1] is None:
        return None
    return found[0], found[1]
