"""What `LocalSTT` hears: words, silence, and speech that goes on. The voice that speaks to it is `LocalTTS`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from patter_nb.audio.band import telephone_band
from patter_nb.audio.convert import decode, encode
from patter_nb.audio.formats import MULAW_8K, PCM_8K, PCM_16K, AudioFormat
from patter_nb.audio.resample import Resampler
from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError, ProviderError
from patter_nb.providers.base import AudioChunk, CallContext, Transcript
from patter_nb.providers.local import LocalSTT, LocalTTS
from patter_nb.providers.local.client import WORKER
from patter_nb.providers.local.models import whisper_folder
from patter_nb.providers.local.stt import LONGEST_SECONDS, LocalSTTStream
from patter_nb.testing import check_stt
from patter_nb.turns.usage import Price, Usage

CALL = CallContext("call")
BOUND_SECONDS = 60.0
SENTENCES = (
    "Hi, when is dinner?",
    "How much is a double room?",
    "Is there a place to park my car?",
    "Could you tell me where the nearest station is?",
    "I would like to book a table for two people on Friday evening.",
    "Thank you very much, goodbye.",
    "My daughter lost her blue jacket near the swimming pool yesterday.",
    "Do you have any rooms with a view of the garden?",
    "We will arrive late at night, so please leave the door open.",
    "Can I bring my dog?",
)
HALF = np.zeros(4000, np.int16)
"""Half a second of silence at 8 kHz."""


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            await scene()

    asyncio.run(bounded())


async def spoken(text: str, *, pitch: float = 1.0) -> Samples:
    """The text as samples at 8 kHz."""
    async with LocalTTS(pitch=pitch).open(CALL, PCM_8K) as stream:
        return decode(b"".join([event.audio async for event in stream.speak(text) if isinstance(event, AudioChunk)]), PCM_8K)


class Ear:
    """A stream that is pushed frames of 20 ms, by a clock that is only counted."""

    def __init__(self, stream: LocalSTTStream, audio: AudioFormat = MULAW_8K) -> None:
        self.stream = stream
        self.audio = audio
        self.now = 0.0

    def push(self, samples: Samples) -> None:
        """Samples at 8 kHz, sent in the stream's own format."""
        if self.audio.hz != 8000:
            change = Resampler(8000, self.audio.hz)
            samples = np.concatenate([change.feed(samples), change.flush()])
        step = self.audio.hz // 50
        for start in range(0, len(samples), step):
            frame = encode(samples[start : start + step], self.audio)
            self.now += self.audio.seconds(len(frame))
            self.stream.push(frame, self.now)

    def speech(self, samples: Samples) -> None:
        """Speech, noticed after 60 ms of it, as a voice detector does."""
        self.push(samples[:480])
        self.stream.speech_started(self.now - 0.06)
        self.push(samples[480:])

    async def final(self) -> Transcript:
        self.stream.finalize()
        event = await anext(self.stream)
        assert isinstance(event, Transcript)
        return event


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z0-9 ]", "", text.lower().replace("-", " ")).split()


def edits(wanted: list[str], heard: list[str]) -> int:
    """Words to insert, delete or exchange."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(wanted, 1):
        before, row[0] = row[:], number
        for place, other in enumerate(heard, 1):
            row[place] = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (word != other))
    return row[-1]


def test_what_is_spoken_over_the_telephone_is_heard(models: None) -> None:
    """Word errors of at most a fifth, for two voices; the model's own are some 5 %, and its voice is drawn anew each time."""

    async def scene() -> None:
        wrong = total = 0
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            ear = Ear(stream)
            for number, sentence in enumerate(SENTENCES):
                ear.push(HALF)
                ear.speech(telephone_band(await spoken(sentence, pitch=(1.0, 1.25)[number % 2]), 8000))
                heard = await ear.final()
                wrong += edits(words(sentence), words(heard.text))
                total += len(words(sentence))
                assert isinstance(await anext(stream), Usage)
        assert wrong <= total / 5, f"{wrong} of {total} words"

    run(scene)


@pytest.mark.parametrize("audio", [PCM_8K, PCM_16K], ids=str)
def test_each_format_is_understood(models: None, audio: AudioFormat) -> None:
    async def scene() -> None:
        async with LocalSTT().open(CALL, audio) as stream:
            ear = Ear(stream, audio)
            ear.push(HALF)
            ear.speech(await spoken("Can I bring my dog?"))
            assert "dog" in (await ear.final()).text.lower()

    run(scene)


def beep(hz: float, seconds: float) -> Samples:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * 8000)) / 8000)).astype(np.int16)


def hiss(level: float, seconds: float) -> Samples:
    return (np.random.default_rng(7).standard_normal(round(seconds * 8000)) * level).astype(np.int16)


def chord(seconds: float) -> Samples:
    """Three notes that swell and fade, a little like music."""
    swell = np.abs(np.sin(2 * np.pi * 1.3 * np.arange(round(seconds * 8000)) / 8000))
    return (sum(beep(hz, seconds) / 4.0 for hz in (262.0, 330.0, 392.0)) * swell).astype(np.int16)


WORDLESS = {
    "silence": HALF,
    "a second of nothing but the line": hiss(8, 1.0),
    "loud hiss": hiss(2000, 2.0),
    "a beep": beep(1000, 0.4),
    "the dial tone": (beep(350, 2.0) / 2 + beep(440, 2.0) / 2).astype(np.int16),
    "a key": (beep(770, 0.2) / 2 + beep(1336, 0.2) / 2).astype(np.int16),
    "a chord": chord(3.0),
    "a click": np.concatenate([HALF, hiss(9000, 0.01), HALF]),
}


@pytest.mark.parametrize("sound", WORDLESS.values(), ids=WORDLESS.keys())
def test_sounds_without_words_are_an_empty_final(models: None, sound: Samples) -> None:
    async def scene() -> None:
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            ear = Ear(stream)
            ear.push(HALF)
            ear.speech(sound)
            assert (await ear.final()).text == ""

    run(scene)


def test_a_final_is_withheld_when_speech_goes_on_and_its_audio_joins_the_next(models: None) -> None:
    async def scene() -> None:
        first, second = await spoken("I would like to book a table,"), await spoken("for two people on Friday evening.")
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            ear = Ear(stream)
            ear.push(HALF)
            ear.speech(first)
            stream.finalize()
            reading = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            assert not reading.done()
            ear.push(HALF[:1600])
            ear.speech(second)
            stream.finalize()
            heard = await reading
            assert isinstance(heard, Transcript)
            assert "table" in heard.text
            assert "evening" in heard.text
            usage = await anext(stream)
            assert isinstance(usage, Usage)
            assert usage.audio_seconds == pytest.approx((len(first) + len(second) + 1600) / 8000 + 0.3, abs=0.05)
            stream.finalize()
            assert await anext(stream) == Transcript("", final=True, started_at=ear.now, ended_at=ear.now)

    run(scene)


def test_a_final_that_is_ready_but_was_not_taken_is_withheld_as_well(models: None) -> None:
    async def scene() -> None:
        sentence = await spoken("Can I bring my dog?")
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            ear = Ear(stream)
            ear.speech(sentence)
            stream.finalize()
            assert stream._final is not None
            await asyncio.wait({stream._final.work})  # the words are there, and nobody has read them
            more = await spoken("It is a very small dog.")
            ear.speech(more)
            reading = asyncio.create_task(anext(stream))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not reading.done()
            stream.finalize()
            heard = await reading
            assert isinstance(heard, Transcript)
            assert "bring" in heard.text
            assert "small" in heard.text

    run(scene)


def test_bounds_and_usage_are_those_of_the_speech(models: None) -> None:
    async def scene() -> None:
        sentence = await spoken("Can I bring my dog?")
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            ear = Ear(stream)
            ear.push(np.tile(HALF, 4))
            ear.speech(sentence)
            heard = await ear.final()
            assert heard.started_at == pytest.approx(2.0, abs=0.01)
            assert heard.ended_at == pytest.approx(ear.now)
            seconds = len(sentence) / 8000 + 0.3
            usage = await anext(stream)
            assert isinstance(usage, Usage)
            assert (usage.service, usage.provider, usage.model) == ("stt", "local", "whisper-tiny.en")
            assert usage.audio_seconds == pytest.approx(seconds, abs=0.03)

    run(scene)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [False, True], ids=["in frames", "at once"])
def test_speech_longer_than_the_model_holds_is_heard_in_parts_and_as_one(models: None, at_once: bool) -> None:
    text = " ".join(SENTENCES[number * 3 % 10] for number in range(24))

    async def scene() -> None:
        parts = [np.concatenate([await spoken(sentence), HALF[:2400]]) for sentence in SENTENCES]
        speech = np.concatenate([parts[number * 3 % 10] for number in range(24)])
        seconds = len(speech) / 8000
        assert seconds > 2 * LONGEST_SECONDS
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            ear = Ear(stream)
            if at_once:
                stream.speech_started(0.0)
                ear.now = seconds
                stream.push(encode(speech, MULAW_8K), seconds)
            else:
                ear.speech(speech)
            assert len(stream._audio) <= LONGEST_SECONDS * 8000
            heard = await ear.final()
            assert edits(words(text), words(heard.text)) <= len(words(text)) / 5
            usage = await anext(stream)
            assert isinstance(usage, Usage)
            assert usage.audio_seconds == pytest.approx(seconds, abs=0.5)

    run(scene)


def test_an_hour_of_waiting_is_not_kept(models: None) -> None:
    async def scene() -> None:
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            second = bytes(8000)
            for at in range(3600):
                stream.push(second, float(at))
            assert len(stream._audio) <= LONGEST_SECONDS * 8000

    run(scene)


def test_two_calls_at_once_hear_their_own_words(models: None) -> None:
    async def scene() -> None:
        async def call(text: str, word: str) -> None:
            async with LocalSTT().open(CALL, MULAW_8K) as stream:
                ear = Ear(stream)
                ear.push(HALF)
                ear.speech(await spoken(text))
                assert word in (await ear.final()).text.lower()

        await asyncio.gather(call("Can I bring my dog?", "dog"), call("Where is the station?", "station"))

    run(scene)


def test_it_keeps_the_protocol(models: None) -> None:
    asyncio.run(check_stt(LocalSTT(), patience_seconds=BOUND_SECONDS))


def test_a_language_that_the_model_does_not_know_is_named(models: None, tmp_path: Path) -> None:
    async def scene() -> None:
        german = CallContext("call", language="de-DE")
        with pytest.raises(ConfigError, match="language is 'de-DE'; LocalSTT knows English only"):
            await LocalSTT().open(german, MULAW_8K).__aenter__()
        for file in whisper_folder(None).iterdir():
            (tmp_path / file.name).symlink_to(file)
        async with LocalSTT(tmp_path).open(german, MULAW_8K) as stream:
            Ear(stream).speech(HALF)
            stream.finalize()
            with pytest.raises(ProviderError, match="this Whisper model knows English only") as failure:
                await anext(stream)
            assert not failure.value.retryable

    run(scene)


@pytest.mark.slow
def test_a_failure_is_raised_once_and_the_stream_listens_on(models: None) -> None:
    async def scene() -> None:
        sentence = await spoken("Can I bring my dog?")
        async with LocalSTT().open(CALL, MULAW_8K) as stream:
            ear = Ear(stream)
            ear.speech(sentence)
            assert "dog" in (await ear.final()).text.lower()
            assert isinstance(await anext(stream), Usage)
            ear.speech(np.tile(sentence, 10))
            stream.finalize()
            for _ in range(3):  # until the request is on its way
                await asyncio.sleep(0)
            WORKER.stop()
            with pytest.raises(ProviderError) as failure:
                await anext(stream)
            assert failure.value.retryable
            ear.speech(sentence)
            assert "dog" in (await ear.final()).text.lower()

    run(scene)


def test_it_costs_nothing_and_says_so() -> None:
    assert LocalSTT().price == Price()
    assert repr(LocalSTT()) == "LocalSTT()"
