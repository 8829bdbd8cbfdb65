"""What all calls in speech have in common."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.audio.vad import EnergyModel
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.spoken import SpokenCall, aside, pipeline, spoken_segments, terms_of


def run(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, 30))


class Preparing(ScriptedTTS):
    """Notes what it is to prepare; fails at `fails_at`."""

    prepared: list[str]
    fails_at = ""

    async def prepare(self, text: str) -> None:
        if text == self.fails_at:
            raise RuntimeError("no voice today")
        self.prepared.append(text)


def spoken(*, real: bool = True, on_message: Any = None, **settings: Any) -> tuple[SpokenCall, Any, Patter]:
    """A call that has not begun."""
    phone = Patter(store=False, show=False)
    given = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS(), **settings}
    agent = phone.agent("A test.", **given)
    loop = asyncio.get_running_loop()
    call, setting = phone._make(phone._agents.stage(agent), phone._callbacks(on_message), lambda _: None, loop, "test")
    work = SpokenCall(phone._log, call.live, record=False, real=real, **setting)
    phone._log.begin(work.facts(call.id))
    return work, call, phone


def told(phone: Patter, call: Any, kind: str) -> list[Any]:
    events = phone._log.call_events(call.id)
    return list(events[events["kind"] == kind]["data"])


def test_a_calls_row_says_how_it_begins():
    async def main():
        work, call, _ = spoken()
        return work.facts(call.id), call.id

    facts, call_id = run(main())
    assert (facts.call_id, facts.agent, facts.revision, facts.mode, facts.speed) == (call_id, "agent", 1, "pipeline", "real")
    assert (facts.stt_provider, facts.llm_model, facts.tts_model) == ("scripted", "replies", "tones")
    assert (facts.caller, facts.callee, facts.direction) == ("+15550000001", "+15550000002", "test")


def test_a_row_names_who_answers_in_the_place_of_a_model():
    async def main():
        work, call, _ = spoken(on_message=lambda message: "Yes.", real=False)
        return work.facts(call.id)

    facts = run(main())
    assert (facts.llm_provider, facts.llm_model, facts.speed) == ("on_message", "", "max")


def test_what_on_call_start_changes_stands_in_the_row():
    async def main():
        phone = Patter(store=False, show=False)
        agent = phone.agent("A test.", stt=ScriptedSTT([]), llm=ScriptedLLM(["Yes."]), tts=ScriptedTTS())
        other = ScriptedLLM(["No."], model="others")
        await phone.test(agent, ["Hello."], speed="max", on_call_start=lambda _: {"llm": other})
        return phone.calls.iloc[0]["llm_model"]

    assert run(main()) == "others"


@pytest.mark.parametrize(
    ("settings", "prepared", "ready"),
    [
        ({"first_message": "Hi. How are you?"}, ["Hi.", "How are you?"], True),
        ({"first_message": "Hi.", "prewarm_first_message": False}, [], True),
        ({"first_message": "Hi.", "prewarm": False}, [], False),
        ({"first_message": ""}, [], True),
    ],
)
def test_what_is_said_first_is_prepared_in_the_segments_it_is_said_in(settings, prepared, ready):
    voice = Preparing()
    voice.prepared = []

    async def main():
        work, call, _ = spoken(tts=voice, **settings)
        return await work._prepare_greeting(call.id), work._agent.policy()

    lines, policy = run(main())
    assert voice.prepared == prepared
    assert lines == ((policy.fallback, policy.goodbye) if ready else ())


def test_a_voice_that_cannot_prepare_a_line_is_an_event_and_nothing_more_is_tried():
    voice = Preparing()
    voice.prepared, voice.fails_at = [], "Two."

    async def main():
        work, call, phone = spoken(tts=voice)
        return await work._prepare(call.id, "One. Two.", "Three."), told(phone, call, "not_prewarmed")

    assert run(main()) == (False, [{"error": "scripted raised RuntimeError: no voice today"}])
    assert voice.prepared == ["One."]


def test_a_voice_that_prepares_nothing_is_not_asked():
    async def main():
        work, call, phone = spoken(first_message="Hi.")
        return bool(await work._prepare_greeting(call.id)), told(phone, call, "not_prewarmed")

    assert run(main()) == (True, [])


def test_the_ear_that_stands_in_for_a_better_one_is_told():
    async def main():
        work, call, phone = spoken()
        work._tell_voice_activity(call.id, EnergyModel(reason="the wheel is missing"))
        return told(phone, call, "voice_activity")

    assert run(main()) == [{"model": "EnergyModel", "reason": "the wheel is missing", "fallback": True}]


def test_the_terms_of_a_call_are_of_a_test_where_nothing_else_is_said():
    async def main():
        _, call, phone = spoken()
        return terms_of(call, phone._log, SimpleNamespace(), SimpleNamespace(), SimpleNamespace(), carrier="simulated")

    terms = run(main())
    assert (terms.direction, terms.carrier, terms.parameters) == ("test", "simulated", {})
    assert (terms.caller, terms.callee) == ("+15550000001", "+15550000002")


def test_a_fixed_line_reaches_the_voice_in_sentences():
    agent = Agent(system_prompt="A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())
    assert spoken_segments(agent, "Hi. How can I help?") == ["Hi.", "How can I help?"]
    assert spoken_segments(agent, "") == []
    assert pipeline(agent) == (agent.stt, agent.tts)


def test_work_beside_a_block_ends_with_it():
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("work")

    async def main():
        with pytest.raises(RuntimeError, match="the block"):
            async with aside(work()):
                await asyncio.sleep(0)
                ended.append("block")
                raise RuntimeError("the block")

    run(main())
    assert ended == ["block", "work"]
