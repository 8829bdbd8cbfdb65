"""`phone.rehearse()`: calls over a simulated Twilio, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.carriers.simulated import SpokenLine
from patter_nb.errors import ConfigError, ConfigTypeError, PatterError
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.telephony import desk
from patter_nb.testing import Callee

CALL_SECONDS = 30.0


def run(main: Any) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(90):
            return await main

    return asyncio.run(bounded())


def scripted(phone: Patter, **settings: Any) -> Any:
    given = {"stt": ScriptedSTT(["one", "two"]), "llm": ScriptedLLM(["First.", "Second."]), "tts": ScriptedTTS()}
    return phone.agent("A test.", **{**given, "first_message": "Hi.", **settings})


def says(text: str, **more: Any) -> SpokenLine:
    samples, hz = synthetic_voice(text)[0], 8000
    return SpokenLine(text, samples, hz, **more)


async def let_go() -> None:
    """Wait until nothing is left of the rehearsals."""
    this = asyncio.current_task()
    async with asyncio.timeout(20):
        while left := [task for task in asyncio.all_tasks() if task is not this]:
            await asyncio.wait(left)


def carriers() -> int:
    return sum(thread.name == "simulated carrier" for thread in threading.enumerate())


WRONG = [
    ({}, ConfigError, "a caller, whose call comes in, or a callee"),
    ({"caller": ["Hello."], "callee": Callee()}, ConfigError, "give one of them"),
    ({"callee": Callee(), "ring_timeout": 1}, ConfigError, "ring_timeout is 1"),
    ({"callee": Callee(), "recording": "yes"}, ConfigTypeError, "recording is 'yes'"),
    ({"callee": Callee(), "voicemail_message": 1}, ConfigTypeError, "voicemail_message is int"),
    ({"callee": Callee(), "first_message": 1}, ConfigTypeError, "first_message is int"),
    ({"caller": ["Hello."], "first_message": "Hi."}, ConfigError, "give callee=, or leave them out"),
    ({"caller": ["Hello."], "voicemail_message": "Bye."}, ConfigError, "give callee=, or leave them out"),
    ({"caller": ["Hello."], "on_call_end": 1}, ConfigTypeError, "on_call_end is int"),
]


@pytest.mark.parametrize(("order", "kind", "sentence"), WRONG)
def test_a_rehearsal_that_cannot_be_says_why_before_anything_is_started(order, kind, sentence):
    async def main():
        phone = Patter(store=False, show=False)
        with pytest.raises(kind, match=sentence):
            await phone.rehearse(scripted(phone), **order)
        return len(phone.calls), carriers()

    assert run(main()) == (0, 0)


def test_callers_that_cannot_be_leave_nothing_behind():
    async def main():
        phone = Patter(store=False, show=False)
        with pytest.raises(ConfigTypeError, match="bare array"):
            await phone.rehearse(scripted(phone), np.zeros(8000, np.int16))
        await let_go()
        return len(phone.calls), carriers()

    assert run(main()) == (0, 0)


def test_a_call_that_does_not_come_in_says_so_instead_of_waiting(monkeypatch):
    monkeypatch.setattr(desk, "MOST_CALLS", 0)

    async def main():
        phone = Patter(store=False, show=False)
        with pytest.raises(PatterError, match="The simulated call did not come in"):
            await phone.rehearse(scripted(phone), [says("Hello.")])
        await let_go()
        return carriers()

    assert run(main()) == 0


@pytest.mark.slow
def test_rehearsals_of_both_directions_at_once_are_calls_as_on_a_line_and_leave_nothing_behind():
    ends: list[str] = []
    verdicts: list[str] = []

    async def main():
        phone = Patter(store=False, show=False)
        told = {"on_call_end": lambda end: ends.append(end["end_reason"])}
        heard = {"on_machine_detection": lambda verdict: verdicts.append(verdict.raw)}
        machine = Callee(kind="machine", lines=[says("Nobody is here.")], answers_after_seconds=0.2)
        calls = await asyncio.gather(
            phone.rehearse(scripted(phone), [says("Hello."), says("And more.")], **told),
            phone.rehearse(scripted(phone), callee=Callee(lines=[says("Yes?")], greets_after_seconds=None), **told),
            phone.rehearse(scripted(phone), callee=machine, voicemail_message="Call us back.", **told, **heard),
            phone.rehearse(scripted(phone), callee=Callee(kind="busy", answers_after_seconds=0.2), **told),
            phone.rehearse(scripted(phone), callee=Callee(kind="no-answer"), ring_timeout=5, **told),
        )
        assert calls[1].carrier_call_id.startswith("CA")
        for call in calls:
            await call.ended(CALL_SECONDS)
        before = {task for task in asyncio.all_tasks() if task.get_name().startswith("phone server")}
        await let_go()
        rows = phone.calls.set_index("call_id").loc[[call.id for call in calls]]
        return rows, [[said["text"] for said in call.transcript] for call in calls], len(before), carriers()

    rows, texts, servers, threads = run(main())
    assert rows["outcome"].tolist() == ["answered", "answered", "voicemail", "busy", "no_answer"]
    assert rows["direction"].tolist() == ["inbound", *["outbound"] * 4]
    assert set(rows["source"]) == {"rehearsal"}
    assert texts[:2] == [["Hi.", "one", "First.", "two", "Second."], ["Hi.", "one", "First."]]
    assert texts[2][-1] == "Call us back."
    assert rows["carrier_price_usd"].tolist()[:3] == [0.014] * 3
    assert sorted(ends) == ["busy", "caller hung up", "caller hung up", "left a voicemail", "no answer"]
    assert verdicts == ["machine_end_beep"]
    assert servers > 0
    assert threads == 0


@pytest.mark.slow
def test_a_program_that_ends_in_the_middle_of_a_rehearsal_leaves_nothing_behind():
    async def main():
        phone = Patter(store=False, show=False)
        call = await phone.rehearse(scripted(phone), [says("Hello.", wait_seconds=30)])
        async for event in call.stream():
            if event.kind == "answered":  # asyncio leaks a socket that it takes in the instant in which its loop ends
                break
        assert carriers() == 1
        return call

    call = asyncio.run(main())
    gc.collect()  # what was left open would warn now
    assert call.state != "running"
    assert carriers() == 0


def test_a_rehearsal_that_is_interrupted_before_it_rings_leaves_nothing_behind():
    async def main():
        phone = Patter(store=False, show=False)
        rehearsing = asyncio.create_task(phone.rehearse(scripted(phone), [says("Hello.")]))
        await asyncio.sleep(0)  # now the carrier is being started, in a thread
        rehearsing.cancel()
        await asyncio.wait((rehearsing,))
        await let_go()
        return rehearsing.cancelled(), carriers()

    assert run(main()) == (True, 0)


@pytest.mark.slow
def test_rehearsals_in_speech_on_this_machine():
    """What was said is understood on both sides, in a call that comes in and one that is placed, at once."""
    from patter_nb.providers.local import DemoBrain, LocalSTT, LocalTTS

    async def main():
        phone = Patter(store=False, show=False)
        agent = phone.agent(
            "You are Mia of the Acme Hotel. Dinner is served from six to ten. Dogs are welcome and stay for free.",
            stt=LocalSTT(),
            llm=DemoBrain(),
            tts=LocalTTS(),
            first_message="Acme Hotel, good evening!",
        )
        await agent.stt.wait_ready(60)
        calls = [
            await phone.rehearse(agent, ["Hi, when is dinner?"]),
            await phone.rehearse(agent, callee=Callee(lines=["Can I bring my dog?"], greets_after_seconds=None)),
        ]
        for call in calls:
            await call.ended(60)
        await let_go()
        return [[said["text"] for said in call.transcript] for call in calls]

    dinner, dog = run(main())
    assert dinner[0] == dog[0] == "Acme Hotel, good evening!"
    assert "dinner" in dinner[1].lower()
    assert dinner[2] == "Dinner is served from six to ten."
    assert "dog" in dog[1].lower()
    assert dog[2] == "Dogs are welcome and stay for free."
