"""What a provider consumed, and what a unit of it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Service = Literal["stt", "llm", "tts", "telephony"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request, one transcript or one segment consumed. Each unit is reported exactly once."""

    service: Service
    provider: str
    """The provider's id, as prices know it ("deepgram", "local")."""
    model: str
    audio_seconds: float = 0.0
    """Seconds of audio heard (STT) or connected (telephony)."""
    characters: int = 0
    """Characters of text synthesised (TTS)."""
    input_tokens: int = 0
    """Prompt tokens that were not read from a cache (LLM)."""
    cached_input_tokens: int = 0
    output_tokens: int = 0
    price_id: str | None = None
    """The dated price row that was in force; None when no price is known."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per unit of one provider's model. All zero is a known price of nothing, not an unknown one."""

    usd_per_audio_minute: float = 0.0
    usd_per_1k_characters: float = 0.0
    usd_per_1m_input_tokens: float = 0.0
    usd_per_1m_cached_input_tokens: float = 0.0
    usd_per_1m_output_tokens: float = 0.0
