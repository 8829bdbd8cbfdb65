"""A voice that speaks in tones."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.convert import encode
from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import ProviderError
from patter_nb.providers.base import Alignment, AudioChunk, CallContext, TTSEvent
from patter_nb.providers.scripted import settings
from patter_nb.turns.usage import Price, Usage

CHUNK_SECONDS = 0.1
"""The length of the pieces in which the audio comes."""

_PEAK = 0.3
_FADE_SECONDS = 0.01


@dataclass(eq=False, repr=False)
class ScriptedTTS:
    """Speaks in tones: one for each word, as long as the word, at a pitch that tells which segment of the call it belongs to.

    Usage is the characters of the text and comes first, since they are billed once they are asked for.
    """

    _: KW_ONLY
    first_byte_seconds: float = 0.1
    """From the request to the first piece of audio."""
    realtime_factor: float = 10.0
    """How many seconds of audio come in a second, in pieces of 0.1 s."""
    seconds_per_character: float = 0.06
    leading_silence_seconds: float = 0.0
    """Silence at the beginning of each segment, before its first tone."""
    fails_at_segment: int | None = None
    """The segment of the call, counted from 0, that breaks off with a `ProviderError` when half of its audio is out."""
    alignments: bool = False
    """Whether it says, before the audio of a segment, where in it each word ends."""
    formats: tuple[AudioFormat, ...] = settings.FORMATS
    voice: str = "tone"
    provider: str = "scripted"
    model: str = "tones"
    price: Price | None = None
    virtual_time: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        settings.names_and_price(self)
        settings.seconds("first_byte_seconds", self.first_byte_seconds)
        settings.factor("realtime_factor", self.realtime_factor)
        settings.seconds("seconds_per_character", self.seconds_per_character, above_zero=True)
        settings.seconds("leading_silence_seconds", self.leading_silence_seconds)
        settings.index("fails_at_segment", self.fails_at_segment)
        self.formats = settings.audio_formats(self.formats)
        settings.one_of("voice", self.voice, "tone")

    def ready(self) -> None:
        """Always ready."""

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[_Voice]:  # noqa: ARG002 (the protocol's)
        """Speak in a call, from segment 0 on. `ConfigError` for a format that is none of `formats`."""
        settings.offered(audio, self.formats)
        yield _Voice(self, audio)

    def __repr__(self) -> str:
        return settings.written(self)


class _Voice:
    """One call's share of a `ScriptedTTS`."""

    def __init__(self, script: ScriptedTTS, audio: AudioFormat) -> None:
        self._script = script
        self._audio = audio
        self._segments = 0

    def speak(self, text: str) -> AsyncIterator[TTSEvent]:
        segment = self._segments
        self._segments += 1
        return self._synthesise(segment, text)

    async def _synthesise(self, segment: int, text: str) -> AsyncIterator[TTSEvent]:
        script = self._script
        wait = settings.Pace(script.first_byte_seconds, CHUNK_SECONDS / script.realtime_factor)
        yield Usage("tts", script.provider, script.model, characters=len(text))
        audio = encode(self._tone(segment, text), self._audio)
        size = round(CHUNK_SECONDS * self._audio.hz) * self._audio.sample_bytes
        chunks = [audio[start : start + size] for start in range(0, len(audio), size)]
        fails = segment == script.fails_at_segment
        for number, chunk in enumerate(chunks[: len(chunks) // 2] if fails else chunks):
            await wait.next()
            if script.alignments and number == 0:
                yield self._alignment(text)
            yield AudioChunk(chunk)
        if fails:
            await wait.next()
            raise ProviderError(f"{script.provider} failed in segment {segment}, as it was told to.", provider=script.provider)

    def _tone(self, segment: int, text: str) -> NDArray[np.int16]:
        script, hz = self._script, self._audio.hz
        silence = np.zeros(round(script.leading_silence_seconds * hz), np.int16)
        at = np.arange(round(len(text) * script.seconds_per_character * hz)) / hz
        if not text.strip():
            return np.concatenate((silence, np.zeros(len(at), np.int16)))
        sounds = np.array([not character.isspace() for character in text], dtype=np.float64)
        level = sounds[np.minimum((at / script.seconds_per_character).astype(int), len(text) - 1)]
        fade = np.hanning(round(_FADE_SECONDS * hz) + 2)[1:-1]
        level = np.convolve(level, fade / fade.sum(), mode="full")[: len(at)]
        tone = _PEAK * 32767 * level * np.sin(2 * np.pi * pitch_hz(segment) * at)
        return np.concatenate((silence, tone.astype(np.int16)))

    def _alignment(self, text: str) -> Alignment:
        ends = [match.end() for match in re.finditer(r"\S+", text)]
        script = self._script
        return Alignment(tuple((end, script.leading_silence_seconds + end * script.seconds_per_character) for end in ends))


def pitch_hz(segment: int) -> float:
    """The pitch of a scripted voice in the call's segment of this number: 400 Hz and 50 Hz more for each, over again after 32."""
    return 400.0 + 50.0 * (segment % 32)
