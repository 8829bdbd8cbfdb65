"""What a provider of speech or language is, so that a class written in a notebook cell can be one.

A provider is frozen settings plus resources shared by the process; `async with provider.open(call) as stream` holds what belongs
to one call, on the loop that uses it. Its constructor never raises for a missing key and never opens anything. `ready()` does the
slow part once (start a worker, check a key) and raises `ConfigError`; `phone.agent()` calls it.

Optional: `languages: tuple[str, ...] | None` holds the tags it knows, such as `("en",)`; an agent in another language is refused
where it is made, and None or no such attribute means any. Public attributes that are strings, numbers, booleans, None, paths or
tuples of these are settings: another value is another revision of the agent (see `patter_nb.agent.describe`).

A model that stands in front of others has them as `members`, whose prices count, and reports usage under the one that answered. A
model that is none (it quotes, or says what it was told) has `phone_preamble = False` and is not told how to speak on a telephone.

`patter_nb.testing` has the conformance checks for each protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from patter_nb.audio.formats import AudioFormat
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage

T = TypeVar("T")

CLOSING_SECONDS = 2.0
"""How long a provider may take to close what it opened; the call does not wait longer for it."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a provider may know of the call it serves."""

    call_id: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it. `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """As OpenAI's chat completions take it."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard. `started_at`, `ended_at`: call clock, where the recogniser knows them.

    An interim one may change; a final one will not, stands for audio that no other final stands for, and is empty when that
    audio held no words.
    """

    text: str
    final: bool
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A recogniser with `ends_turns == "provider"` decided that the caller's turn is over."""

    at: float


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the model's text, in its order."""

    text: str


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Synthesised audio, in the format the stream was opened with."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where text ends in the audio: (characters of the segment, seconds of its audio), ascending."""

    points: tuple[tuple[int, float], ...]


STTEvent = Transcript | TurnEnded | Usage
LLMEvent = TextDelta | ToolRequest | Usage
TTSEvent = AudioChunk | Alignment | Usage


@runtime_checkable
class STTStream(Protocol):
    """A recogniser listening to one call. Iterating it yields its events until the stream is closed."""

    def push(self, audio: bytes, at: float) -> None:
        """Take audio of the format the stream was opened with; its last sample was heard at `at`. Never blocks, never raises."""

    def speech_started(self, at: float) -> None:
        """The caller began to speak (or went on) at `at`; a final that was asked for and has not come may be put off."""

    def finalize(self) -> None:
        """The caller fell silent: a final transcript (an empty one if need be) of all audio pushed so far is wanted soon.

        If `speech_started` comes before that final was yielded, it may be withheld; its audio then counts towards the next one.
        """

    def __aiter__(self) -> AsyncIterator[STTEvent]:
        """Transcripts as they come; `Usage` for each second of billed audio exactly once. A failure raises `ProviderError`."""


@runtime_checkable
class STT(Protocol):
    """Speech to text."""

    provider: str
    """Id under which prices and rows know it."""
    model: str
    formats: tuple[AudioFormat, ...]
    """What it understands, best first; the carrier's own format is chosen when it is among them."""
    ends_turns: Literal["session", "provider"]
    virtual_time: bool
    """True when it waits with the loop's clock only, so that it may run faster than real time."""
    price: Price | None
    """What it costs; None: look it up by provider and model."""

    def ready(self) -> None:
        """Do what is slow or can fail before a call; `ConfigError` says what is missing."""

    def open(self, call: CallContext, audio: AudioFormat) -> AbstractAsyncContextManager[STTStream]:
        """Listen to a call whose audio comes in `audio`, one of `formats`."""


@runtime_checkable
class LLMStream(Protocol):
    """A model answering within one call."""

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
        """One answer: text and tool requests as they come, `Usage` once. Closing the iterator ends the generation."""


@runtime_checkable
class LLM(Protocol):
    """A language model, or what stands in for one."""

    provider: str
    model: str
    virtual_time: bool
    price: Price | None

    def ready(self) -> None: ...

    def open(self, call: CallContext) -> AbstractAsyncContextManager[LLMStream]: ...


@runtime_checkable
class TTSStream(Protocol):
    """A voice speaking in one call."""

    def speak(self, text: str) -> AsyncIterator[TTSEvent]:
        """The audio of one segment, as it is made; `Usage` once. Closing the iterator stops the synthesis.

        It may be called for the next segment while an earlier iterator is still being read.
        """


@runtime_checkable
class TTS(Protocol):
    """Text to speech."""

    provider: str
    model: str
    voice: str
    formats: tuple[AudioFormat, ...]
    virtual_time: bool
    price: Price | None

    def ready(self) -> None: ...

    def open(self, call: CallContext, audio: AudioFormat) -> AbstractAsyncContextManager[TTSStream]:
        """Speak in a call that wants `audio`, one of `formats`."""


@runtime_checkable
class Prewarms(Protocol):
    """A voice that can render a line before it is wanted, such as the greeting while the phone rings."""

    async def prepare(self, text: str) -> None:
        """Have the audio of `text` at hand."""


@asynccontextmanager
async def closing(events: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The iterator, closed at the end of the block where it can be closed (a plain iterator cannot), within `CLOSING_SECONDS`."""
    try:
        yield events
    finally:
        if (aclose := getattr(events, "aclose", None)) is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_SECONDS):
                    await aclose()


def choose_format(offered: Sequence[AudioFormat], wanted: AudioFormat) -> AudioFormat:
    """The format both sides speak, so that bytes pass untouched; else the provider's best, to be converted."""
    return wanted if wanted in offered else offered[0]
