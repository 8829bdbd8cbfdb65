"""Who answers a call that the agent places, or a transfer: what they do, and what an answering machine detector says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from patter_nb.errors import ConfigError

Kind = Literal["human", "machine", "fax", "busy", "no-answer", "failed"]

VERDICTS = (
    "human",
    "machine_start",
    "machine_end_beep",
    "machine_end_silence",
    "machine_end_other",
    "fax",
    "unknown",
)
"""Twilio's values of `AnsweredBy`."""


@dataclass(frozen=True, slots=True, eq=False)
class Callee:
    """The policy of a number that is called.

    `human` says `lines`, the first `greets_after_seconds` after answering (None: when the agent has spoken), each later one when
    the agent has replied, and hangs up; without lines it listens until the other side hangs up. `machine` plays `lines` as its
    greeting, beeps, and records until `hang_up_seconds` of silence. `fax` sends its tone. `busy`, `no-answer` and `failed` do not
    answer; nor does anybody whose `answers_after_seconds` is beyond the time the call may ring.

    `lines`: texts, `Line`s, `SpokenLine`s, one `(samples, hz)` or the path of a WAV file; texts are spoken on this machine.
    """

    kind: Kind = "human"
    lines: Any = ()
    answers_after_seconds: float = 1.0
    greets_after_seconds: float | None = 0.4
    answered_by: str = ""
    """What the detector says; empty: what fits the kind (a machine's greeting ends with a beep)."""
    verdict_after_seconds: float | None = None
    """When it says so, from the answer on. None: at 0.5 s of a human, 2 s of a fax, at the end of a machine's beep."""
    no_reply_seconds: float = 8.0
    hang_up_seconds: float = 1.0
    stays_seconds: float | None = 1.0
    """How long it talks to a caller who is transferred to it, before it hangs up. None: until the other side does."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigError(f"kind of a Callee is {self.kind!r}; it must be one of {', '.join(get_args(Kind))}.")
        if self.answered_by and self.answered_by not in VERDICTS:
            raise ConfigError(f"answered_by of a Callee is {self.answered_by!r}; it must be one of {', '.join(VERDICTS)}.")
        for name in ("answers_after_seconds", "no_reply_seconds", "hang_up_seconds"):
            if not 0 <= getattr(self, name) <= 86_400:
                raise ConfigError(f"{name} of a Callee is {getattr(self, name)!r}; it must be from 0 to 86400 seconds.")

    @property
    def answers(self) -> bool:
        return self.kind in ("human", "machine", "fax")

    @property
    def has_lines(self) -> bool:
        return not isinstance(self.lines, Sequence) or len(self.lines) > 0
