"""What the session shall do, as the turn engine orders it. Imperative; frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.messages import Message

ReplyKind = Literal["greeting", "answer", "said", "filler", "fallback", "goodbye"]


@dataclass(frozen=True, slots=True)
class FinalizeTranscript:
    """The caller fell silent: ask the recogniser for its final transcript. It may be wrong about the turn's end."""


@dataclass(frozen=True, slots=True)
class StartReply:
    """Begin reply number `reply` of turn `turn`: speak `text` where it is given, else ask the model with `messages`.

    The current agent is read when this is performed.
    """

    reply: int
    turn: int
    kind: ReplyKind
    messages: tuple[Message, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ContinueReply:
    """All tools of the reply have returned: ask the model again, in the same reply and with the same agent."""

    reply: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class AdoptReply:
    """Give a reply that a speech-to-speech provider began by itself this number."""

    reply: int
    turn: int
    id: str


@dataclass(frozen=True, slots=True)
class SpeakFiller:
    """Say `text` inside reply `reply` while its tool runs; its segments count on within the reply."""

    reply: int
    text: str


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Stop generating and synthesising this reply. `heard_seconds` is how much of it the caller heard."""

    reply: int
    heard_seconds: float


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Tell the carrier to drop what it has buffered."""


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run the tool; its end is reported with `ToolReturned`."""

    reply: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys on the line."""

    digits: str


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Hand the call to another number."""

    number: str


@dataclass(frozen=True, slots=True)
class RecordTurn:
    """The turn is closed: keep its row, in one transaction with the event that closed it."""

    facts: TurnFacts


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Keep an event that belongs to no single turn's row, or came after its row was written."""

    kind: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndCall:
    """The conversation is over: hang up if the line is still open, then stop. Always the last command."""

    reason: str


Command = (
    FinalizeTranscript | StartReply | ContinueReply | AdoptReply | SpeakFiller | CancelReply | ClearAudio | RunTool | SendDtmf
    | TransferCall | RecordTurn | RecordEvent | EndCall
)
