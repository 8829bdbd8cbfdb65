"""What is asked of speech to text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import numpy as np

from patter_nb.audio.convert import encode
from patter_nb.audio.formats import FRAME_SECONDS, AudioFormat
from patter_nb.audio.samples import Samples
from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.providers.base import STT, STTStream, Transcript, TurnEnded
from patter_nb.testing.harness import (
    Rule,
    call_context,
    check,
    kind,
    require,
    require_context,
    require_names,
)
from patter_nb.turns.usage import Usage

SPEECH = "I would like a table for two, please."
ROUNDING_SECONDS = 1.0
"""By how much billed audio may exceed what was pushed, for each final: some bill whole seconds."""


async def check_stt(stt: STT, *, failing: STT | None = None, patience_seconds: float = 20.0) -> None:
    """Hold every rule of the `STT` protocol against `stt`; `ConformanceError` names the first that it breaks.

    It listens to a signal with the rhythm of speech, in which a recogniser may find no words, in each of its formats. `failing`
    is one that is set up so that its first transcript fails, if there is a way: its error is checked, too. `patience_seconds`
    bounds each rule.
    """
    await check(stt, failing, STT, _rules, patience_seconds)


def _rules(stt: STT) -> list[Rule]:
    first = stt.formats[0]
    return [
        *(Rule(f"listening in {audio}", partial(_listens, stt, audio)) for audio in stt.formats),
        Rule("opening a second time", partial(_listens, stt, first)),
        Rule("finalize() without speech", partial(_hears_nothing, stt, first)),
        Rule("finalize() after the caller went on", partial(_goes_on, stt, first)),
        Rule("closing the stream while it is read", partial(_closes, stt, first)),
        Rule("using the stream after it was closed", partial(_is_over, stt, first)),
    ]


class _Line:
    """One call's line to the recogniser: what is pushed, at which instants, and what comes back."""

    def __init__(self, stt: STT, stream: STTStream, audio: AudioFormat) -> None:
        self.stt = stt
        self.stream = stream
        self.audio = audio
        self.pushed_seconds = 0.0
        self.usages: list[Usage] = []
        events = aiter(stream)
        require(isinstance(events, AsyncIterator), f"iterating the stream gave a {kind(events)}; it gives an async iterator.")
        self.events: AsyncIterator[Any] = events

    def speak(self) -> None:
        self.stream.speech_started(self.pushed_seconds)
        self._push(synthetic_voice(SPEECH, hz=self.audio.hz)[0])

    def be_silent(self, seconds: float) -> None:
        self._push(np.zeros(round(seconds * self.audio.hz), np.int16))

    async def final(self) -> Transcript:
        """The next final transcript; what comes before it is checked."""
        while True:
            event = await anext(self.events, None)
            require(event is not None, "the stream's events ended while it was open.")
            if isinstance(event, Transcript) and event.final:
                self._require_transcript(event)
                return event
            self._take(event)

    async def end(self) -> None:
        """Read what is left after the stream was closed; no final may be among it."""
        while (event := await anext(self.events, None)) is not None:
            late = isinstance(event, Transcript) and event.final
            require(not late or self.stt.ends_turns == "provider", f"one finalize() brought two finals; the second was {event}.")
            self._take(event)

    def _push(self, samples: Samples) -> None:
        step = int(FRAME_SECONDS * self.audio.hz)
        for start in range(0, len(samples), step):
            frame = encode(samples[start : start + step], self.audio)
            self.pushed_seconds += self.audio.seconds(len(frame))
            returned: object = self.stream.push(frame, self.pushed_seconds)  # type: ignore[func-returns-value]
            require(kind(returned) == "NoneType", f"push() returned a {kind(returned)}; it takes the audio and returns None.")

    def _take(self, event: object) -> None:
        if isinstance(event, Usage):
            require_names(self.stt, "stt", event, "the stream")
            self.usages.append(event)
        elif isinstance(event, Transcript):
            self._require_transcript(event)
        else:
            fits = isinstance(event, TurnEnded)
            require(fits, f"the stream yielded a {kind(event)}; it yields Transcript, TurnEnded and Usage.")
            ends = self.stt.ends_turns
            require(ends == "provider", f"the stream yielded TurnEnded although ends_turns is {ends!r}.")

    def _require_transcript(self, event: Transcript) -> None:
        require(isinstance(event.text, str), f"a Transcript holds a {type(event.text).__name__}; it holds a string.")
        bounds = [at for at in (event.started_at, event.ended_at) if at is not None]
        within = all(-0.5 <= at <= self.pushed_seconds + 0.5 for at in bounds) and bounds == sorted(bounds)
        require(within, f"{event} lies outside of the {self.pushed_seconds:.2f} s pushed; its times are those of push().")

    def require_usage(self, finals: int) -> None:
        billed = sum(usage.audio_seconds for usage in self.usages)
        pushed = f"{self.pushed_seconds:.1f} s"
        require(billed > 0, f"no usage was reported for {pushed} of audio, not even after the stream was closed.")
        most = self.pushed_seconds + finals * ROUNDING_SECONDS
        require(billed <= most, f"usage of {billed:.1f} s was reported for {pushed} of audio; report each second once.")


async def _listens(stt: STT, audio: AudioFormat) -> None:
    async with require_context(stt.open(call_context(), audio)) as stream:
        line = _Line(stt, stream, audio)
        for _ in range(2):
            line.be_silent(0.5)
            line.speak()
            stream.finalize()
            await line.final()
    await line.end()
    line.require_usage(finals=2)


async def _hears_nothing(stt: STT, audio: AudioFormat) -> None:
    async with require_context(stt.open(call_context(), audio)) as stream:
        line = _Line(stt, stream, audio)
        for seconds in (0.0, 0.5):
            line.be_silent(seconds)
            stream.finalize()
            text = (await line.final()).text
            require(text == "", f"silence was finalised to {text!r}; a final without speech is empty.")
    await line.end()


async def _goes_on(stt: STT, audio: AudioFormat) -> None:
    """Whether or not the first final is withheld, one comes after the second request."""
    async with require_context(stt.open(call_context(), audio)) as stream:
        line = _Line(stt, stream, audio)
        line.speak()
        stream.finalize()
        line.speak()
        stream.finalize()
        await line.final()


async def _closes(stt: STT, audio: AudioFormat) -> None:
    async with require_context(stt.open(call_context(), audio)) as stream:
        line = _Line(stt, stream, audio)
        line.speak()
        reading = asyncio.ensure_future(line.end())
        await asyncio.sleep(0)
    await reading


async def _is_over(stt: STT, audio: AudioFormat) -> None:
    async with require_context(stt.open(call_context(), audio)) as stream:
        line = _Line(stt, stream, audio)
        line.speak()
    line.speak()
    stream.finalize()
    await line.end()
