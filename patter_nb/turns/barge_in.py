"""The caller's voice over the agent: how long it must last to mean something.

Before anything of a reply to the caller was heard, they may simply be going on; that takes little (`resume_seconds`).
Once they hear the agent, an "mhm" must not stop it; that takes more (`barge_in_seconds`). A text the agent was told
to say (a greeting, `say`) answers nobody, so voice before it is heard takes nothing back. What is said last, a goodbye
or a message for a machine, is never interrupted.

Where strategies judge the caller's words, voice that lasted long enough interrupts only once one of them has confirmed it
(`confirm_seconds`). A voice that waited for that in vain was a backchannel, and will not interrupt any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.turn import Turn

Meaning = Literal["nothing yet", "goes on", "interrupts"]

ROUNDING_SECONDS = 1e-9
"""1.3 - 1.0 is less than 0.3 to a computer."""


@dataclass(slots=True)
class Voice:
    """A stretch of the caller's speech that has not ended."""

    onset: float
    """Start of its first voiced window."""
    last: float
    """End of its last voiced window so far."""
    certain: bool = False
    """A provider that owns turn-taking has already decided that the caller takes the floor."""
    confirmed: bool = False
    """A strategy took its words for an interruption."""
    dismissed: bool = False
    """None did in time."""
    turn: Turn | None = None
    """The caller's turn it belongs to; None while it is undecided: it began over the agent."""
    words: list[str] = field(default_factory=list)
    """What was transcribed of it while it is undecided."""

    def lasted(self, seconds: float) -> bool:
        """Whether it is at least this long, or need not be."""
        return self.certain or self.last - self.onset >= seconds - ROUNDING_SECONDS


def meaning(voice: Voice, speaking: Turn, policy: TurnPolicy) -> Meaning:
    """What `voice` means for the turn in which the agent is replying."""
    if speaking.can_go_on:
        return "goes on" if voice.lasted(policy.resume_seconds) else "nothing yet"
    threshold = policy.barge_in_seconds
    if threshold is None or not speaking.reply.is_heard or speaking.last:
        return "nothing yet"
    sure = policy.confirm_seconds is None or voice.certain or (voice.confirmed and not voice.dismissed)
    return "interrupts" if sure and voice.lasted(threshold) else "nothing yet"
