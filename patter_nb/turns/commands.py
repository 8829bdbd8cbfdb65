"""What the session shall do, as the turn engine orders it. Imperative; frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.messages import Message

ReplyKind = Literal["greeting", "answer", "said", "filler", "fallback", "goodbye"]

EVENT_KINDS: Mapping[str, str] = {
    "resumed": "the caller went on before anything of the reply was heard: turn, reply",
    "barge_in": "the caller interrupted the agent: turn, reply, started_at, heard_seconds",
    "cut_off": "something other than the caller's voice ended what the agent was saying: turn, reply, reason",
    "overlap": "the caller spoke over the agent without interrupting it: turn, text",
    "no_words": "a sound of the caller turned out to hold no words: started_at, ended_at",
    "reply_failed": "a reply failed: turn, reply (0 if none had begun), stage, error",
    "transcription_failed": "the speech recogniser failed: error",
    "limit_reached": "the call reached a limit: reason",
    "unsaid": "something the agent was told to say was not said before the call ended: text",
    "undone": "something the agent was told to do was not done before the call ended: order, what",
    "backchannel": "speech over the agent that no strategy took for an interruption: turn, reply, started_at",
    "hang_up_withdrawn": "the caller interrupted before the agent hung up: reason",
    "transfer_withdrawn": "the caller interrupted before the agent handed the call on: number",
    "machine_detected": "the carrier's verdict on who answered: classification, raw, after_ms",
    "voicemail": "the message for a machine was heard to its end: text",
    "muted": "the agent was told to be silent:",
    "unmuted": "the agent may speak again:",
    "stage_failed": "a user's hook, check or transform failed: turn (None if it concerns none), reply, stage, error",
    "guardrail": "a guardrail replaced the rest of a reply: turn, reply, name, matched, added_ms, stage",
    "dtmf_received": "the caller pressed a key: digit",
    "dtmf_sent": "the agent pressed keys: digits",
    "call_usage": "usage that belongs to no turn: usage",
    "late_usage": "usage that came after its row was written: turn, reply, usage",
    "late_tool_result": "a tool returned after its row was written: turn, reply, id, result, error, at",
    "late_instant": "an instant that came after its row was written: turn, reply, name, at",
}
"""Every event the engine records, with the names in its data."""


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
    """Stop generating and synthesising this reply. `heard_seconds` is how much of it the caller heard.

    Audio that was handed over plays on, unless `ClearAudio` follows.
    """

    reply: int
    heard_seconds: float


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Drop what is waiting to be played, here and at the carrier: the audio of the reply cancelled just before.

    When that was done is told by `InstantRecorded` of that reply, "cleared_at".
    """


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run the tool; its end is reported with `ToolReturned`."""

    reply: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys on the line; `KeysPlayed` tells when that was heard."""

    digits: str
    delay_ms: int = 300


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Hand the call to another number; `TransferFailed` tells when that was refused.

    `mode` "warm": call the number first, and tell whoever answers the `summary`; `TransferAnswered` tells when that is done.
    """

    number: str
    mode: str = "cold"
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseCaller:
    """The agent has said what it was saying: the caller may be taken to whoever answered the warm transfer."""


@dataclass(frozen=True, slots=True)
class RecordTurn:
    """The turn is closed: keep its row, in one transaction with the event that closed it."""

    facts: TurnFacts


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Keep an event that belongs to no single turn's row, or came after its row was written."""

    kind: str
    """One of `EVENT_KINDS`."""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndCall:
    """The conversation is over: hang up if the line is still open, then stop. Always the last command."""

    reason: str


Command = (
    FinalizeTranscript | StartReply | ContinueReply | AdoptReply | SpeakFiller | CancelReply | ClearAudio | RunTool | SendDtmf
    | TransferCall | ReleaseCaller | RecordTurn | RecordEvent | EndCall
)
