"""The recogniser of a call: opened, told, read, and opened again when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.audio.formats import MULAW_8K, AudioFormat
from patter_nb.audio.vad import EnergyModel, VoiceDetector
from patter_nb.callers import Line
from patter_nb.clock import CallClock, run_virtual
from patter_nb.providers.base import Transcript, TurnEnded
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.prices import PriceBook
from patter_nb.session.chains import AudioChain
from patter_nb.session.inbound import Inbound
from patter_nb.session.listening import REOPEN_AFTER_SECONDS, Listening
from patter_nb.session.meter import Meter
from patter_nb.turns.events import FinalReceived
from patter_nb.turns.usage import Usage

Hold = Callable[..., Any]

FALLBACK = "I'm sorry, I had a problem just now. Could you say that again?"
GOODBYE = "I'm sorry, I have to end the call here. Goodbye."


class Ear:
    """A recogniser as a user writes it. `plan(n)` makes the n-th stream that is opened; it may raise."""

    provider, model, virtual_time, price, formats, ends_turns = "mine", "m", True, None, (MULAW_8K,), "session"

    def __init__(self, plan: Callable[[int], Any]) -> None:
        self._plan = plan
        self.streams: list[Any] = []

    def ready(self) -> None: ...

    @asynccontextmanager
    async def open(self, call: Any, audio: AudioFormat) -> AsyncIterator[Any]:
        self.streams.append(None)
        stream = self.streams[-1] = self._plan(len(self.streams) - 1)
        yield stream
        stream.close()


class Stream:
    """Hears "words" whenever it is asked to finalise."""

    raises_in = ""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []
        self.events: asyncio.Queue[Any] = asyncio.Queue()

    def push(self, audio: bytes, at: float) -> None:
        self._tell("push", at)

    def speech_started(self, at: float) -> None:
        self._tell("speech_started", at)

    def finalize(self) -> None:
        self._tell("finalize", 0.0)
        self.events.put_nowait(Transcript("words", final=True))

    def close(self) -> None:
        self._tell("close", 0.0)
        self.events.put_nowait(Usage("stt", "mine", "m", audio_seconds=1.0))
        self.events.put_nowait(None)

    def _tell(self, name: str, at: float) -> None:
        self.told.append((name, at))
        if name == self.raises_in:
            raise ZeroDivisionError("division by zero")

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event


def raising_in(name: str) -> Stream:
    stream = Stream()
    stream.raises_in = name
    return stream


def saying(*events: Any) -> Stream:
    stream = Stream()
    for event in events:
        stream.events.put_nowait(event)
    return stream


def test_a_recogniser_that_fails_once_is_opened_again_and_the_caller_is_asked_to_say_it_again(hold: Hold) -> None:
    held = hold(["One?", "Two?"], stt=ScriptedSTT(["one", "two"], fails_at=0), llm=ScriptedLLM(["Fine."]))
    (failed,) = held.events("transcription_failed")
    assert failed == {"error": "scripted failed at utterance 0, as it was told to."}
    assert [(t.caller_text, t.heard_text) for t in held.turns[1:]] == [("", FALLBACK), ("two", "Fine.")]
    assert held.turn(1).error == failed["error"]
    assert held.session.end_reason == "caller hung up"


@pytest.mark.parametrize("plan", [lambda _: 1 / 0, lambda _: saying(ZeroDivisionError("division by zero"))])
def test_a_recogniser_that_always_fails_ends_the_call_politely(hold: Hold, plan: Any) -> None:
    ear = Ear(plan)
    held = hold(["One?", "Two?"], stt=ear)
    assert held.events("transcription_failed")[0] == {"error": "mine raised ZeroDivisionError: division by zero"}
    assert len(ear.streams) == len(REOPEN_AFTER_SECONDS) + 1
    assert (held.turns[-1].kind, held.turns[-1].heard_text) == ("goodbye", GOODBYE)
    assert held.report.ended_by == "agent"
    assert held.session.end_reason in ("3 failures in a row", "speech recognition failed")
    assert (held.error, held.tasks_left) == (None, [])


@pytest.mark.parametrize("method", ["push", "speech_started", "finalize"])
def test_a_method_that_must_not_raise_and_does_breaks_the_recogniser_and_not_the_call(hold: Hold, method: str) -> None:
    ear = Ear(lambda number: raising_in(method) if number == 0 else Stream())
    held = hold(["One?", "Two?"], stt=ear)
    assert held.events("transcription_failed") == [{"error": "mine raised ZeroDivisionError: division by zero"}]
    assert held.turns[-1].caller_text == "words"
    assert held.session.end_reason == "caller hung up"
    first = ear.streams[0].told
    assert [name for name, _ in first[-2:]] == [method, "close"]
    assert (held.error, held.tasks_left) == (None, [])


def test_a_recogniser_that_ends_before_the_call_does_is_opened_again(hold: Hold) -> None:
    ear = Ear(lambda number: saying(None) if number == 0 else Stream())
    held = hold(["One?"], stt=ear)
    assert held.events("transcription_failed") == [{"error": "mine raised EOFError: its transcripts ended before the call did"}]
    assert held.turn(1).caller_text == "words"


def test_words_between_failures_start_the_count_of_failures_anew(hold: Hold) -> None:
    class Weary(Stream):
        def push(self, audio: bytes, at: float) -> None:
            super().push(audio, at)
            if ("finalize", 0.0) in self.told[:-40]:  # 0.8 s after its first words, while the answer is heard
                raise ZeroDivisionError("tired")

    ear = Ear(lambda _: Weary())
    lines = ["One?", "Two?", "Three?", "Four?", "Five?", "Six?"]
    held = hold(lines, stt=ear, llm=ScriptedLLM(["Fine."] * 6))
    assert len(held.events("transcription_failed")) == 6
    assert held.session.end_reason == "caller hung up"
    assert [turn.heard_text for turn in held.turns[1:]] == ["Fine."] * 6


def test_a_recogniser_that_is_opened_in_the_middle_of_an_utterance_is_told_that_somebody_speaks(hold: Hold) -> None:
    long = "This is a rather long line which takes its time to be said by whoever says it."

    async def break_it(tap: Any, _: Any) -> None:
        await tap.at(3.0)
        ear.streams[0].events.put_nowait(ZeroDivisionError("gone"))

    ear = Ear(lambda _: Stream())
    held = hold([Line(long)], stt=ear, meanwhile=break_it)
    assert ear.streams[1].told[0][0] == "speech_started"
    assert ear.streams[1].told[0][1] == pytest.approx(3.0, abs=0.03)
    # The rest of the utterance has words, so it is answered.
    assert (held.turn(1).caller_text, held.turn(1).heard_text) == ("words", "First answer.")


def test_a_final_that_nobody_can_give_is_not_waited_for(hold: Hold) -> None:
    async def break_it(tap: Any, _: Any) -> None:
        # Between the end of the caller's line at 2.26 and the moment at which voice activity notices it.
        await tap.at(2.3)
        ear.streams[0].events.put_nowait(ZeroDivisionError("gone"))

    ear = Ear(lambda _: Stream())
    held = hold(["One?", "Two?"], stt=ear, meanwhile=break_it)
    first = held.turn(1)
    assert first.heard_text == FALLBACK
    assert first.instants["played_at"] - first.instants["speech_ended_at"] < 0.6


def test_what_a_recogniser_reports_when_it_is_closed_is_paid_by_the_call(hold: Hold) -> None:
    held = hold(["One?"], stt=Ear(lambda _: Stream()))
    (rest,) = held.events("call_usage")
    assert (rest["usage"]["provider"], rest["usage"]["audio_seconds"]) == ("mine", 1.0)


@pytest.mark.parametrize("hangs_in", ["open", "close", "read"])
def test_a_recogniser_that_hangs_does_not_hold_up_the_end_of_the_call(hold: Hold, hangs_in: str) -> None:
    class Hanging(Ear):
        @asynccontextmanager
        async def open(self, call: Any, audio: AudioFormat) -> AsyncIterator[Any]:
            if hangs_in == "open":
                await asyncio.Event().wait()
            async with super().open(call, audio) as stream:
                if hangs_in == "read":
                    stream.close = lambda: None
                yield stream
                if hangs_in == "close":
                    await asyncio.Event().wait()

    held = hold(["One?"], stt=Hanging(lambda _: Stream()))
    assert held.session.end_reason == "caller hung up"
    assert (held.error, held.tasks_left) == (None, [])
    assert held.turn(0).heard_text == "Hello there, good evening!"


def test_interim_transcripts_change_nothing(hold: Hold) -> None:
    plain = hold(["One?"], stt=ScriptedSTT(["one two three"]))
    shown = hold(["One?"], stt=ScriptedSTT(["one two three"], interims=True))
    assert shown.turns == plain.turns


def test_a_recogniser_may_decide_itself_when_the_callers_turn_is_over(hold: Hold) -> None:
    class Ends(Stream):
        def push(self, audio: bytes, at: float) -> None:
            super().push(audio, at)
            if len([name for name, _ in self.told if name == "push"]) == 130:  # at 2.6 s, after the only line
                self.events.put_nowait(Transcript("words", final=True))
                self.events.put_nowait(TurnEnded(at))

    ear = Ear(lambda _: Ends())
    ear.ends_turns = "provider"
    held = hold(["One?"], stt=ear)
    assert held.turn(1).caller_text == "words"
    assert held.turn(1).instants["reply_ordered_at"] == pytest.approx(2.6, abs=0.02)
    assert "finalize" not in [name for name, _ in ear.streams[0].told]


def test_what_is_said_while_the_recogniser_is_being_opened_is_kept_for_it() -> None:
    """The first opening takes 3 s, in which the caller says something and falls silent."""

    class Slow(Ear):
        @asynccontextmanager
        async def open(self, call: Any, audio: Any) -> Any:
            await asyncio.sleep(3.0)
            async with super().open(call, audio) as stream:
                yield stream

    ear = Slow(lambda _: Stream())

    async def main() -> list[Any]:
        clock, posted = CallClock(), []
        agent = Agent(system_prompt="A test.", stt=ear, llm=ScriptedLLM(["Yes."]), tts=ScriptedTTS())
        inbound = Inbound(
            audio=MULAW_8K,
            clock=clock,
            detector=VoiceDetector(EnergyModel()),
            post=posted.append,
            stretch=lambda *_: None,
            recorder=None,
            chain=AudioChain(),
            failed=posted.append,
        )
        meter = Meter(PriceBook(), posted.append)
        meter.know(agent)
        opens = partial(ear.open, None, MULAW_8K)
        listening = Listening(agent, opens, audio=MULAW_8K, inbound=inbound, post=posted.append, meter=meter)
        running = asyncio.create_task(listening.run())
        await asyncio.sleep(0.5)
        listening.speech_started(0.1)
        for number in range(20):
            listening.push(bytes(160), 0.02 * (number + 1))
        listening.finalize()
        assert ear.streams == []
        await listening.tried.wait()
        await asyncio.sleep(0.1)
        listening.finish()
        await running
        return posted

    posted = run_virtual(main())
    kinds = [kind for kind, _ in ear.streams[0].told]
    assert kinds == ["speech_started", *["push"] * 20, "finalize", "close"]
    assert ear.streams[0].told[1][1] == pytest.approx(0.02)
    assert [event.text for event in posted if isinstance(event, FinalReceived)] == ["words"]
