"""The names that users import. A name comes or goes only together with a line here."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

import patter_nb

PUBLIC = {
    "patter_nb": [
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
    ],
    "patter_nb.testing": ["Callee", "ConformanceError", "TwilioSimulator", "check_llm", "check_stt", "check_tts"],
    "patter_nb.providers.scripted": ["Reply", "ScriptedLLM", "ScriptedSTT", "ScriptedTTS", "pitch_hz"],
}

each_module = pytest.mark.parametrize("module", PUBLIC)


@each_module
def test_a_module_offers_exactly_its_public_names(module):
    assert sorted(importlib.import_module(module).__all__) == PUBLIC[module]


@each_module
def test_every_public_name_is_there_and_is_listed_to_whoever_completes_it(module):
    imported = importlib.import_module(module)
    assert [name for name in PUBLIC[module] if not hasattr(imported, name) or name not in dir(imported)] == []


def test_a_completion_of_the_package_offers_none_of_its_rooms():
    assert dir(patter_nb) == PUBLIC["patter_nb"]


@each_module
def test_every_public_class_and_function_explains_itself(module):
    imported = importlib.import_module(module)
    offered = {name: getattr(imported, name) for name in PUBLIC[module]}
    ours = {name: value.__doc__ or "" for name, value in offered.items() if inspect.isclass(value) or inspect.isfunction(value)}
    # A dataclass without a docstring is given its signature for one.
    assert [name for name, text in ours.items() if not text.strip() or text.startswith(f"{name}(")] == []


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Pater"):
        patter_nb.Pater  # noqa: B018 (to read it is the test)


def test_the_package_carries_its_types_and_a_version():
    assert Path(patter_nb.__file__).with_name("py.typed").exists()
    assert re.fullmatch(r"\d+\.\d+\.\d+", patter_nb.__version__)
