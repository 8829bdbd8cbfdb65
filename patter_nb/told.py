"""What callbacks are told: the keys of each dictionary, and the one object.

`at` is in seconds of the call's clock, `timestamp_ms` in milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict


class CallStart(TypedDict):
    """`on_call_start`. What it returns, if anything, is a dictionary of fields of `Agent` for this call alone."""

    call_id: str
    caller: str
    callee: str
    direction: str
    """"test", "inbound" or "outbound"."""
    telephony_provider: str
    custom_params: dict[str, str]


class CallEnd(TypedDict):
    """`on_call_end`, when every row of the call is there."""

    call_id: str
    caller: str
    callee: str
    direction: str
    ended_at: float
    """Seconds since 1970."""
    end_reason: str
    error: str | None
    transcript: list[dict[str, str]]
    conversation_history: list[dict[str, str]]
    metrics: Any
    """`CallMetrics`."""


class Transcript(TypedDict, total=False):
    """`on_transcript`: what was said, once it is final and has passed `after_transcribe`; what was heard of a reply; what a tool
    returned."""

    call_id: str
    role: str
    """"user", "assistant" or "tool"."""
    text: str
    at: float
    turn_idx: int
    """The turn, for the assistant's and a tool's."""
    history: list[dict[str, str]]
    tool_name: str
    tool_args: str
    tool_result: str


@dataclass(frozen=True, slots=True)
class MachineDetectionResult:
    """`on_machine_detection`: the carrier's verdict on who answered. It is told this object, not a dictionary."""

    call_id: str
    carrier: str
    classification: str
    """"human", "machine", "fax" or "unknown"."""
    raw: str
    """The carrier's own word for it, such as "machine_end_beep"."""
    detected_at: float
    """Seconds since 1970."""
    after_ms: float | None = None
    """How long after the answer it came; None where the carrier does not say."""


class Metrics(TypedDict):
    """`on_metrics`, for every turn that is closed, interrupted ones and greetings included."""

    call_id: str
    turn: Any
    """`TurnMetrics`."""
    interrupted: bool
    cost_so_far: Any
    """`CostBreakdown`."""
    llm_ttft_ms: float | None


class Message(TypedDict):
    """`on_message`: the caller's turn, to be answered with a string, or an async generator of its pieces."""

    call_id: str
    text: str
    caller: str
    callee: str
    history: list[dict[str, str]]


class SpeechEvent(TypedDict, total=False):
    """The seven speech events; each has the first four keys and those its name says."""

    call_id: str
    turn_idx: int
    """The caller's turns are counted from 1; what comes before the first belongs to 0."""
    timestamp_ms: float
    at: float
    speech_duration_ms: float
    """on_user_speech_ended, on_agent_speech_ended."""
    trigger: str
    """on_user_speech_eos: "vad_silence" or "provider"."""
    trailing_silence_ms: float
    """on_user_speech_eos."""
    transcript_so_far: str
    """on_user_speech_eos."""
    interrupted: bool
    """on_agent_speech_ended."""
    llm_provider: str
    """on_llm_token, the first token of an answer."""
    model: str
    tts_provider: str
    """on_agent_speech_started, on_audio_out (the first audio of a reply)."""
