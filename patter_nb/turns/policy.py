"""The numbers that govern turn-taking. Frozen; the engine takes a new set between turns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """Every wait and threshold of the turn engine, in seconds. ValueError for a number that means nothing."""

    hangover_seconds: float = 0.32
    """Silence granted after the caller's last speech before the turn is over."""
    final_timeout_seconds: float = 3.0
    """How long after the hangover a final transcript is waited for; then the turn goes on with the words there are."""
    barge_in_seconds: float | None = 0.3
    """Consecutive caller speech over the agent's voice that interrupts it; None: the agent is never interrupted."""
    confirm_seconds: float | None = None
    """How long after that a strategy may take to confirm it by the caller's words; None: none is asked."""
    keys_seconds: float = 1.0
    """How long after a key of the telephone another one belongs to the same utterance."""
    resume_seconds: float = 0.1
    """Caller speech, before any audio of the reply has played, that takes the turn back."""
    reply_timeout_seconds: float = 15.0
    """How long a model may bring nothing before its reply counts as failed. Its first token renews the wait, once each time it is
    asked; its first segment or tool call ends it."""
    last_words_seconds: float = 1.0
    """How long after the caller hung up a final transcript that was asked for is still waited for."""
    max_duration_seconds: float = 600.0
    """Length of the call after which the agent says goodbye and hangs up."""
    goodbye_seconds: float = 10.0
    """How long a goodbye may take before the line is cut anyway."""
    max_failures: int = 3
    """Replies in a row that may fail before the agent says goodbye."""
    fallback: str = "I'm sorry, I had a problem just now. Could you say that again?"
    """Spoken when a reply fails before any of it was heard; empty: say nothing."""
    goodbye: str = "I'm sorry, I have to end the call here. Goodbye."
    """Spoken when the call reaches a limit; empty: hang up without a word."""
    ends_turns: Literal["session", "provider"] = "session"
    """Who decides that the caller's turn is over: our hangover, or a provider by `ProviderTurnEnded`."""
    begins_replies: Literal["session", "provider"] = "session"
    """Who begins an answer: the engine's order, or a speech-to-speech provider by `ProviderReplyStarted`."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name.endswith("_seconds")):
            value = getattr(self, name)
            if value is not None and not value >= 0.0:
                raise ValueError(f"{name} is {value!r}; give a number of seconds, 0 or more.")
        if self.max_failures < 1:
            raise ValueError(f"max_failures is {self.max_failures!r}; give a whole number, 1 or more.")
