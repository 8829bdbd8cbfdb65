"""The worker's side of a connection, with models that are told what to do: who may ask, what is answered, what a cancel ends."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError
from patter_nb.providers.local.whisper import Heard
from patter_nb.providers.local.wire import Frame, Unpacker, pack
from patter_nb.providers.local.worker import CHUNK_SECONDS, Models, Orders, listen

SECRET = "the secret"
BOUND_SECONDS = 20.0
"""No test waits longer, whatever goes wrong."""


class TellingVoice:
    """Says a tone for each piece, and remembers what it was asked to say. It holds its breath while `gate` is closed."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def speak(self, text: str, *, pitch: float, speed: float, pause_seconds: float, target_hz: int) -> Samples:
        self.asked.append(text)
        self.gate.wait(BOUND_SECONDS)
        if text == "Break now.":
            raise RuntimeError("the voice broke")
        if text == "Stumble now.":
            raise LookupError("a mistake of ours")
        return np.full(target_hz // 2, 1000, np.int16)


class TellingEar:
    """Hears how long an utterance is."""

    def transcribe(self, samples: Samples, language: str) -> Heard:
        assert language == "en"
        return Heard(f"{len(samples)} samples", 0.0)


def no_model(path: Path) -> Any:
    raise ConfigError(f"{path} is no model")


class Caller:
    """A connection to the worker, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._unpacker = Unpacker()
        self._frames: list[Frame] = []

    def send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        self.writer.write(pack(header, payload))

    async def receive(self) -> Frame | None:
        """The next frame; None when the worker hung up."""
        while not self._frames:
            data = await self._reader.read(65536)
            if not data:
                return None
            self._frames += self._unpacker.feed(data)
        return self._frames.pop(0)

    async def until_end(self, number: int) -> list[Frame]:
        """All frames of one request, the last one included; those of others are passed over."""
        frames: list[Frame] = []
        while not frames or not {"end", "error"} & frames[-1].header.keys():
            frame = await self.receive()
            assert frame is not None, "the worker hung up"
            if frame.header["id"] == number:
                frames.append(frame)
        return frames


Scene = Callable[[Caller, TellingVoice, Callable[[], Awaitable[Caller]]], Awaitable[None]]


def play(scene: Scene, *, makers: dict[str, Callable[[Path], Any]] | None = None) -> None:
    """Run a scene against a listening worker, on a loop of its own, bounded."""

    async def main() -> None:
        voice = TellingVoice()
        models = Models(makers or {"stt": lambda _: TellingEar(), "tts": lambda _: voice})
        server = await listen(models, SECRET)
        port = server.sockets[0].getsockname()[1]
        callers: list[Caller] = []

        async def connect() -> Caller:
            callers.append(Caller(*await asyncio.open_connection("127.0.0.1", port)))
            return callers[-1]

        try:
            async with asyncio.timeout(BOUND_SECONDS):
                await scene(await connect(), voice, connect)
        finally:
            voice.gate.set()
            for caller in callers:
                caller.writer.close()
            server.close()

    asyncio.run(main())


def speak(number: int, text: str, audio: tuple[str, int] = ("mulaw", 8000)) -> dict[str, Any]:
    return {"id": number, "kind": "tts", "path": "v", "text": text, "pitch": 1.0, "speed": 1.0, "format": list(audio)}


def hear(number: int, audio: tuple[str, int]) -> dict[str, Any]:
    return {"id": number, "kind": "stt", "path": "w", "language": "en", "format": list(audio)}


STRANGERS = {
    "the wrong secret": pack({"secret": "guess"}),
    "no secret": pack(speak(1, "Hello there.")),
    "a secret that is no string": pack({"secret": ["the secret"]}),
    "more than a greeting": pack({"secret": SECRET, "more": "x" * 300}),
    "no frame at all": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("greeting", STRANGERS.values(), ids=STRANGERS.keys())
def test_a_stranger_is_hung_up_on_without_an_answer(greeting: bytes) -> None:
    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        caller.writer.write(greeting + pack(speak(2, "Hello there.")))
        assert await caller.receive() is None
        assert voice.asked == []

    play(scene)


def test_speech_comes_piece_by_piece_in_chunks_and_then_its_end() -> None:
    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        caller.send({"secret": SECRET})
        caller.send(speak(7, "At 6 pm, dinner is served. Breakfast is at 7:30."))
        *audio, end = await caller.until_end(7)
        assert end == Frame({"id": 7, "end": True})
        assert voice.asked == ["At six PM,", "dinner is served.", "Breakfast is at seven thirty."]
        assert sum(len(frame.payload) for frame in audio) == 3 * 4000
        assert max(len(frame.payload) for frame in audio) == int(8000 * CHUNK_SECONDS)

    play(scene)


@pytest.mark.parametrize("audio", [("mulaw", 8000), ("pcm_s16le", 8000), ("pcm_s16le", 16000)])
def test_what_is_heard_reaches_the_model_at_16_khz(audio: tuple[str, int]) -> None:
    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        caller.send({"secret": SECRET})
        half_a_second = audio[1] // 2 * (1 if audio[0] == "mulaw" else 2)
        caller.send(hear(1, audio), b"\x00" * half_a_second)
        heard, _ = await caller.until_end(1)
        assert heard.header["text"] == "8000 samples"

    play(scene)


def test_a_cancelled_speech_is_not_said_to_its_end_and_the_next_one_is() -> None:
    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        voice.gate.clear()
        caller.send({"secret": SECRET})
        caller.send(speak(1, "The first sentence. The second sentence. The third sentence."))
        caller.send(speak(2, "Another speech."))
        caller.send({"cancel": 1})
        caller.send(speak(3, "The last speech."))
        voice.gate.set()
        await caller.until_end(3)
        assert [text for text in voice.asked if "sentence" in text] in ([], ["The first sentence."])
        assert voice.asked[-2:] == ["Another speech.", "The last speech."]

    play(scene)


def test_a_caller_who_hangs_up_is_not_spoken_to_any_longer() -> None:
    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        voice.gate.clear()
        caller.send({"secret": SECRET})
        caller.send(speak(1, "The first sentence. The second sentence. The third sentence."))
        await caller.writer.drain()
        caller.writer.close()
        await caller.writer.wait_closed()
        other = await connect()
        other.send({"secret": SECRET})
        other.send(speak(1, "Another caller."))
        voice.gate.set()
        await other.until_end(1)
        other.send(speak(2, "Anything else?"))
        await other.until_end(2)
        assert len([text for text in voice.asked if "sentence" in text]) <= 2

    play(scene)


def test_two_speeches_at_once_take_turns_piece_by_piece() -> None:
    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        voice.gate.clear()
        caller.send({"secret": SECRET})
        caller.send(speak(1, "One is first. One is second. One is third."))
        caller.send(speak(2, "Two is first. Two is second. Two is third."))
        voice.gate.set()
        await caller.until_end(2)
        assert voice.asked[:4] == ["One is first.", "Two is first.", "One is second.", "Two is second."]

    play(scene)


FAILURES = {
    "Break now.": {"id": 1, "error": "the voice broke", "retryable": True},
    "Stumble now.": {"id": 1, "error": "LookupError: a mistake of ours", "retryable": False},
}


@pytest.mark.parametrize(("text", "error"), FAILURES.items())
def test_a_failure_ends_its_request_and_no_other(text: str, error: dict[str, Any]) -> None:
    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        caller.send({"secret": SECRET})
        caller.send(speak(1, text))
        assert (await caller.until_end(1))[-1].header == error
        caller.send(speak(2, "Good evening."))
        assert (await caller.until_end(2))[-1].header == {"id": 2, "end": True}

    play(scene)


def test_a_model_that_cannot_be_loaded_is_an_answer_and_is_tried_again() -> None:
    tries: list[Path] = []

    def make(path: Path) -> Any:
        tries.append(path)
        return no_model(path) if len(tries) == 1 else TellingEar()

    async def scene(caller: Caller, voice: TellingVoice, connect: Callable[[], Awaitable[Caller]]) -> None:
        caller.send({"secret": SECRET})
        caller.send(hear(1, ("mulaw", 8000)), b"\xff" * 80)
        assert (await caller.until_end(1))[-1].header == {"id": 1, "error": "w is no model", "retryable": False}
        caller.send(hear(2, ("mulaw", 8000)), b"\xff" * 80)
        assert (await caller.until_end(2))[-1].header == {"id": 2, "end": True}
        caller.send(hear(3, ("mulaw", 8000)), b"\xff" * 80)
        await caller.until_end(3)
        assert len(tries) == 2

    play(scene, makers={"stt": make})


def test_orders_are_reported_on_and_what_is_loaded_once_stays() -> None:
    made: list[Path] = []

    def make(path: Path) -> Any:
        made.append(path)
        return no_model(path) if path.name == "bad" else TellingEar()

    async def main() -> list[Any]:
        reports = io.StringIO()
        desk = Orders(Models({"stt": make}), io.StringIO(), reports)
        await asyncio.gather(*(desk.load("stt", path) for path in ("good", "bad", "good")))
        return [json.loads(line) for line in reports.getvalue().splitlines()]

    reported = asyncio.run(main())
    assert reported.count({"loaded": ["stt", "good"]}) == 2
    assert {"failed": ["stt", "bad"], "error": "bad is no model"} in reported
    assert sorted(path.name for path in made) == ["bad", "good"]
