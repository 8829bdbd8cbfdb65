"""The three ways in which an agent can speak, what of an agent each of them uses, and when an edit of it takes effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

ProviderMode = Literal["openai_realtime", "elevenlabs_convai", "pipeline"]

When = Literal["next turn", "next call", "never"]

DEFAULT_VOICE = "alloy"
DEFAULT_MODEL = "gpt-4o-mini-realtime-preview"


@runtime_checkable
class Engine(Protocol):
    """A speech-to-speech service as an agent is given it: `OpenAIRealtime()`, `ElevenLabsConvAI()`."""

    kind: ProviderMode
    """Its mode; never "pipeline"."""
    voice: str
    model: str


PIPELINE_ONLY = (
    "hooks", "text_transforms", "vad", "audio_filter", "background_audio", "aggressive_first_flush", "prewarm_first_message",
    "llm_error_message", "barge_in_strategies", "disable_phone_preamble",
)  # fmt: skip
"""What an engine has no use for: it hears, thinks and speaks by itself."""

ENGINE_ONLY = ("voice", "model")
"""What a pipeline has no use for: `tts=` has the voice and `llm=` the model."""

APPLIES: Mapping[str, When] = {
    **dict.fromkeys(
        (
            "system_prompt", "variables", "tools", "guardrails", "hooks", "text_transforms", "llm", "tts", "hangover_ms",
            "barge_in_threshold_ms", "barge_in_strategies", "barge_in_confirm_ms", "aggressive_first_flush", "llm_error_message",
            "disable_phone_preamble", "max_duration_seconds", "max_cost_usd",
        ),
        "next turn",
    ),
    **dict.fromkeys(
        (
            "first_message", "stt", "language", "vad", "audio_filter", "background_audio", "mcp_servers", "prewarm",
            "prewarm_first_message", "engine", "provider", "voice", "model",
        ),
        "next call",
    ),
    "name": "never",
}  # fmt: skip
"""For each field of a pipeline's agent, when an edit made during a call takes effect. What is opened, or already said, when the
call begins stays for that call; the name is what a line of revisions is known by."""
