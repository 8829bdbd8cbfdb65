"""What is asked of text to speech."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise

from patter_nb.audio.convert import decode
from patter_nb.audio.formats import AudioFormat
from patter_nb.audio.loudness import AUDIBLE_DBFS, first_audible
from patter_nb.providers.base import TTS, Alignment, AudioChunk, TTSStream
from patter_nb.testing.harness import (
    Rule,
    call_context,
    check,
    kind,
    require,
    require_context,
    require_iterator,
    require_usage,
    stop_early,
)
from patter_nb.turns.usage import Usage

LONG = "The kitchen is open from six to ten, and the bar until midnight. Shall I keep a table for you?"
SHORT = "Good evening."


async def check_tts(tts: TTS, *, failing: TTS | None = None, patience_seconds: float = 20.0) -> None:
    """Hold every rule of the `TTS` protocol against `tts`; `ConformanceError` names the first that it breaks.

    It speaks a dozen sentences, in each of its formats. `failing` is one that is set up so that speaking fails, if there is a
    way: its error is checked, too. `patience_seconds` bounds each rule.
    """
    await check(tts, failing, TTS, _rules, patience_seconds)


def _rules(tts: TTS) -> list[Rule]:
    first = tts.formats[0]
    return [
        *(Rule(f"speaking in {audio}", partial(_speaks, tts, audio)) for audio in tts.formats),
        Rule("opening a second time", partial(_speaks, tts, first)),
        Rule("closing the iterator of speak() early", partial(_stops, tts, first)),
        Rule("calling speak() while an earlier one is read", partial(_overlaps, tts, first)),
    ]


async def _speaks(tts: TTS, audio: AudioFormat) -> None:
    async with require_context(tts.open(call_context(), audio)) as stream:
        size, chunks = await _spoken(tts, stream, audio, LONG)
        require(chunks > 1, f"speak() brought all its audio at once ({audio.seconds(size):.1f} s); yield audio as it is made.")


async def _spoken(tts: TTS, stream: TTSStream, audio: AudioFormat, text: str) -> tuple[int, int]:
    """Bytes and chunks of one segment, every event of which was in order."""
    chunks: list[bytes] = []
    usages: list[Usage] = []
    alignments: list[Alignment] = []
    async for event in require_iterator(stream.speak(text), "speak()"):
        if isinstance(event, AudioChunk):
            _require_samples(event.audio, audio)
            chunks.append(event.audio)
        elif isinstance(event, Usage):
            usages.append(event)
        else:
            require(isinstance(event, Alignment), f"speak() yielded a {kind(event)}; it yields AudioChunk, Alignment and Usage.")
            alignments.append(event)
    heard = b"".join(chunks)
    require(bool(heard), f"speak() brought no audio for {text!r}.")
    require(not heard.startswith(b"RIFF"), "speak() brought a WAV file; it brings bare samples, without a header.")
    audible = first_audible(decode(heard, audio), audio.hz) is not None
    require(audible, f"speak() brought silence: nothing of it reaches {AUDIBLE_DBFS:g} dBFS, read as {audio}.")
    usage = require_usage(tts, "tts", usages, "speak()")
    require(usage.characters > 0, "speak() reported a usage of 0 characters.")
    _require_alignment(alignments, text)
    return len(heard), len(chunks)


def _require_samples(chunk: object, audio: AudioFormat) -> None:
    require(isinstance(chunk, bytes), f"an AudioChunk holds a {type(chunk).__name__}; it holds bytes.")
    assert isinstance(chunk, bytes)
    whole = len(chunk) % audio.sample_bytes == 0
    require(whole, f"an AudioChunk holds {len(chunk)} bytes; that is no whole number of samples of {audio.sample_bytes} bytes.")


def _require_alignment(alignments: list[Alignment], text: str) -> None:
    points = [point for alignment in alignments for point in alignment.points]
    ascending = all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(points))
    require(ascending, f"speak() aligned text to audio in descending order: {points}.")
    inside = all(0 <= characters <= len(text) for characters, _ in points)
    require(inside, f"speak() aligned characters that the text of {len(text)} characters does not have: {points}.")


async def _stops(tts: TTS, audio: AudioFormat) -> None:
    async with require_context(tts.open(call_context(), audio)) as stream:
        await stop_early(require_iterator(stream.speak(LONG), "speak()"), "speak()", AudioChunk)
        await _spoken(tts, stream, audio, SHORT)


async def _overlaps(tts: TTS, audio: AudioFormat) -> None:
    async with require_context(tts.open(call_context(), audio)) as stream:
        (long, _), (short, _) = await asyncio.gather(_spoken(tts, stream, audio, LONG), _spoken(tts, stream, audio, SHORT))
        require(long > short, "two speak() at once mixed their audio up: the longer text got the shorter audio.")
