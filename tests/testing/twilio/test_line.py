from __future__ import annotations

import asyncio
import threading

import pytest

from .conftest import stream_twiml, tone


def test_a_call_is_hung_up_from_another_thread(carried):
    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", stream_twiml()))
        await sim.until(lambda sim: line.far_end)
        thread = threading.Thread(target=line.hang_up)
        thread.start()
        report = await line.ended()
        thread.join()
        return line, report

    line, report = carried(scenario)
    assert (report.ended_by, line.status, line.is_over) == ("caller", "completed", True)


def test_whoever_stops_waiting_for_the_end_leaves_the_call_as_it_is(carried):
    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", stream_twiml()))
        await sim.until(lambda sim: line.far_end)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await line.ended()
        was_up = not line.is_over
        line.hang_up()
        return was_up, await line.ended()

    was_up, report = carried(scenario)
    assert was_up
    assert report.ended_by == "caller"


def test_keys_that_are_pressed_when_no_stream_is_there_are_lost(carried):
    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", "<Response><Pause length='2'/><Say>x</Say></Response>"))
        line.press("1")
        await line.ended()
        return line

    assert carried(scenario, speed=20).reports == []


def test_what_was_heard_is_the_stream_and_then_what_was_announced(carried):
    async def scenario(sim, app):
        async def speak_and_leave(stream):
            await stream.play(tone(0.3), mark="over")
            await stream.read_until("mark")
            await stream.socket.close()

        app.behave = speak_and_leave
        line = await sim.call(url=app.answer("/voice", stream_twiml(after="<Play digits='42'/>")))
        await line.ended()
        return line

    line = carried(scenario)
    streamed = len(line.reports[0].heard)
    assert len(line.heard) == pytest.approx(streamed + 2 * 1600, abs=200)
    assert line.keys == "42"


def test_no_number_and_no_parameter_is_shown(carried):
    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", stream_twiml(token="s3cret")))
        await sim.until(lambda sim: line.far_end)
        line.hang_up()
        await line.ended()
        return repr(line), repr(sim), repr(sim.webhooks), repr(sim.requests)

    for shown in carried(scenario):
        assert "s3cret" not in shown
        assert "+1555" not in shown
