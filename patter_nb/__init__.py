"""Prototype phone voice agents in a notebook: talk to them, edit them mid-call, and see every turn's latency and cost in pandas.
"""

from typing import Any

from patter_nb.agent import Agent
from patter_nb.audio.background import AudioConfig, BackgroundAudioPlayer
from patter_nb.audio.clips import BuiltinAudioClip
from patter_nb.audio.plug import AudioFilter, VADEvent, VADProvider
from patter_nb.audio.recording import Recording
from patter_nb.barge_in import BargeInStrategy, MinWordsStrategy
from patter_nb.call import Call
from patter_nb.callbacks import CallControl
from patter_nb.callers import Line
from patter_nb.carriers.twilio import Twilio
from patter_nb.errors import (
    CarrierError,
    ConfigError,
    ConfigTypeError,
    MissingExtra,
    PatterError,
    PatterWarning,
    ProviderError,
)
from patter_nb.frames import columns
from patter_nb.guardrails import Guardrail, guardrail
from patter_nb.hooks import AfterLLM, HookContext, PipelineHooks
from patter_nb.keys import keys
from patter_nb.nested import allow_nested_run
from patter_nb.phone import Patter
from patter_nb.providers.custom import CustomLLM
from patter_nb.providers.fallback import FallbackLLM
from patter_nb.providers.local import DemoBrain, LocalSTT, LocalTTS
from patter_nb.providers.openai_compatible import OpenAICompatibleLLM
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.metrics import CallMetrics, CostBreakdown, LatencyBreakdown, TurnMetrics
from patter_nb.remote import RemoteMessage
from patter_nb.session.notices import CallEvent
from patter_nb.softphone import Softphone
from patter_nb.text import filter_emoji, filter_for_tts, filter_markdown
from patter_nb.told import MachineDetectionResult
from patter_nb.tools import Reassurance, Tool, tool
from patter_nb.tunnels import CloudflareTunnel, Ngrok, Static
from patter_nb.turns.usage import Price, Usage

__version__ = "0.4.0"

__all__ = [
    "AfterLLM",
    "Agent",
    "AudioConfig",
    "AudioFilter",
    "BackgroundAudioPlayer",
    "BargeInStrategy",
    "BuiltinAudioClip",
    "Call",
    "CallControl",
    "CallEvent",
    "CallMetrics",
    "CarrierError",
    "CloudflareTunnel",
    "ConfigError",
    "ConfigTypeError",
    "CostBreakdown",
    "CustomLLM",
    "DemoBrain",
    "FallbackLLM",
    "Guardrail",
    "HookContext",
    "LatencyBreakdown",
    "Line",
    "LocalSTT",
    "LocalTTS",
    "MachineDetectionResult",
    "MinWordsStrategy",
    "MissingExtra",
    "Ngrok",
    "OpenAICompatibleLLM",
    "Patter",
    "PatterError",
    "PatterWarning",
    "PipelineHooks",
    "Price",
    "ProviderError",
    "Reassurance",
    "Recording",
    "RemoteMessage",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "Softphone",
    "Static",
    "Tool",
    "TurnMetrics",
    "Twilio",
    "Usage",
    "VADEvent",
    "VADProvider",
    "allow_nested_run",
    "columns",
    "filter_emoji",
    "filter_for_tts",
    "filter_markdown",
    "guardrail",
    "keys",
    "tool",
]


def __dir__() -> list[str]:
    """What a completion offers: the public names, and none of the rooms behind them."""
    return list(__all__)


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext patter_nb`: cells as editors, `%%prompt`, `%%guardrail`, `%call` and `%turns`."""
    from patter_nb.magics import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext patter_nb`."""
    from patter_nb.magics import unload

    unload(ipython)
