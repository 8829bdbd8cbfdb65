"""Text to speech on this machine: a Piper voice, in the worker."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from patter_nb.audio.convert import decode
from patter_nb.audio.formats import MULAW_8K, PCM_8K, PCM_16K, PCM_22K, AudioFormat
from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.providers.base import AudioChunk, CallContext, TTSEvent, closing
from patter_nb.providers.local.cache import SpeechCache, Spoken
from patter_nb.providers.local.client import PROVIDER, START_SECONDS, WORKER, Line, Model, loaded
from patter_nb.providers.local.models import ENGLISH, require_english, voice_file
from patter_nb.turns.usage import Price, Usage

VOICES = ("joe",)
_CACHE = SpeechCache()
"""One for the process: a greeting prepared by one object is found by another with the same settings."""


class LocalTTS:
    """A demo voice on this machine: no key, no network, English.

    The first clause is made first; it takes about 50 ms of processor time a second of speech. What was said once is said again
    without being made again. The worker makes telephone audio itself, so that nothing is converted where the call runs.
    """

    provider = PROVIDER
    virtual_time = False
    languages: tuple[str, ...] | None = ENGLISH

    def __init__(
        self,
        voice: str = "joe",
        *,
        pitch: float = 1.0,
        speed: float = 1.0,
        model_path: str | Path | None = None,
        cache: bool = True,
    ) -> None:
        """`pitch`: 1.25 is a quarter higher, at the same tempo (0.5 to 2). `speed`: 0.5 takes twice the time (0.5 to 2; the model
        cannot quite keep up with more than 1.3: 2 takes two thirds of the time).

        `model_path`: the .onnx file of another English Piper voice, with its .onnx.json beside it; `voice` is then only its name.
        `cache`: remember all that is said, so that it takes no time when it is said again; False: only what was prepared, such as
        the greeting, so that the latencies of calls can be compared whatever was said before.
        """
        self.model_path = None if model_path is None else Path(model_path)
        if self.model_path is None and voice not in VOICES:
            known = ", ".join(map(repr, VOICES))
            raise ConfigError(f"voice is {voice!r}; LocalTTS has {known}, or takes a Piper voice as model_path.")
        self.voice = voice
        self.pitch = _factor("pitch", pitch)
        self.speed = _factor("speed", speed)
        self.cache = cache
        self.model = "piper-en_US-joe-medium" if self.model_path is None else f"piper-{self.model_path.stem}"
        self.formats: tuple[AudioFormat, ...] = (MULAW_8K, PCM_8K, PCM_16K, PCM_22K)
        self.price: Price | None = Price()

    def __repr__(self) -> str:
        path = f", model_path={str(self.model_path)!r}" if self.model_path else ""
        cache = "" if self.cache else ", cache=False"
        return f"LocalTTS({self.voice!r}, pitch={self.pitch:g}, speed={self.speed:g}{path}{cache})"

    def ready(self) -> None:
        """Start the worker and let it load the voice; returns at once. `MissingExtra` or `ConfigError` if it cannot."""
        WORKER.load(self._model())

    async def wait_ready(self, timeout_seconds: float = START_SECONDS) -> None:
        """Return when the voice is loaded; `ProviderError` if it is not within the timeout."""
        await loaded(self._model(), timeout_seconds)

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[LocalTTSStream]:
        """Speak in a call; waits until the voice is loaded. A `ConfigError` if the call is not in English."""
        require_english(call.language, what="LocalTTS")
        await self.wait_ready()
        stream = LocalTTSStream(self, self._model(), audio)
        try:
            yield stream
        finally:
            stream.close()

    async def prepare(self, text: str, audio: AudioFormat = MULAW_8K) -> None:
        """Have the audio of `text` at hand, so that saying it in a call takes no time. For a call in another format, name it."""
        async with self.open(CallContext("prepare"), audio) as stream:
            await stream.prepare(text)

    async def render(self, text: str) -> tuple[Samples, int]:
        """The whole of `text` as samples, int16 of shape (n,), and their rate in Hz: for a test caller's lines."""
        async with self.open(CallContext("render"), PCM_22K) as stream:
            chunks = [event.audio async for event in stream.speak(text) if isinstance(event, AudioChunk)]
        return decode(b"".join(chunks), PCM_22K), PCM_22K.hz

    def _model(self) -> Model:
        return Model("tts", str(voice_file(self.model_path)))


class LocalTTSStream:
    """The voice in one call."""

    def __init__(self, tts: LocalTTS, model: Model, audio: AudioFormat) -> None:
        self._tts = tts
        self._model = model
        self._format = audio
        self._line = Line()
        self.asked = 0
        """Texts that had to be made; the others were remembered."""

    async def speak(self, text: str) -> AsyncGenerator[TTSEvent, None]:
        """The audio of `text`, 0.2 s in each chunk at most. Closing the iterator ends the work on the rest."""
        known = _CACHE.get(self._key(text))
        if known is not None:
            for chunk in known:
                yield AudioChunk(chunk)
        else:
            made: list[bytes] = []
            async with closing(self._make(text)) as chunks:
                async for chunk in chunks:
                    made.append(chunk)
                    yield AudioChunk(chunk)
            if self._tts.cache:
                _CACHE.put(self._key(text), tuple(made))
        yield Usage("tts", PROVIDER, self._tts.model, characters=len(text))

    async def prepare(self, text: str) -> None:
        """Make the audio of `text` and keep it, unless it is there already."""
        if _CACHE.get(self._key(text)) is None:
            _CACHE.put(self._key(text), tuple([chunk async for chunk in self._make(text)]))

    def close(self) -> None:
        """End what is still being made."""
        self._line.close()

    def _key(self, text: str) -> Spoken:
        return Spoken(text, self._model.path, self._tts.pitch, self._tts.speed, self._format)

    async def _make(self, text: str) -> AsyncGenerator[bytes, None]:
        self.asked += 1
        async with closing(self._line.ask(self._request(text))) as answer:
            async for frame in answer:
                yield frame.payload

    def _request(self, text: str) -> dict[str, object]:
        return {
            "kind": "tts",
            "path": self._model.path,
            "text": text,
            "pitch": self._tts.pitch,
            "speed": self._tts.speed,
            "format": [self._format.encoding, self._format.hz],
        }


def _factor(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigTypeError(f"{name} is {type(value).__name__}; it must be a number from 0.5 to 2.")
    if not math.isfinite(value) or not 0.5 <= value <= 2.0:
        raise ConfigError(f"{name} is {value!r}; it must be from 0.5 to 2.")
    return float(value)
