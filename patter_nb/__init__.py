"""Prototype phone voice agents in a notebook: talk to them, and see every turn's latency and cost in pandas."""

from patter_nb.agent import Agent
from patter_nb.audio.recording import Recording
from patter_nb.call import Call
from patter_nb.callers import Line
from patter_nb.errors import CarrierError, ConfigError, ConfigTypeError, MissingExtra, PatterError, ProviderError
from patter_nb.phone import Patter
from patter_nb.providers.local import DemoBrain, LocalSTT, LocalTTS
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.metrics import CallMetrics, CostBreakdown, LatencyBreakdown, TurnMetrics
from patter_nb.turns.usage import Price, Usage

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Call",
    "CallMetrics",
    "CarrierError",
    "ConfigError",
    "ConfigTypeError",
    "CostBreakdown",
    "DemoBrain",
    "LatencyBreakdown",
    "Line",
    "LocalSTT",
    "LocalTTS",
    "MissingExtra",
    "Patter",
    "PatterError",
    "Price",
    "ProviderError",
    "Recording",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "TurnMetrics",
    "Usage",
]
