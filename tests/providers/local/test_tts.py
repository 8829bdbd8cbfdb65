"""What `LocalTTS` says: at once, in any of its formats, once made and often used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from patter_nb.audio.convert import decode
from patter_nb.audio.formats import MULAW_8K, PCM_8K
from patter_nb.audio.loudness import first_audible
from patter_nb.errors import ConfigError, ConfigTypeError, ProviderError
from patter_nb.providers.base import AudioChunk, CallContext, Prewarms
from patter_nb.providers.local import LocalTTS
from patter_nb.providers.local.client import WORKER
from patter_nb.providers.local.tts import LocalTTSStream
from patter_nb.testing import check_tts
from patter_nb.turns.usage import Price, Usage

CALL = CallContext("call")
BOUND_SECONDS = 60.0


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            await scene()

    asyncio.run(bounded())


async def audio(stream: LocalTTSStream, text: str) -> bytes:
    return b"".join([event.audio async for event in stream.speak(text) if isinstance(event, AudioChunk)])


def test_speech_begins_at_once_and_its_usage_is_reported_once_at_the_end(models: None) -> None:
    text = "Good evening, dinner is served from six to ten. Breakfast is on the terrace."

    async def scene() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            *chunks, usage = [event async for event in stream.speak(text)]
            assert usage == Usage("tts", "local", "piper-en_US-joe-medium", characters=len(text))
            assert all(isinstance(chunk, AudioChunk) for chunk in chunks)
            spoken = b"".join(chunk.audio for chunk in chunks if isinstance(chunk, AudioChunk))
            start = first_audible(decode(spoken, MULAW_8K), 8000)
            assert start is not None
            assert start <= 0.02
            assert 3.0 < len(spoken) / 8000 < 8.0

    run(scene)


def test_what_was_said_once_is_said_again_from_memory_without_the_worker(models: None) -> None:
    async def scene() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            first = await audio(stream, "This line is said twice.")
        WORKER.start()
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            events = [event async for event in stream.speak("This line is said twice.")]
            assert b"".join(event.audio for event in events if isinstance(event, AudioChunk)) == first
            assert isinstance(events[-1], Usage)
            assert stream.asked == 0

    run(scene)


def test_a_prepared_greeting_is_at_hand_in_the_call(models: None) -> None:
    greeting = "Acme, good evening! This greeting was prepared."
    assert isinstance(LocalTTS(), Prewarms)

    async def scene() -> None:
        await LocalTTS().prepare(greeting)
        await LocalTTS().prepare("Sixteen bit.", PCM_8K)
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            assert await audio(stream, greeting)
            assert stream.asked == 0
            await audio(stream, "Sixteen bit.")
            assert stream.asked == 1

    run(scene)


def test_without_a_cache_only_what_was_prepared_is_at_hand(models: None) -> None:
    async def scene() -> None:
        tts = LocalTTS(cache=False)
        await tts.prepare("This was prepared for the call.")
        async with tts.open(CALL, MULAW_8K) as stream:
            await audio(stream, "This was prepared for the call.")
            assert stream.asked == 0
            for times in (1, 2):
                await audio(stream, "This was not prepared.")
                assert stream.asked == times

    run(scene)


def test_a_speech_that_was_broken_off_is_not_remembered_as_whole(models: None) -> None:
    text = "The first clause of this, the second clause of this, and the third clause of this speech."

    async def scene() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            events = stream.speak(text)
            await anext(events)
            await events.aclose()
            whole = await audio(stream, text)
            assert len(whole) > 3 * 8000
            assert stream.asked == 2

    run(scene)


def test_two_speeches_at_once_stay_apart(models: None) -> None:
    async def scene() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            short, long = await asyncio.gather(
                audio(stream, "A short one."),
                audio(stream, "A much longer one, with two clauses, and with a second sentence. Here."),
            )
            assert 0 < len(short) < len(long)

    run(scene)


def test_text_without_words_is_silent_and_counted(models: None) -> None:
    async def scene() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            for text in ("", "...", "😀"):
                assert [event async for event in stream.speak(text)] == [
                    Usage("tts", "local", "piper-en_US-joe-medium", characters=len(text))
                ]

    run(scene)


def test_a_line_is_rendered_whole_with_its_rate(models: None) -> None:
    async def scene() -> None:
        samples, hz = await LocalTTS(pitch=1.25).render("Hi, when is dinner?")
        assert hz == 22050
        assert samples.dtype == np.int16
        assert samples.ndim == 1
        assert 0.8 < len(samples) / hz < 3.0

    run(scene)


def test_it_keeps_the_protocol(models: None) -> None:
    asyncio.run(check_tts(LocalTTS(), patience_seconds=BOUND_SECONDS))


def test_a_call_in_another_language_is_refused(models: None) -> None:
    async def scene() -> None:
        with pytest.raises(ConfigError, match="language is 'fr'; LocalTTS knows English only"):
            await LocalTTS().open(CallContext("call", language="fr"), MULAW_8K).__aenter__()

    run(scene)


def test_a_stream_that_was_closed_says_so(models: None) -> None:
    async def scene() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            pass
        with pytest.raises(ProviderError, match="The stream was closed"):
            await anext(stream.speak("Nobody will hear this line."))

    run(scene)


WRONG = {
    "voice is 'jane'": lambda: LocalTTS("jane"),
    "pitch is 3.0; it must be from 0.5 to 2": lambda: LocalTTS(pitch=3.0),
    "speed is 0; it must be from 0.5 to 2": lambda: LocalTTS(speed=0),
    "pitch is nan": lambda: LocalTTS(pitch=float("nan")),
}


@pytest.mark.parametrize(("said", "make"), WRONG.items())
def test_a_wrong_setting_is_named(said: str, make: Callable[[], LocalTTS]) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_setting_of_the_wrong_type_is_named() -> None:
    with pytest.raises(ConfigTypeError, match="speed is str; it must be a number"):
        LocalTTS(speed="fast")  # type: ignore[arg-type]


def test_it_costs_nothing_and_says_what_it_is() -> None:
    assert LocalTTS().price == Price()
    assert repr(LocalTTS(pitch=1.25)) == "LocalTTS('joe', pitch=1.25, speed=1)"
