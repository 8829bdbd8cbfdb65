"""`check_tts` passes voices that keep the protocol and names the rule that a broken one breaks."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from patter_nb.audio.convert import encode
from patter_nb.audio.formats import MULAW_8K, PCM_8K
from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.errors import ProviderError
from patter_nb.providers.base import Alignment, AudioChunk
from patter_nb.providers.scripted import ScriptedTTS
from patter_nb.testing import ConformanceError, check_tts
from patter_nb.turns.usage import Usage


class Voice:
    """A voice as a user may write one in a cell: it speaks a synthetic signal, in two chunks."""

    provider = "mine"
    model = "m"
    voice = "v"
    formats = (PCM_8K, MULAW_8K)
    virtual_time = True
    price = None

    def ready(self):
        pass

    @asynccontextmanager
    async def open(self, call, audio):
        self.audio = audio
        yield self

    def sound(self, text):
        return encode(synthetic_voice(text)[0], self.audio)

    def usage(self, text):
        return Usage("tts", self.provider, self.model, characters=len(text))

    async def speak(self, text):
        audio = self.sound(text)
        yield self.usage(text)
        for start in range(0, len(audio), 1600):
            await asyncio.sleep(0.01)
            yield AudioChunk(audio[start : start + 1600])


def voice(speak=None, **members):
    """A `Voice` that speaks, or is, otherwise."""
    if speak is not None:
        members["speak"] = speak
    return type("Voice", (Voice,), members)()


async def no_audio(self, text):
    yield self.usage(text)


async def silent(self, text):
    yield self.usage(text)
    for _ in range(10):
        yield AudioChunk(encode(synthetic_voice(text)[0] // 2000, self.audio))


async def all_at_once(self, text):
    yield AudioChunk(self.sound(text))
    yield self.usage(text)


async def half_samples(self, text):
    yield self.usage(text)
    yield AudioChunk(self.sound(text)[:801])


async def wav(self, text):
    yield self.usage(text)
    yield AudioChunk(b"RIFF" + self.sound(text))
    yield AudioChunk(self.sound(text))


async def bare_bytes(self, text):
    yield self.sound(text)


async def array(self, text):
    yield AudioChunk(synthetic_voice(text)[0])


async def no_usage(self, text):
    async for event in Voice.speak(self, text):
        if not isinstance(event, Usage):
            yield event


async def usage_per_chunk(self, text):
    async for event in Voice.speak(self, text):
        if isinstance(event, AudioChunk):
            yield self.usage(text)
            yield event


async def usage_of_another(self, text):
    async for event in Voice.speak(self, text):
        yield replace(event, provider="acme") if isinstance(event, Usage) else event


async def negative_usage(self, text):
    async for event in Voice.speak(self, text):
        yield replace(event, audio_seconds=-1.0) if isinstance(event, Usage) else event


async def no_characters(self, text):
    async for event in Voice.speak(self, text):
        yield replace(event, characters=0) if isinstance(event, Usage) else event


async def aligned_backwards(self, text):
    yield Alignment(((5, 0.5), (2, 0.9)))
    async for event in Voice.speak(self, text):
        yield event


async def aligned_beyond(self, text):
    yield Alignment(((5000, 0.5),))
    async for event in Voice.speak(self, text):
        yield event


async def deaf_to_closing(self, text):
    try:
        async for event in Voice.speak(self, text):
            yield event
    except GeneratorExit:
        await asyncio.sleep(30)
        raise


async def never_ending(self, text):
    async for event in Voice.speak(self, text):
        yield event
    await asyncio.get_running_loop().create_future()


async def bursting(self, text):
    async for event in Voice.speak(self, text):
        yield event
    raise KeyError("voice")


async def failing_as_another(self, text):
    yield self.usage(text)
    raise ProviderError("Acme is down.", provider="acme")


async def leaving_a_task(self, text):
    async for event in Voice.speak(self, text):
        yield event
    self.kept = asyncio.ensure_future(asyncio.sleep(3600))


async def cancelling(self, text):
    yield self.usage(text)
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


class Restless:
    """An iterator that goes on after it was closed."""

    def __init__(self, events):
        self.events = events

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await anext(self.events)

    async def aclose(self):
        pass


def going_on(self, text):
    return Restless(Voice.speak(self, text))


def listed(self, text):
    return [AudioChunk(self.sound(text))]


async def promised(self, text):
    return Voice.speak(self, text)


class OneAtATime(Voice):
    """A new text cuts the one before it off, after its first chunk."""

    latest = ""

    async def speak(self, text):
        self.latest, chunks = text, 0
        async for event in Voice.speak(self, text):
            chunks += isinstance(event, AudioChunk)
            if self.latest == text or chunks < 2:
                yield event


class Once(Voice):
    """Cannot be opened again."""

    opened = 0

    @asynccontextmanager
    async def open(self, call, audio):
        self.opened += 1
        if self.opened > 2:
            raise RuntimeError("already open")
        self.audio = audio
        yield self


class NotAManager(Voice):
    async def open(self, call, audio):
        return self


class NotReady(Voice):
    async def ready(self):
        pass


class NotAMethod(Voice):
    ready = True


class Sleeping(Voice):
    """Claims to keep virtual time and blocks its thread."""

    async def speak(self, text):
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 (this is what is wrong with it)
        async for event in Voice.speak(self, text):
            yield event


NEEDS = "; a failure raises ProviderError(..., provider='mine')."

BROKEN = [
    (Voice, "test_tts.Voice'> is a class; give an instance of it."),
    (object(), "object lacks provider, model, voice, formats, virtual_time, price, ready, open; see patter_nb.providers.base"),
    (voice(provider=""), "Voice.provider is ''; it must be a name that is not empty."),
    (voice(model=None), "Voice.model is None; it must be a name that is not empty."),
    (voice(voice=7), "Voice.voice is 7; it must be a name that is not empty."),
    (voice(formats=()), "Voice.formats is (); it must be a tuple of at least one AudioFormat, best first."),
    (voice(formats=["mulaw"]), "Voice.formats is ['mulaw']; it must be a tuple of at least one AudioFormat, best first."),
    (voice(virtual_time="no"), "Voice.virtual_time is 'no'; it must be True or False."),
    (voice(price=0.1), "Voice.price is 0.1; it must be a Price, or None where none is known."),
    (NotAMethod(), "NotAMethod.ready is no method."),
    (NotReady(), "NotReady.ready() returned something; it returns None or raises ConfigError."),
    (NotAManager(), "open() returned a coroutine; it returns an async context manager (contextlib.asynccontextmanager)."),
    (Once(), "opening a second time raised RuntimeError (already open)" + NEEDS),
    (voice(listed), "speak() returned a list; it returns an async iterator with aclose() (an async generator)."),
    (voice(promised), "speak() returned a coroutine; it returns an async iterator with aclose() (an async generator)."),
    (voice(no_audio), "speak() brought no audio for "),
    (voice(silent), "speak() brought silence: nothing of it reaches -50 dBFS, read as AudioFormat("),
    (voice(all_at_once), "speak() brought all its audio at once ("),
    (voice(half_samples), "an AudioChunk holds 801 bytes; that is no whole number of samples of 2 bytes."),
    (voice(wav), "speak() brought a WAV file; it brings bare samples, without a header."),
    (voice(bare_bytes), "speak() yielded a bytes; it yields AudioChunk, Alignment and Usage."),
    (voice(array), "an AudioChunk holds a ndarray; it holds bytes."),
    (voice(no_usage), "speak() reported its usage 0 times; each request yields one Usage."),
    (voice(usage_per_chunk), "times; each request yields one Usage."),
    (voice(usage_of_another), "reported the usage of ('tts', 'acme', 'm'); prices are looked up under ('tts', 'mine', 'm')."),
    (voice(negative_usage), "speak() reported a negative usage: Usage("),
    (voice(no_characters), "speak() reported a usage of 0 characters."),
    (voice(aligned_backwards), "speak() aligned text to audio in descending order: [(5, 0.5), (2, 0.9)]."),
    (voice(aligned_beyond), "speak() aligned characters that the text of "),
    (voice(deaf_to_closing), "speak() did not stop within 1 s of being closed."),
    (voice(going_on), "speak() yielded more after it was closed."),
    (voice(never_ending), "came to no end within 20 s."),
    (voice(bursting), "raised KeyError ('voice')" + NEEDS),
    (voice(failing_as_another), "raised a ProviderError of 'acme'; this provider's name is 'mine'."),
    (voice(leaving_a_task), "left a task running: sleep. Whatever a stream starts must have ended when it is closed."),
    (voice(cancelling), "cancelled the task that asked for it."),
    (OneAtATime(), "two speak() at once mixed their audio up: the longer text got the shorter audio."),
]


@pytest.mark.parametrize(("broken", "sentence"), BROKEN, ids=[sentence for _, sentence in BROKEN])
def test_a_broken_voice_is_told_which_rule_it_breaks(broken, sentence):
    with pytest.raises(ConformanceError) as caught:
        asyncio.run(check_tts(broken))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("virtual_time", [True, False])
def test_a_voice_written_in_a_cell_passes_in_virtual_and_in_real_time(virtual_time):
    assert asyncio.run(check_tts(voice(virtual_time=virtual_time))) is None


@pytest.mark.parametrize("tts", [ScriptedTTS(), ScriptedTTS(alignments=True, realtime_factor=1)], ids=repr)
def test_the_scripted_voice_passes(tts):
    asyncio.run(check_tts(tts, failing=ScriptedTTS(fails_at_segment=0)))


def test_a_voice_that_claims_virtual_time_and_blocks_its_thread_is_told_so():
    with pytest.raises(ConformanceError, match="Sleeping declares virtual_time=True but waits for more than its loop's clock"):
        asyncio.run(check_tts(Sleeping(), patience_seconds=0.2))


def test_a_failure_of_the_provider_itself_comes_out_as_it_is():
    with pytest.raises(ProviderError, match="failed in segment 0"):
        asyncio.run(check_tts(ScriptedTTS(fails_at_segment=0)))


FAILING = [
    (ScriptedTTS(), "failing= did not fail; give a provider that is set up so that its first request fails."),
    (voice(bursting), "failing= raised KeyError('voice'); a failure raises ProviderError(..., provider='mine')."),
    (voice(failing_as_another), "failing= raised ProviderError('Acme is down.'); a failure raises"),
]


@pytest.mark.parametrize(("failing", "sentence"), FAILING, ids=[sentence for _, sentence in FAILING])
def test_one_that_should_fail_must_fail_in_the_right_way(failing, sentence):
    with pytest.raises(ConformanceError) as caught:
        asyncio.run(check_tts(ScriptedTTS(), failing=failing))
    assert sentence in str(caught.value)
