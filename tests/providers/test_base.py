"""What a provider is: the protocols a class in a cell can satisfy, and the values that pass through them."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from patter_nb.audio.formats import MULAW_8K, PCM_8K, PCM_16K
from patter_nb.providers import base
from patter_nb.providers.base import LLM, STT, TTS, AudioChunk, CallContext, Transcript, choose_format
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS

FORMATS = [
    ((MULAW_8K, PCM_16K), MULAW_8K, MULAW_8K),
    ((PCM_16K, MULAW_8K), MULAW_8K, MULAW_8K),
    ((PCM_16K, PCM_8K), MULAW_8K, PCM_16K),
    ((PCM_8K,), PCM_8K, PCM_8K),
]


@pytest.mark.parametrize(("offered", "wanted", "chosen"), FORMATS)
def test_a_format_both_sides_speak_is_chosen_and_else_the_providers_best(offered, wanted, chosen):
    assert choose_format(offered, wanted) == chosen


@pytest.mark.parametrize(
    ("provider", "protocol"), [(ScriptedSTT([]), STT), (ScriptedLLM([]), LLM), (ScriptedTTS(), TTS)], ids=["stt", "llm", "tts"]
)
def test_a_provider_is_recognised_by_what_it_has_and_not_by_its_class(provider, protocol):
    assert isinstance(provider, protocol)
    assert [kind for kind in (STT, LLM, TTS) if not isinstance(provider, kind)]


@pytest.mark.parametrize("missing", sorted({*inspect.get_annotations(TTS), "ready", "open"}))
def test_a_voice_that_lacks_one_member_is_no_tts(missing):
    members = dict.fromkeys({*inspect.get_annotations(TTS), "ready", "open"} - {missing})
    assert not isinstance(type("Partial", (), members)(), TTS)


def test_every_value_and_protocol_says_what_it_is_in_words_of_its_own():
    public = [value for value in vars(base).values() if inspect.isclass(value) and value.__module__ == base.__name__]
    assert len(public) >= 12
    generated = [value.__name__ for value in public if not value.__doc__ or value.__doc__.startswith(f"{value.__name__}(")]
    assert generated == []


def test_values_are_frozen():
    for value in (CallContext("call-1"), Transcript("hi", final=True), AudioChunk(b"")):
        assert is_dataclass(value)
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, None)


def test_a_call_is_in_english_unless_told_otherwise():
    assert CallContext("call-1").language == "en"
