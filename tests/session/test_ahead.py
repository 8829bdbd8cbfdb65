"""What a voice spoke and what a recogniser waits for before its call wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from patter_nb.errors import PatterError, ProviderError
from patter_nb.providers.base import Alignment, AudioChunk, Transcript, closing
from patter_nb.session.ahead import LAST_WORDS_SECONDS, ReadyVoice, Rendering, WaitingEar, waiting_ear
from patter_nb.turns.usage import Usage

Virtual = Callable[..., Any]
USED = Usage("tts", "mine", "m", characters=5)


class Voice:
    """Says one chunk a second, four of each text, and what it used after them; `error` is raised after two."""

    provider, model = "mine", "m"

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.log: list[str] = []

    async def speak(self, text: str) -> AsyncIterator[Any]:
        self.log.append(text)
        try:
            yield Alignment(((len(text), 4.0),))
            for number in range(4):
                await asyncio.sleep(1.0)
                if number == 2 and self.error is not None:
                    raise self.error
                yield AudioChunk(bytes([number]))
            yield USED
        finally:
            self.log.append("ended")


async def played(rendering: Rendering) -> list[tuple[float, Any]]:
    """What comes when it is played, each with its second from now."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return [(round(loop.time() - began, 3), event) async for event in rendering.play()]


def reading(rendering: Rendering, voice: Voice) -> asyncio.Task[None]:
    async def read() -> None:
        with suppress(PatterError):
            await rendering.read(voice)

    return asyncio.create_task(read())


def test_what_is_whole_comes_at_once_and_its_cost_comes_first(virtual: Virtual) -> None:
    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        await rendering.read(Voice())
        assert rendering.is_whole
        told = await played(rendering)
        assert {at for at, _ in told} == {0.0}
        assert [type(event) for _, event in told] == [Usage, Alignment, *[AudioChunk] * 4]

    virtual(main())


def test_what_is_still_being_made_comes_as_it_is_made(virtual: Virtual) -> None:
    async def main() -> list[tuple[float, Any]]:
        rendering = Rendering(Voice(), "Hello")
        task = reading(rendering, Voice())
        await asyncio.sleep(2.5)
        told = await played(rendering)
        await task
        return told

    chunks = [(at, event.audio[0]) for at, event in virtual(main()) if isinstance(event, AudioChunk)]
    assert chunks == [(0.0, 0), (0.0, 1), (0.5, 2), (1.5, 3)]


def test_it_is_played_once(virtual: Virtual) -> None:
    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        assert rendering.waits
        await rendering.read(Voice())
        assert rendering.waits
        await played(rendering)
        assert not rendering.waits

    virtual(main())


def test_who_stops_listening_ends_the_synthesis(virtual: Virtual) -> None:
    async def main() -> None:
        voice = Voice()
        rendering = Rendering(voice, "Hello")
        task = reading(rendering, voice)
        await asyncio.sleep(1.5)
        async with closing(rendering.play()) as events:
            assert await anext(events) == Alignment(((5, 4.0),))
        await asyncio.wait((task,))
        assert voice.log == ["Hello", "ended"]
        assert asyncio.get_running_loop().time() < 2

    virtual(main())


@pytest.mark.parametrize("error", [ValueError("gone"), ProviderError("It is gone.", provider="mine")])
def test_a_failure_before_it_is_played_gives_the_text_back_to_the_voice(virtual: Virtual, error: BaseException) -> None:
    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        with pytest.raises(PatterError, match="gone"):
            await rendering.read(Voice(error))
        assert not rendering.waits
        assert rendering.unused == [USED], "the voice was asked for all of it"

    virtual(main())


def test_a_failure_while_it_is_played_is_raised_where_it_is_played(virtual: Virtual) -> None:
    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        task = reading(rendering, Voice(ValueError("gone")))
        await asyncio.sleep(1.5)
        with pytest.raises(ProviderError, match="mine raised ValueError: gone"):
            await played(rendering)
        await task

    virtual(main())


def test_one_that_is_cut_off_while_it_is_played_says_so(virtual: Virtual) -> None:
    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        task = reading(rendering, Voice())
        playing = asyncio.create_task(played(rendering))
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(ProviderError, match="mine was cut off"):
            await playing

    virtual(main())


@pytest.mark.parametrize(("seconds", "unused"), [(None, []), (0.0, [USED]), (1.5, [USED]), (9.0, [USED])])
def test_what_nobody_played_is_unused_as_far_as_it_was_made(
    virtual: Virtual, seconds: float | None, unused: list[Usage]
) -> None:
    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        task = reading(rendering, Voice())
        if seconds is not None:
            await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait((task,))
        assert rendering.unused == unused

    virtual(main())


def test_a_voice_that_fails_before_anything_came_has_cost_nothing(virtual: Virtual) -> None:
    class Mute(Voice):
        def speak(self, text: str) -> AsyncIterator[Any]:
            raise ValueError("no key")

    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        with pytest.raises(PatterError, match="no key"):
            await rendering.read(Mute())
        assert rendering.unused == []

    virtual(main())


def test_what_was_played_is_not_unused(virtual: Virtual) -> None:
    async def main() -> None:
        rendering = Rendering(Voice(), "Hello")
        await rendering.read(Voice())
        await played(rendering)
        assert rendering.unused == []

    virtual(main())


def test_a_voice_speaks_what_is_not_rendered_itself(virtual: Virtual) -> None:
    async def main() -> None:
        voice, rendering = Voice(), Rendering(Voice(), "Hello")
        await rendering.read(Voice())
        ready = ReadyVoice(voice, [rendering])
        assert len([event async for event in ready.speak("Hello ")]) == 6
        assert voice.log == []
        assert len([event async for event in ready.speak("Goodbye")]) == 6
        assert len([event async for event in ready.speak("Hello")]) == 6
        assert voice.log == ["Goodbye", "ended", "Hello", "ended"], "what was rendered is played once"

    virtual(main())


class Ear:
    """A recogniser's stream; what is put into `events` is heard, None ends it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.events: asyncio.Queue[Any] = asyncio.Queue()

    def push(self, audio: bytes, at: float) -> None:
        self.told.append((audio, at))

    def speech_started(self, at: float) -> None:
        self.told.append(at)

    def finalize(self) -> None:
        self.told.append("finalize")

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (event := await self.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event


HEARD = Transcript("words", final=True)
LISTENED = Usage("stt", "mine", "m", audio_seconds=3.0)


def test_an_ear_that_waits_is_an_ear(virtual: Virtual) -> None:
    async def main() -> None:
        stream = Ear()
        ear = WaitingEar(stream, "mine")
        ear.speech_started(0.5)
        ear.push(b"\xff", 0.52)
        ear.finalize()
        assert stream.told == [0.5, (b"\xff", 0.52), "finalize"]
        for event in (HEARD, LISTENED, None):
            stream.events.put_nowait(event)
        assert [event async for event in ear] == [HEARD, LISTENED]

    virtual(main())


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), SystemExit("division by zero")])
def test_what_it_raises_is_raised_where_it_is_heard(virtual: Virtual, error: BaseException) -> None:
    async def main() -> None:
        stream = Ear()
        ear = WaitingEar(stream, "mine")
        stream.events.put_nowait(HEARD)
        stream.events.put_nowait(error)
        await asyncio.wait((ear.reading,))
        heard = []
        with pytest.raises(ProviderError, match=r"mine raised .*: division by zero"):
            async for event in ear:
                heard.append(event)  # noqa: PERF401 (it raises after them)
        assert heard == [HEARD]

    virtual(main())


@asynccontextmanager
async def opening(stream: Ear, *last: Any) -> AsyncIterator[Ear]:
    yield stream
    for event in last:
        stream.events.put_nowait(event)


@pytest.mark.parametrize(("taken", "unused"), [(False, [LISTENED]), (True, [])])
def test_what_it_reports_when_it_is_closed_is_unused_if_no_call_has_taken_it(
    virtual: Virtual, taken: bool, unused: list[Usage]
) -> None:
    async def main() -> None:
        told: list[Usage] = []
        async with waiting_ear(opening(Ear(), HEARD, LISTENED, None), "mine", told.append) as ear:
            ear.taken = taken
            await asyncio.sleep(1)
        assert told == unused
        if taken:
            assert [event async for event in ear] == [HEARD, LISTENED]

    virtual(main())


def test_one_that_does_not_end_is_not_waited_for(virtual: Virtual) -> None:
    async def main() -> float:
        async with waiting_ear(opening(Ear()), "mine", lambda _: None):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        return asyncio.get_running_loop().time()

    assert virtual(main()) == pytest.approx(LAST_WORDS_SECONDS, abs=0.01)
