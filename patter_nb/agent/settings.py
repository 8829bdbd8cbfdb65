"""What `phone.agent(...)` takes by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypedDict

from patter_nb.agent.modes import Engine, ProviderMode
from patter_nb.barge_in import BargeInStrategy
from patter_nb.guardrails import Guardrail
from patter_nb.hooks import PipelineHooks
from patter_nb.providers.base import LLM, STT, TTS
from patter_nb.tools import Tool


class AgentSettings(TypedDict, total=False):
    """The fields of `Agent` that `phone.agent(system_prompt, ...)` takes by name."""

    stt: STT | None
    llm: LLM | Callable[..., AsyncIterator[Any]] | None
    tts: TTS | None
    engine: Engine | None
    provider: ProviderMode | None
    first_message: str
    variables: Mapping[str, object] | None
    name: str
    language: str
    voice: str | None
    model: str | None
    tools: Sequence[Tool] | None
    mcp_servers: Sequence[Any] | None
    guardrails: Sequence[Guardrail] | None
    hooks: PipelineHooks | None
    text_transforms: Sequence[Callable[[str], str]] | None
    disable_phone_preamble: bool
    vad: Any
    audio_filter: Any
    background_audio: Any
    hangover_ms: int
    barge_in_threshold_ms: int
    barge_in_strategies: Sequence[BargeInStrategy] | None
    barge_in_confirm_ms: int
    aggressive_first_flush: bool
    prewarm: bool
    prewarm_first_message: bool | None
    llm_error_message: str | None
    max_duration_seconds: float
    max_cost_usd: float
