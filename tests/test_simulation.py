"""A test call as it was ordered: what is made before it begins, and on which loop it is held."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.callers import Script, read_caller
from patter_nb.live import Line as AgentLine
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.simulation import TEST_CALLEE, TEST_CALLER, SimulatedTest


def ordered(log: CallLog, script: Script, *, speed: Any = "max", **settings: Any) -> SimulatedTest:
    given = {
        "stt": ScriptedSTT(["one"]), "llm": ScriptedLLM(["Yes."]), "tts": ScriptedTTS(), "first_message": "Hello!", **settings,
    }  # fmt: skip
    revision, _ = AgentLine("agent").stage(Agent(system_prompt="A test.", **given))
    loop = asyncio.get_running_loop()
    return SimulatedTest(log, revision, script, speed=speed, noise_db=None, seed=0, record=True, loop=loop)


def held(script: Script, **settings: Any) -> tuple[CallLog, Call]:
    async def main() -> tuple[CallLog, Call]:
        log = CallLog(None)
        test = ordered(log, script, **settings)
        call = Call("c1", log, RecordingShelf(None))
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
    """Notes what was asked of it, and in which thread."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.prepared: list[tuple[str, int]] = []

    async def prepare(self, text: str) -> None:
        self.prepared.append((text, threading.get_ident()))


@pytest.mark.parametrize(("greeting", "prepared"), [("Hello!", ["Hello!"]), ("", [])])
def test_the_greeting_is_prepared_before_the_call_on_the_loop_of_whoever_ordered_it(greeting: str, prepared: list[str]) -> None:
    voice = Prepared()
    held(read_caller(["One?"]), tts=voice, first_message=greeting)
    assert voice.prepared == [(text, threading.get_ident()) for text in prepared]


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
