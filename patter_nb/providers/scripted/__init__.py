"""Providers that say what they are told, after stated delays.

For trying an agent out, for tests, and for calls faster than real time (`speed="max"`): they listen to nothing, know nothing and
wait with the event loop's clock only. Each reports its usage, which a `Price` given to it turns into dollars. What they count
begins at 0 with each call.
"""

from typing import TYPE_CHECKING

from patter_nb.providers.scripted.llm import Reply, ScriptedLLM
from patter_nb.providers.scripted.stt import ScriptedSTT
from patter_nb.providers.scripted.tts import ScriptedTTS, pitch_hz

if TYPE_CHECKING:
    from patter_nb.providers.base import LLM, STT, TTS

    _: tuple[STT, LLM, TTS] = (ScriptedSTT([]), ScriptedLLM([]), ScriptedTTS())  # the type checker proves that they are such

__all__ = ["Reply", "ScriptedLLM", "ScriptedSTT", "ScriptedTTS", "pitch_hz"]
