"""When speech over the agent is an interruption: strategies that confirm a barge-in by what was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from patter_nb.errors import ConfigError, ConfigTypeError


@runtime_checkable
class BargeInStrategy(Protocol):
    """Confirms a barge-in by the caller's words. Each call works with a deep copy, so what it remembers is that call's.

    Of several strategies one that says yes is enough; one that raises says no, and its error is an event of the call.
    """

    async def evaluate(self, *, transcript: str, is_interim: bool, agent_speaking: bool) -> bool:
        """Whether these words interrupt the agent. `transcript`: all that was transcribed of the present stretch of speech."""

    async def reset(self) -> None:
        """Forget: a new stretch of the caller's speech begins."""


@dataclass(frozen=True, kw_only=True)
class MinWordsStrategy:
    """Confirms once the caller has said `min_words` words over the agent; one word is enough while it is silent.

    `use_interim=False`: only words of final transcripts count.
    """

    min_words: int
    use_interim: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.min_words, bool) or not isinstance(self.min_words, int):
            raise ConfigTypeError(f"min_words is {self.min_words!r}; it must be a whole number, 1 or more.")
        if self.min_words < 1:
            raise ConfigError(f"min_words is {self.min_words}; it must be 1 or more.")

    async def evaluate(self, *, transcript: str, is_interim: bool, agent_speaking: bool) -> bool:
        if is_interim and not self.use_interim:
            return False
        return len(transcript.split()) >= (self.min_words if agent_speaking else 1)

    async def reset(self) -> None:
        """It remembers nothing."""
