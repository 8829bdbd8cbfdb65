"""A recogniser that hears what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from patter_nb.audio.convert import decode
from patter_nb.audio.formats import AudioFormat
from patter_nb.audio.loudness import BLOCK_SECONDS, block_rms
from patter_nb.errors import ConfigTypeError, ProviderError
from patter_nb.providers.base import CallContext, STTEvent, Transcript, TurnEnded
from patter_nb.providers.scripted import settings
from patter_nb.turns.usage import Price, Usage

INTERIM_SECONDS = 0.3
"""Speech after which one more word is understood."""

QUIET = 10.0 ** (-15.0 / 20.0)
"""What is 15 dB below the loudest of an utterance is silence to a recogniser that ends turns: pauses, and noise on the line."""


@dataclass(eq=False, repr=False)
class ScriptedSTT:
    """Hears its lines, whatever is said: line after line, one for each utterance it was asked to finalise, or ended itself.

    An utterance is speech that was announced by `speech_started`; silence finalises to an empty transcript and uses no line. When
    the caller goes on before a final is out, that final is withheld and the utterance goes on, too. A stream that is opened again
    in the same call, after a failure, goes on with the next line.

    Usage is the audio pushed since the last usage: with each final, and for the rest when the stream is closed.
    """

    lines: Sequence[str]
    _: KW_ONLY
    final_seconds: float = 0.15
    """From `finalize()` to the final transcript."""
    interims: bool = False
    """Whether a growing part of the line comes while the caller speaks, one word more for each 0.3 s of speech."""
    fails_at: int | None = None
    """The utterance, counted from 0, whose final is a `ProviderError` instead; its line is lost."""
    used_up: Literal["empty", "fail"] = "empty"
    """What an utterance after the last line brings: an empty transcript, or a `ProviderError`."""
    ends_turns: Literal["session", "provider"] = "session"
    """"provider": it finalises by itself when the caller is silent, and a `TurnEnded` follows each final that has words."""
    silence_seconds: float = 0.5
    """Silence in the audio that ends an utterance where `ends_turns` is "provider"."""
    formats: tuple[AudioFormat, ...] = settings.FORMATS
    provider: str = "scripted"
    model: str = "lines"
    price: Price | None = None
    virtual_time: bool = field(default=True, init=False)
    _utterances: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.lines, list | tuple) or not all(isinstance(line, str) for line in self.lines):
            raise ConfigTypeError(f"lines is {self.lines!r}; it must be a list of strings, one for each utterance.")
        self.lines = tuple(self.lines)
        settings.names_and_price(self)
        settings.seconds("final_seconds", self.final_seconds)
        settings.seconds("silence_seconds", self.silence_seconds, above_zero=True)
        settings.index("fails_at", self.fails_at)
        settings.one_of("used_up", self.used_up, "empty", "fail")
        settings.one_of("ends_turns", self.ends_turns, "session", "provider")
        self.formats = settings.audio_formats(self.formats)

    def ready(self) -> None:
        """Always ready."""

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[_Listener]:
        """Listen to a call. `ConfigError` for a format that is none of `formats`."""
        settings.offered(audio, self.formats)
        listener = _Listener(self, call.call_id, audio)
        try:
            yield listener
        finally:
            listener.close()

    def next_line(self, call_id: str) -> str:
        """The line of the call's next utterance; `ProviderError` where the script says so."""
        number = self._utterances.get(call_id, 0)
        self._utterances[call_id] = number + 1
        if number == self.fails_at:
            raise ProviderError(f"{self.provider} failed at utterance {number}, as it was told to.", provider=self.provider)
        if number < len(self.lines):
            return self.lines[number]
        if self.used_up == "fail":
            message = f"{self.provider} has no line for utterance {number}: it was given {len(self.lines)}. Give it more lines."
            raise ProviderError(message, provider=self.provider)
        return ""

    def coming_line(self, call_id: str) -> str:
        """The line of the utterance that is being spoken; empty when there is none."""
        number = self._utterances.get(call_id, 0)
        return self.lines[number] if number < len(self.lines) else ""

    def __repr__(self) -> str:
        return settings.written(self)


class _Listener:
    """One call's ear of a `ScriptedSTT`."""

    def __init__(self, script: ScriptedSTT, call_id: str, audio: AudioFormat) -> None:
        self._script = script
        self._call_id = call_id
        self._audio = audio
        self._events: asyncio.Queue[STTEvent | ProviderError | None] = asyncio.Queue()
        self._final: asyncio.TimerHandle | None = None
        self._started_at: float | None = None
        self._heard_at: float | None = None
        self._spoken_seconds = 0.0
        self._loudest = self._quiet_seconds = 0.0
        self._interim_words = 0
        self._unbilled_seconds = 0.0
        self._closed = False

    def push(self, audio: bytes, at: float) -> None:
        if self._closed:
            return
        seconds = self._audio.seconds(len(audio))
        self._unbilled_seconds += seconds
        self._heard_at = at
        if self._started_at is not None and self._final is None:
            self._spoken_seconds += seconds
            if self._script.interims:
                self._understand()
        if self._script.ends_turns == "provider":
            self._end_when_silent(audio, at)

    def speech_started(self, at: float) -> None:
        if self._final is not None:
            self._final.cancel()
            self._final = None
        if self._started_at is None:
            self._started_at = at
        self._quiet_seconds = 0.0

    def finalize(self) -> None:
        self._finalize(self._heard_at)

    def _finalize(self, ended_at: float | None) -> None:
        if not self._closed and self._final is None:
            self._final = asyncio.get_running_loop().call_later(self._script.final_seconds, self._say, ended_at)

    def _end_when_silent(self, audio: bytes, at: float) -> None:
        for level in block_rms(decode(audio, self._audio), self._audio.hz):
            self._loudest = max(self._loudest, float(level))
            self._quiet_seconds = self._quiet_seconds + BLOCK_SECONDS if level < self._loudest * QUIET else 0.0
        if self._started_at is not None and self._quiet_seconds >= self._script.silence_seconds - 1e-6:
            self._finalize(at - self._quiet_seconds)

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        while (event := await self._events.get()) is not None:
            if isinstance(event, ProviderError):
                raise event
            yield event
        self._events.put_nowait(None)  # whoever iterates again after the end ends at once

    def close(self) -> None:
        if self._final is not None:
            self._final.cancel()
        self._closed = True
        self._bill()
        self._events.put_nowait(None)

    def _say(self, ended_at: float | None) -> None:
        started_at, self._started_at, self._final = self._started_at, None, None
        self._spoken_seconds, self._interim_words, self._loudest = 0.0, 0, 0.0
        try:
            text = "" if started_at is None else self._script.next_line(self._call_id)
        except ProviderError as error:
            self._events.put_nowait(error)
            return
        self._events.put_nowait(Transcript(text, final=True, started_at=started_at, ended_at=ended_at if text else None))
        self._bill()
        if text and self._script.ends_turns == "provider":
            self._events.put_nowait(TurnEnded(ended_at if ended_at is not None else started_at or 0.0))

    def _understand(self) -> None:
        words = self._script.coming_line(self._call_id).split()
        known = min(len(words), int(self._spoken_seconds / INTERIM_SECONDS + 1e-6))
        if known > self._interim_words:
            self._interim_words = known
            self._events.put_nowait(Transcript(" ".join(words[:known]), final=False, started_at=self._started_at))

    def _bill(self) -> None:
        if self._unbilled_seconds:
            script, seconds, self._unbilled_seconds = self._script, self._unbilled_seconds, 0.0
            self._events.put_nowait(Usage("stt", script.provider, script.model, audio_seconds=seconds))
