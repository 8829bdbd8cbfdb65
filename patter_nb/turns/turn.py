"""One turn in the making: what the caller said, and the replies that were ordered to it. It becomes a row when it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from patter_nb.turns.endpointing import Endpointing
from patter_nb.turns.facts import TurnFacts, TurnKind
from patter_nb.turns.messages import Message
from patter_nb.turns.reply import Reply
from patter_nb.turns.usage import Usage

Part = Literal["caller", "overlap"]
"""Where in a turn's row words of the caller stand."""

UNNUMBERED = -1


@dataclass(slots=True, eq=False)
class Turn:
    """A turn, from its first sound to its row."""

    kind: TurnKind
    onset: float | None = None
    """Since when what the caller says belongs to it; None: the agent opened it."""
    number: int = UNNUMBERED
    words: list[str] = field(default_factory=list)
    overlap: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    """Words over the agent that a confirmation may still make an interruption."""
    replies: list[Reply] = field(default_factory=list)
    """All that were ordered; only of the last one anything can have been heard."""
    endpoint: Endpointing = field(default_factory=Endpointing)
    instants: dict[str, float] = field(default_factory=dict)
    usage: list[Usage] = field(default_factory=list)
    guardrails: list[str] = field(default_factory=list)
    """Those that replaced a reply of it."""
    error: str | None = None
    deaf: bool = False
    """The recogniser failed on it: the caller is asked to say it again."""
    resumed: int = 0
    interrupted: bool = False
    last: bool = False
    """What the agent says in it is the last thing of the call: nothing interrupts it."""
    silent_from: float | None = None
    """Set when it is closed: from then on the caller's voice belongs to the next turn."""
    hold_until: float = 0.0
    """How long, once closed, its row waits for what is still to come."""
    written: bool = False

    @property
    def reply(self) -> Reply:
        """The last reply ordered; there is one whenever the agent has the floor."""
        return self.replies[-1]

    @property
    def can_go_on(self) -> bool:
        """Whether the caller, once answered, has heard nothing of it yet: what they add belongs to the same turn."""
        return self.kind == "caller" and not self.reply.is_heard

    @property
    def blank(self) -> bool:
        """Whether it was a sound without words that nobody answered: nothing a row could tell."""
        return self.kind == "caller" and not (self.words or self.overlap or self.replies or self.error)

    @property
    def given_up(self) -> bool:
        """Whether it was closed as such a sound; words may come for it all the same."""
        return self.blank and self.silent_from is not None

    def silence_passed_at(self, now: float) -> float:
        """When the silence granted had passed, however late that was acted upon; not before it was known to be one."""
        deadline = now if self.endpoint.deadline is None else self.endpoint.deadline
        return max(deadline, self.instants.get("vad_stopped_at", deadline))

    def stretches(self) -> Iterator[tuple[float, Part | None]]:
        """From which instants on the caller's words stand in which part of it; None: in it no more."""
        if self.onset is not None:
            yield self.onset, "caller"
        if self.replies and self.reply.heard_from is not None:
            yield self.reply.heard_from, "overlap"
        if self.silent_from is not None:
            yield self.silent_from, None

    def messages(self, in_progress: Reply | None = None) -> list[Message]:
        """Its part of the conversation: as heard, but `in_progress` as generated."""
        messages = [Message("user", " ".join(self.words))] if self.words else []
        for reply in self.replies:
            messages += reply.messages(as_generated=reply is in_progress)
        return messages

    def facts(self) -> TurnFacts:
        """Its row."""
        last = self.reply if self.replies else None
        return TurnFacts(
            turn=self.number,
            kind=self.kind,
            reply=0 if last is None else last.number,
            revision=None if last is None else last.revision,
            edit_requested_at=None if last is None else last.edit_requested_at,
            edit_effective_turn=None if last is None else last.edit_effective_turn,
            caller_text=" ".join(self.words),
            overlap_text=" ".join(self.overlap),
            agent_text="" if last is None else last.text(),
            heard_text="" if last is None else last.heard_text(),
            heard_estimated=last is None or last.heard_estimated,
            interrupted=self.interrupted,
            resumed=self.resumed,
            error=self.error,
            tools=tuple(tool.run() for reply in self.replies for tool in reply.tools),
            guardrails=tuple(self.guardrails),
            instants={**self.instants, **({} if last is None else last.instants)},
            usage=tuple(self.usage),
        )
