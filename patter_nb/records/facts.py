"""What is known of a call besides its turns: how it began, how it ended, what happened in between, and what was configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from patter_nb.errors import ConfigError
from patter_nb.records.masking import mask_data, mask_number
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Service

Direction = Literal["test", "inbound", "outbound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What is known of a call when it begins. Numbers are given here as they are; the repr does not show them."""

    call_id: str
    agent: str
    """The agent's name."""
    revision: int
    """The revision the call began with."""
    direction: Direction
    source: str = ""
    """What the caller was: the lines, a file, an array, a person."""
    carrier: str = "simulated"
    mode: str = "pipeline"
    speed: str = "real"
    """"real", or "max" for virtual time."""
    caller: str = field(default="", repr=False)
    callee: str = field(default="", repr=False)
    started_at: datetime
    """When the call's clock read 0.0, with a time zone."""
    stt_provider: str | None = None
    stt_model: str | None = None
    llm_provider: str | None = None
    llm_model: str | None = None
    tts_provider: str | None = None
    tts_model: str | None = None
    stand_in: tuple[str, ...] = ()
    """The parts that stood in for a provider without a key."""

    def __post_init__(self) -> None:
        if self.started_at.utcoffset() is None:
            raise ConfigError(f"started_at of call {self.call_id!r} has no time zone: use datetime.now(UTC)")

    def provider(self, service: Service) -> tuple[str | None, str | None]:
        """The provider and the model that do this service in this call; None where nobody does."""
        return {
            "stt": (self.stt_provider, self.stt_model),
            "llm": (self.llm_provider, self.llm_model),
            "tts": (self.tts_provider, self.tts_model),
            "telephony": (self.carrier, ""),
        }[service]


@dataclass(frozen=True, slots=True)
class CallEnd:
    """What is known of a call once it has ended."""

    duration_seconds: float
    end_reason: str
    """A few words ("caller hung up")."""
    error: str | None = None
    """What went wrong, in one sentence."""
    recording_path: str | None = None


@dataclass(frozen=True, slots=True)
class EventFacts:
    """Something that happened in a call. `at`: seconds of the call's clock."""

    at: float
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """Plain data: what JSON can hold."""
    turn: int | None = None

    def __repr__(self) -> str:
        return f"EventFacts(at={self.at!r}, kind={self.kind!r}, data={mask_data(self.data)!r}, turn={self.turn!r})"


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """One immutable configuration of an agent."""

    agent: str
    number: int
    content_id: str
    """A hash of the content."""
    parent: int | None
    """The revision it was made from."""
    note: str
    created_at: datetime
    content: Mapping[str, Any] = field(default_factory=dict)
    """Every field of the agent as plain data, without secrets. It is your own text, so it is kept word for word."""
    scope: str = "next call"
    """For whom it was made: "next call", "all calls" (those that were on included) or "this call" alone."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """All facts of one call as they are known now: a snapshot."""

    facts: CallFacts
    end: CallEnd | None
    turns: tuple[TurnFacts, ...]
    events: tuple[EventFacts, ...]
    hashes: tuple[str | None, str | None] = (None, None)
    """Keyed hashes of the caller's and the callee's number."""
    phone_id: str = ""
    """Which `Patter` object held it: revisions are numbered within one."""

    def __repr__(self) -> str:
        numbers = f"{mask_number(self.facts.caller)} -> {mask_number(self.facts.callee)}"
        return f"CallRecord({self.facts.call_id!r}, {numbers}, turns={len(self.turns)}, events={len(self.events)})"
