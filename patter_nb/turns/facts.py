"""The facts of one turn: texts, instants and usage, as they were recorded. Nothing here is computed from anything else here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from patter_nb.turns.usage import Usage

TurnKind = Literal["greeting", "caller", "said", "goodbye"]

INSTANTS: Mapping[str, str] = {
    "speech_started_at": "first voiced audio of the caller's turn",
    "speech_ended_at": "last voiced audio of the caller's turn (the voice activity's stop minus its own silence window)",
    "vad_stopped_at": "when voice activity detection reported that stop, or the line was closed over it",
    "endpointed_at": "when the silence granted to the caller had passed, and was known to be one",
    "stt_requested_at": "when the last final transcript was asked for",
    "stt_final_at": "when the last final transcript of the turn arrived",
    "transcript_hooks_started_at": "when the text stages after the recogniser began with that transcript",
    "transcript_hooks_ended_at": "when they had ended",
    "failed_reply_ordered_at": "when the first reply was ordered that failed unheard and was replaced",
    "failed_reply_ended_at": "when the reply in its place was ordered",
    "reply_ordered_at": "when the engine ordered the reply",
    "hooks_started_at": "when the text stages before the model began",
    "hooks_ended_at": "when they had ended",
    "llm_requested_at": "when the model was asked",
    "llm_first_token_at": "when its first token arrived",
    "llm_finished_at": "when its last token had arrived",
    "sentence_started_at": "when the first token reached the segmenter",
    "sentence_ready_at": "when the first segment was complete",
    "stages_started_at": "when the text stages before the voice began with the first segment",
    "stages_ended_at": "when they had ended",
    "tts_requested_at": "when the first segment was given to the synthesiser",
    "tts_first_byte_at": "when its first audio arrived",
    "tts_last_byte_at": "when the last audio of the last segment had arrived",
    "send_started_at": "when the first audio was handed to the playout",
    "sent_at": "when its first frame was handed to the carrier",
    "played_at": "when the first sample of the reply played, from the carrier's marks",
    "audible_at": "when the first audible sample of the reply played",
    "finished_at": "when the last audio of the reply had played",
    "barge_in_started_at": "first voiced audio of the caller's interruption",
    "barge_in_at": "when it was decided that this is an interruption",
    "cleared_at": "when the carrier had been told to drop what it buffered",
}
"""Every instant a turn can have, in seconds of the call's clock, each recorded by whoever saw it happen."""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One execution of a tool, as the turn remembers it."""

    id: str
    name: str
    arguments: str
    result: str | None = None
    error: str | None = None
    called_at: float | None = None
    """When the model had asked for it, in seconds of the call's clock."""
    returned_at: float | None = None
    """When it had ended; None when it did not while its turn was open."""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """One row of the turns table, before anything is computed from it."""

    turn: int
    """0 for the greeting, 1, 2, ... for the caller's turns; something the agent was told to say counts after them in time."""
    kind: TurnKind
    reply: int
    """The number of the last reply of this turn; 0 when none was ordered."""
    revision: int | None = None
    edit_requested_at: float | None = None
    """When the edit was asked for that brought this revision into the call; None when the call began with it."""
    edit_effective_turn: int | None = None
    """The first turn that was answered with it."""
    caller_text: str = ""
    overlap_text: str = ""
    """What the caller said over the agent without interrupting it."""
    agent_text: str = ""
    """What was generated, whether heard or not."""
    heard_text: str = ""
    """What the caller's ear got of it."""
    heard_estimated: bool = True
    """False when the provider gave alignments, so that the heard words are known and not a proportion."""
    interrupted: bool = False
    """The caller's voice ended the reply."""
    resumed: int = 0
    """How often the caller went on before any audio of the reply had played."""
    error: str | None = None
    """The first thing that went wrong in it."""
    tools: tuple[ToolRun, ...] = ()
    guardrails: tuple[str, ...] = ()
    """The guardrails that replaced a reply of this turn."""
    instants: Mapping[str, float] = field(default_factory=dict)
    """Instants by their name in `INSTANTS`; absent when it did not happen."""
    usage: tuple[Usage, ...] = ()
