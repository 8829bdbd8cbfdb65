"""Speech to text on this machine: Whisper tiny.en, in the worker."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from patter_nb.audio.convert import decode
from patter_nb.audio.formats import MULAW_8K, PCM_8K, PCM_16K, AudioFormat
from patter_nb.audio.loudness import block_rms
from patter_nb.errors import ProviderError
from patter_nb.providers.base import CallContext, STTEvent, Transcript, closing
from patter_nb.providers.local.client import PROVIDER, START_SECONDS, WORKER, Line, Model, loaded
from patter_nb.providers.local.models import ENGLISH, require_english, whisper_folder
from patter_nb.turns.usage import Price, Usage

PRE_ROLL_SECONDS = 0.3
"""Audio kept from before the instant at which speech was said to start: soft first sounds lie there."""
LONGEST_SECONDS = 28.0
"""Speech longer than this is cut, at the quietest place of its last `CUT_SECONDS`, and transcribed in parts."""
CUT_SECONDS = 8.0


class LocalSTT:
    """Whisper tiny.en on this machine: no key, no network, English (a model of your own may know more languages).

    It costs about 110 ms of processor time for a short utterance. Its audio is what is said between `speech_started` and
    `finalize`, which begins to transcribe at once; if speech goes on before that final was taken, it is withheld.
    """

    provider = PROVIDER
    ends_turns: Literal["session", "provider"] = "session"
    virtual_time = False

    def __init__(self, model_path: str | Path | None = None) -> None:
        """`model_path`: the folder of another Whisper model in CTranslate2's form; None: the one of the extra `local`."""
        self.model_path = None if model_path is None else Path(model_path)
        self.model = "whisper-tiny.en" if self.model_path is None else self.model_path.name
        self.formats: tuple[AudioFormat, ...] = (MULAW_8K, PCM_8K, PCM_16K)
        self.languages: tuple[str, ...] | None = ENGLISH if self.model_path is None else None
        self.price: Price | None = Price()

    def __repr__(self) -> str:
        return f"LocalSTT(model_path={str(self.model_path)!r})" if self.model_path else "LocalSTT()"

    def ready(self) -> None:
        """Start the worker and let it load the model; returns at once. `MissingExtra` or `ConfigError` if it cannot."""
        WORKER.load(self._model())

    async def wait_ready(self, timeout_seconds: float = START_SECONDS) -> None:
        """Return when the model is loaded; `ProviderError` if it is not within the timeout."""
        await loaded(self._model(), timeout_seconds)

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[LocalSTTStream]:
        """Listen to a call; waits until the model is loaded. A `ConfigError` if the call's language is not the model's."""
        if self.model_path is None:
            require_english(call.language, what="LocalSTT")
        model = self._model()
        await loaded(model)
        stream = LocalSTTStream(model, self.model, audio, call.language)
        try:
            yield stream
        finally:
            stream.close()

    def _model(self) -> Model:
        return Model("stt", str(whisper_folder(self.model_path)))


@dataclass(slots=True)
class _Final:
    """A final transcript that was asked for."""

    size: int
    """Bytes at the head of the buffer that it stands for."""
    ended_at: float
    work: asyncio.Task[str]


class LocalSTTStream:
    """The recogniser of one call. It holds at most `LONGEST_SECONDS` of audio, and the text of what was cut off before."""

    def __init__(self, model: Model, name: str, audio: AudioFormat, language: str) -> None:
        self._name = name
        self._format = audio
        self._request = {"kind": "stt", "path": model.path, "language": language, "format": [audio.encoding, audio.hz]}
        self._line = Line()
        self._audio = bytearray()
        self._heard_until = 0.0
        self._started_at: float | None = None
        self._parts: list[asyncio.Task[str]] = []
        self._parts_seconds = 0.0
        self._final: _Final | None = None
        self._events = deque[STTEvent]()
        self._wake = asyncio.Event()
        self._closed = False

    def push(self, audio: bytes, at: float) -> None:
        """Keep audio whose last sample was heard at `at`. While nobody speaks, the last `LONGEST_SECONDS` are kept."""
        if self._closed:
            return
        self._audio += audio
        self._heard_until = at
        while len(self._audio) - self._claimed() > self._bytes(LONGEST_SECONDS):
            self._shorten()

    def speech_started(self, at: float) -> None:
        """Speech began, or went on: a final that was not taken yet is withheld, and its audio counts towards the next."""
        if self._final is not None:
            self._final.work.cancel()
            self._final = None
        if self._started_at is None:
            self._started_at = at
            del self._audio[: max(0, len(self._audio) - self._bytes(self._heard_until - at + PRE_ROLL_SECONDS))]

    def finalize(self) -> None:
        """Begin to transcribe all audio so far. Asked again without new audio, it changes nothing."""
        if self._closed or (self._final is not None and self._final.size == len(self._audio)):
            return
        if self._final is not None:
            self._final.work.cancel()
        work = asyncio.create_task(self._transcribe(list(self._parts), bytes(self._audio)))
        work.add_done_callback(self._finished)
        self._final = _Final(len(self._audio), self._heard_until, work)

    def __aiter__(self) -> AsyncIterator[STTEvent]:
        return self

    async def __anext__(self) -> STTEvent:
        while self._events or not self._closed:
            if self._events:
                return self._events.popleft()
            if self._final is not None and self._final.work.done():
                return self._take(self._final)
            self._wake.clear()
            await self._wake.wait()
        raise StopAsyncIteration

    def close(self) -> None:
        """End the iteration, save for the usage of a final that was given; drop what is not transcribed yet."""
        self._closed = True
        for work in [*self._parts, *([self._final.work] if self._final else [])]:
            work.cancel()
        self._line.close()
        self._wake.set()

    def _take(self, final: _Final) -> STTEvent:
        """Give the final away: its audio is used up, whether it was understood or not."""
        seconds = self._parts_seconds + self._format.seconds(final.size)
        started_at = final.ended_at - seconds if self._started_at is None else self._started_at
        del self._audio[: final.size]
        self._final, self._started_at = None, None
        self._parts, self._parts_seconds = [], 0.0
        text = final.work.result()  # raises what the worker could not do
        if seconds:
            self._events.append(Usage("stt", PROVIDER, self._name, audio_seconds=seconds))
        return Transcript(text, final=True, started_at=started_at, ended_at=final.ended_at)

    async def _transcribe(self, parts: list[asyncio.Task[str]], audio: bytes) -> str:
        texts = [await asyncio.shield(part) for part in parts]
        if audio:
            texts.append(await self._ask(audio))
        return " ".join(filter(None, texts))

    async def _ask(self, audio: bytes) -> str:
        async with closing(self._line.ask(self._request, audio)) as answer:
            async for frame in answer:
                return str(frame.header["text"])
        raise ProviderError("The on-device speech recogniser gave no answer.", provider=PROVIDER, retryable=True)

    def _finished(self, work: asyncio.Task[str]) -> None:
        """Wake the reader. An error is looked at here, too, as its task may have been withheld since."""
        if not work.cancelled():
            work.exception()
        self._wake.set()

    def _claimed(self) -> int:
        return 0 if self._final is None else self._final.size

    def _shorten(self) -> None:
        """Speech: transcribe its beginning, up to a quiet place, in a part of its own. Otherwise: forget the oldest."""
        if self._started_at is None or self._final is not None:
            del self._audio[self._claimed() : len(self._audio) - self._bytes(LONGEST_SECONDS)]
            return
        cut = self._quietest()
        part = asyncio.create_task(self._ask(bytes(self._audio[:cut])))
        part.add_done_callback(self._finished)
        self._parts.append(part)
        self._parts_seconds += self._format.seconds(cut)
        del self._audio[:cut]

    def _quietest(self) -> int:
        """Where to cut: the middle of the quietest 100 ms in the `CUT_SECONDS` before `LONGEST_SECONDS`, in bytes."""
        first, last = self._bytes(LONGEST_SECONDS - CUT_SECONDS), self._bytes(LONGEST_SECONDS)
        rms = block_rms(decode(bytes(self._audio[first:last]), self._format), self._format.hz)
        quietest = int(np.argmin(np.convolve(rms, np.ones(10), "valid")))
        return first + self._bytes((quietest + 5) * 0.01)

    def _bytes(self, seconds: float) -> int:
        return round(seconds * self._format.hz) * self._format.sample_bytes
