"""Whole calls with a softphone: through the real server, from the first ring to the rows."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from patter_nb.errors import ConfigError
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.softphone import Softphone

from .conftest import page_of, scripted

pytestmark = pytest.mark.slow  # calls at the pace of talk


def row(phone, call) -> dict[str, object]:
    return phone.calls.iloc[-1].to_dict() | {"id": call.id}


def test_a_call_is_held_like_one_from_a_carrier(run, phone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with page_of(softphone) as page:
            assert (await page.until_state("ringing"))["agent"] == "agent"
            assert call.state == "running"
            await page.talk()
            marks = asyncio.create_task(page.answer_marks())
            async for event in call.stream():
                if event.kind == "agent_speech_ended":
                    break
            await page.line.send(page.wire.dtmf("5"))
            async for event in call.stream():
                if event.kind == "dtmf":
                    break
            await page.line.send(page.wire.stop())
            await call.ended(10)
            assert (await page.until_state("ended", "caller hung up"))["holder"] == ""
            marks.cancel()
        softphone.close()
        return call

    call = run(main())
    assert call.end_reason == "caller hung up"
    assert call.turns.loc[0, "heard_text"] == "Hi."
    assert {"answered", "agent_speech", "dtmf_received"} <= set(call.events.kind)
    assert call.audio.agent.any()


def test_what_the_page_is_sent_is_what_a_carrier_takes(run, phone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with page_of(softphone) as page:
            await page.talk()
            await page.until_event("mark")
            orders = [message for message in page.came if message["event"] in ("media", "mark", "clear")]
            call.stop()
            await call.ended(10)
        softphone.close()
        return page.wire, orders

    wire, orders = run(main())
    read = [wire.read(json.dumps(order)) for order in orders]
    assert [type(order).__name__ for order in read][:2] == ["Media", "Mark"]
    assert len(read[0].payload) == 160


def test_the_row_says_who_called_and_how(run, phone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        begun = row(phone, call)
        call.stop()
        await call.ended(10)
        softphone.close()
        return begun

    begun = run(main())
    assert (begun["carrier"], begun["source"], begun["direction"], begun["speed"]) == ("softphone", "microphone", "test", "real")


def test_a_call_that_nobody_picks_up_ends_and_says_after_how_long(run, phone):
    async def main():
        softphone = Softphone(pick_up_seconds=1)
        call = phone.test(scripted(phone), caller=softphone)
        async with page_of(softphone) as page:
            await page.until_state("ended", "not picked up within 1 s")
            await call.ended(10)
        softphone.close()
        return call

    call = run(main())
    assert (call.state, call.end_reason) == ("ended", "not picked up within 1 s")
    assert len(call.turns) == 0


@pytest.mark.parametrize("when", ["ringing", "talking"])
def test_a_call_can_be_stopped_from_the_notebook(run, phone, when):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with page_of(softphone) as page:
            await page.until_state("ringing")
            if when == "talking":
                await page.talk()
            call.stop("enough")
            await call.ended(10)
            await page.until_state("ended", "enough")
            assert not softphone.in_use
        softphone.close()
        return call

    assert run(main()).end_reason == "enough"


def test_a_page_that_goes_away_ends_the_call_and_its_rows_stay(run, phone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with page_of(softphone) as page:
            await page.talk()
            marks = asyncio.create_task(page.answer_marks())
            async for event in call.stream():
                if event.kind == "agent_speech_ended":
                    break
            marks.cancel()
        await call.ended(10)
        async with page_of(softphone, name="page_2") as page:  # the page that was loaded again
            await page.until_state("dropped", "its page was closed")
        softphone.close()
        return call

    call = run(main())
    assert call.end_reason == "call dropped: its page was closed"
    assert call.turns.loc[0, "heard_text"] == "Hi."


def test_a_page_from_which_nothing_comes_is_taken_for_gone(run, phone, monkeypatch):
    monkeypatch.setattr("patter_nb.softphone.line.SILENT_SECONDS", 1)

    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with page_of(softphone) as page:
            await page.talk()
            page.stop()
            await page.until_state("dropped", "nothing came from the page for 1 s")
            await call.ended(10)
        softphone.close()
        return call

    assert run(main()).end_reason == "call dropped: nothing came from the page for 1 s"


def test_talk_calls_when_it_is_told_to(run, phone):
    async def main():
        softphone, calls, agent = Softphone(), [], scripted(phone)
        softphone.on_talk(lambda: calls.append(phone.test(agent, caller=softphone)))
        async with page_of(softphone) as page:
            for number in (1, 2):
                await page.until_state("idle" if number == 1 else "ended")
                await page.talk()
                page.stop()
                await page.line.send(page.wire.stop())
                await calls[-1].ended(10)
                await page.until_state("ended", "caller hung up")
                assert len(calls) == number
                page.begin_again()
        softphone.close()

    run(main())


def test_a_failure_is_shown_on_the_page(run, phone):
    class Broken(ScriptedLLM):
        def open(self, call):
            raise OSError("no such model")

    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone, llm=Broken(["x"])), caller=softphone)
        async with page_of(softphone) as page:
            await page.until_state("ringing")
            await page.say("talk")
            await page.until_state("ended", "no such model")
        softphone.close()
        return call

    assert run(main()).state == "failed"


def test_an_agent_that_cannot_be_called_leaves_the_softphone_free(run, phone):
    async def main():
        softphone = Softphone()
        agent = scripted(phone)
        with pytest.raises(ConfigError, match="llm is missing"):
            phone.test(replace(agent, llm=None), caller=softphone)
        assert not softphone.in_use
        for given, told in (({"speed": "max"}, "people talk in real time"), ({"noise_db": 20.0}, "noise_db is given")):
            with pytest.raises(ConfigError, match=told):
                phone.test(agent, caller=softphone, **given)
        call = phone.test(agent, caller=softphone)
        with pytest.raises(ConfigError, match=f"in use by call {call.id}"):
            phone.test(agent, caller=softphone)
        call.stop()
        await call.ended(10)
        softphone.close()

    run(main())
