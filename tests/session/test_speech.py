"""The voice of a reply: in order, one segment ahead, and what happens when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.formats import MULAW_8K, PCM_16K, PCM_24K, AudioFormat
from patter_nb.audio.loudness import first_audible
from patter_nb.callers import Line
from patter_nb.errors import ProviderError
from patter_nb.providers.base import AudioChunk, TextDelta
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS, pitch_hz
from patter_nb.turns.usage import Usage

Hold = Callable[..., Any]

ONE = "Dinner is served from six to ten."
TWO = "The kitchen closes at nine."
THREE = "Please come in time."
FALLBACK = "I'm sorry, I had a problem just now. Could you say that again?"
GOODBYE = "I'm sorry, I have to end the call here. Goodbye."


class Voice:
    """A voice as a user writes it: `speak(number, text)` makes the audio of the call's segment of this number."""

    provider, model, voice, virtual_time, price, formats = "mine", "m", "v", True, None, (MULAW_8K,)

    def __init__(self, speak: Callable[[int, str], Any]) -> None:
        self._speak = speak
        self.spoken: list[str] = []

    def ready(self) -> None: ...

    @asynccontextmanager
    async def open(self, call: Any, audio: AudioFormat) -> AsyncIterator[Any]:
        yield self

    def speak(self, text: str) -> Any:
        self.spoken.append(text)
        return self._speak(len(self.spoken) - 1, text)


def loud(seconds: float) -> bytes:
    """µ-law of a square wave."""
    return bytes([0x10, 0x90] * int(4000 * seconds))


async def chunks(
    seconds: float, *, every: float = 0.1, wait: float = 0.01, then: BaseException | None = None
) -> AsyncIterator[Any]:
    for _ in range(round(seconds / every)):
        await asyncio.sleep(wait)
        yield AudioChunk(loud(every))
    if then is not None:
        raise then


def pitches(samples: np.ndarray) -> list[float]:
    """The pitch of each 0.3 s in which there is one, each once."""
    found: list[float] = []
    for start in range(0, len(samples) - 2400, 2400):
        block = samples[start : start + 2400].astype(float)
        if np.sqrt((block**2).mean()) > 500:
            spectrum = np.abs(np.fft.rfft(block * np.hanning(2400)))
            found.append(50 * round(float(spectrum.argmax()) * 8000 / 2400 / 50))
    return [pitch for index, pitch in enumerate(found) if index == 0 or pitch != found[index - 1]]


@pytest.mark.parametrize("formats", [(MULAW_8K,), (PCM_16K,), (PCM_24K,)])
def test_segments_are_heard_in_their_order_whatever_the_voice_speaks(hold: Hold, formats: tuple[AudioFormat, ...]) -> None:
    held = hold(["One?"], llm=ScriptedLLM([f"{ONE} {TWO} {THREE}"]), tts=ScriptedTTS(formats=formats))
    assert held.turn(1).heard_text == f"{ONE} {TWO} {THREE}"
    assert pitches(held.report.heard) == [pitch_hz(number) for number in range(4)]
    answer = held.report.exchanges[0].reply
    assert answer.underrun_ms == 0


def test_the_next_segment_is_made_while_one_plays_and_no_more_than_that(hold: Hold) -> None:
    at_work = most = 0

    async def speak(number: int, text: str) -> AsyncIterator[Any]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        try:
            async for chunk in chunks(0.5, wait=0.05):
                yield chunk
        finally:
            at_work -= 1

    held = hold(["One?"], llm=ScriptedLLM(["Six now. " * 6]), tts=Voice(speak))
    assert most == 2
    assert held.turn(1).heard_text == " ".join(["Six now."] * 6)
    assert held.report.exchanges[0].reply.underrun_ms == 0


# A voice that fails.


def test_a_voice_that_fails_in_the_middle_is_heard_until_there_and_the_call_goes_on(hold: Hold) -> None:
    held = hold(["One?", "Two?"], llm=ScriptedLLM([f"{ONE} {TWO} {THREE}", "Fine."]), tts=ScriptedTTS(fails_at_segment=2))
    first, second = held.turn(1), held.turn(2)
    assert first.error == "scripted failed in segment 2, as it was told to."
    assert "tts_last_byte_at" in first.instants, "also where what follows the segment that failed was called off"
    assert (first.agent_text, first.heard_text) == (f"{ONE} {TWO} {THREE}", ONE)
    # The half that was made of the second sentence is heard, and nothing of the third.
    seconds = first.instants["finished_at"] - first.instants["played_at"]
    assert seconds == pytest.approx((len(ONE) + len(TWO) / 2) * 0.06, abs=0.11)
    assert pitches(held.report.heard)[:3] == [pitch_hz(0), pitch_hz(1), pitch_hz(2)]
    assert (second.error, second.heard_text) == (None, "Fine.")
    assert held.session.end_reason == "caller hung up"


def test_what_was_prefetched_after_a_segment_that_fails_is_not_heard(hold: Hold) -> None:
    async def speak(number: int, text: str) -> AsyncIterator[Any]:
        # The second segment is complete long before the first one fails.
        if number == 1:
            async for chunk in chunks(0.4, wait=0.3, then=ProviderError("gone", provider="mine")):
                yield chunk
        else:
            async for chunk in chunks(1.0, wait=0.001):
                yield chunk

    held = hold(["One?", "Two?"], llm=ScriptedLLM([f"{ONE} {TWO} {THREE}", "Fine."]), tts=Voice(speak))
    first = held.turn(1)
    assert first.error == "gone"
    assert first.instants["finished_at"] - first.instants["played_at"] == pytest.approx(1.0, abs=0.01)  # 0.1 s every 0.3 s
    assert first.heard_text == ""
    assert held.turn(2).heard_text == "Fine."
    over, resumed = (round(at * 8000) for at in (first.instants["finished_at"], held.turn(2).instants["played_at"]))
    assert resumed - over > 8000
    assert not held.report.heard[over + 1 : resumed - 1].any()


def test_a_voice_that_always_fails_ends_the_call_and_not_in_an_endless_loop(hold: Hold) -> None:
    async def speak(number: int, text: str) -> AsyncIterator[Any]:
        raise ProviderError("no voice today", provider="mine")
        yield

    voice = Voice(speak)
    held = hold(["One?", "Two?", "Three?"], tts=voice)
    assert {turn.heard_text for turn in held.turns} == {""}
    assert {turn.error for turn in held.turns} == {"no voice today"}
    assert held.session.end_reason == "3 failures in a row"
    assert held.report.ended_by == "agent"
    assert len(voice.spoken) < 8
    assert GOODBYE.startswith(voice.spoken[-1])


async def _never() -> AsyncIterator[Any]:
    await asyncio.Event().wait()
    yield


async def _nothing() -> AsyncIterator[Any]:
    return
    yield


async def _own_timeout() -> AsyncIterator[Any]:
    raise TimeoutError("its server is slow")
    yield


FAILURES = [
    (_never, "mine brought no audio within 10 s."),
    (_nothing, "mine made no audio of a segment that has words."),
    (_own_timeout, "mine raised TimeoutError: its server is slow"),
    (lambda: 1 / 0, "mine raised ZeroDivisionError: division by zero"),
    (lambda: chunks(0.2, then=ZeroDivisionError("division by zero")), "mine raised ZeroDivisionError: division by zero"),
]


@pytest.mark.parametrize(("speak", "error"), FAILURES)
def test_whatever_a_voice_out_of_a_cell_does_its_row_tells_and_the_call_goes_on(
    hold: Hold, speak: Callable[[], Any], error: str
) -> None:
    voice = Voice(lambda number, _: speak() if number == 1 else chunks(0.5))
    held = hold(["One?", "Two?"], llm=ScriptedLLM([ONE, TWO]), tts=voice, no_reply_seconds=30)
    assert held.turn(1).error == error
    assert held.turn(2).error is None
    assert held.turn(2).heard_text == TWO
    assert (held.error, held.session.end_reason, held.tasks_left) == (None, "caller hung up", [])
    assert held.turn(1).heard_text == FALLBACK


class Plain:
    """An iterator without `aclose`, whose usage comes twice."""

    def __init__(self, seconds: float) -> None:
        usage = Usage("tts", "mine", "m", characters=7)
        self._events: list[Any] = [usage, AudioChunk(loud(seconds)), usage]

    def __aiter__(self) -> Plain:
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(0.01)
        if not self._events:
            raise StopAsyncIteration
        return self._events.pop(0)


def test_an_iterator_that_cannot_be_closed_and_reports_usage_twice_is_paid_as_reported(hold: Hold) -> None:
    held = hold(["One?"], llm=ScriptedLLM([ONE]), tts=Voice(lambda *_: Plain(1.0)))
    assert held.turn(1).heard_text == ONE
    assert [usage.characters for usage in held.turn(1).usage if usage.service == "tts"] == [7, 7]


def test_a_voice_that_does_not_stop_when_it_is_cancelled_adds_nothing(hold: Hold) -> None:
    async def stubborn() -> AsyncIterator[Any]:
        for _ in range(100):
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue  # as a class that swallows what it should pass on
            yield AudioChunk(loud(0.1))

    voice = Voice(lambda number, _: stubborn() if number == 1 else chunks(0.5))
    held = hold(["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)], llm=ScriptedLLM([ONE, TWO]), tts=voice)
    cut, resumed = held.turn(1).instants["cleared_at"], held.turn(2).instants["send_started_at"]
    assert resumed - cut > 0.5
    assert [at for at in held.tap.of("media") if cut < at < resumed] == []
    assert held.turn(2).heard_text == TWO


def test_a_segment_without_a_letter_may_be_silent(hold: Hold) -> None:
    voice = Voice(lambda _, text: chunks(0.5) if any(map(str.isalnum, text)) else _nothing())
    held = hold(["One?"], llm=ScriptedLLM([[TextDelta("It is six. "), TextDelta("♪♪")]]), tts=voice)
    assert held.turn(1).error is None
    assert held.turn(1).heard_text.startswith("It is six.")


def test_a_provider_that_says_where_words_end_makes_the_heard_text_exact(hold: Hold) -> None:
    lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)]
    for alignments in (True, False):
        first = hold(lines, llm=ScriptedLLM([ONE, "Fine."]), tts=ScriptedTTS(alignments=alignments)).turn(1)
        assert first.heard_estimated is not alignments
        assert ONE.startswith(first.heard_text)
        assert first.heard_text


def test_the_first_audible_sample_counts_and_not_the_silence_before_it(hold: Hold) -> None:
    held = hold(["One?"], llm=ScriptedLLM([ONE]), tts=ScriptedTTS(leading_silence_seconds=0.35))
    at = held.turn(1).instants
    assert at["audible_at"] - at["played_at"] == pytest.approx(0.35, abs=0.011)
    heard = held.report.heard[int(at["played_at"] * 8000) :]
    assert first_audible(heard, 8000) == pytest.approx(0.35, abs=0.02)


def test_of_a_reply_that_is_interrupted_early_little_was_made_in_vain(hold: Hold) -> None:
    """Twenty sentences of 2 s each, made ten times as fast as they play."""
    voice = Voice(lambda *_: chunks(2.0))
    held = hold(
        ["One?", Line("Wait, wait, stop it there.", interrupt_after_seconds=1.0)],
        tts=voice,
        llm=ScriptedLLM([f"{ONE} " * 20, "Yes."]),
        first_message="",
        stt=ScriptedSTT(["one", "wait"]),
    )
    assert held.turn(1).interrupted
    assert voice.spoken.count(ONE) <= 4


def test_a_long_reply_is_still_heard_without_a_gap(hold: Hold) -> None:
    voice = Voice(lambda *_: chunks(2.0))
    held = hold(["One?"], tts=voice, llm=ScriptedLLM([f"{ONE} " * 8]), first_message="", stt=ScriptedSTT(["one"]))
    (exchange,) = held.report.exchanges
    assert exchange.reply.underrun_ms == 0.0
    assert exchange.reply.end_at - exchange.reply.start_at == pytest.approx(16.0, abs=0.1)


def test_a_voice_that_hangs_when_it_is_closed_does_not_keep_the_call(hold: Hold) -> None:
    async def stubborn() -> AsyncIterator[Any]:
        try:
            async for chunk in chunks(30.0):
                yield chunk
        finally:
            await asyncio.Event().wait()

    held = hold(["One?"], tts=Voice(lambda *_: stubborn()), first_message="", max_duration_seconds=4.0)
    assert held.error is None
    assert held.tasks_left == []


def test_what_the_agent_says_passes_the_outbound_stages_before_it_is_heard(hold: Hold) -> None:
    seen: list[int] = []

    def quieter(samples: Any) -> Any:
        seen.append(len(samples))
        return (samples // 4).astype(np.int16)

    plain, staged = hold(["One?"]), hold(["One?"], audio_out=[quieter])
    assert sum(seen) == pytest.approx(8000 * sum(len(turn.agent_text) for turn in staged.turns) * 0.06, rel=0.02)
    ratio = np.abs(plain.report.heard).max() / np.abs(staged.report.heard).max()
    assert ratio == pytest.approx(4.0, rel=0.1)
    assert [turn.heard_text for turn in staged.turns] == [turn.heard_text for turn in plain.turns]


def test_an_outbound_stage_that_raises_is_left_out_and_the_call_goes_on(hold: Hold) -> None:
    def broken(samples: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    held = hold(["One?"], audio_out=[broken])
    (failure,) = held.events("audio_stage_failed")
    assert failure["error"].endswith("ZeroDivisionError: division by zero")
    assert held.turn(1).heard_text == "First answer."
