from __future__ import annotations

import json

import pytest

from patter_nb.carriers.simulated import SpokenLine
from patter_nb.testing.twilio.summary import summary

from .conftest import stream_twiml, tone


def test_a_call_is_told_in_plain_figures(carried):
    async def scenario(sim, app):
        async def converse(stream):
            await stream.play(tone(0.2), mark="greeting")
            while len(stream.of("media")) < 60:
                await stream.read()
            await stream.play(tone(0.3), mark="reply")
            await stream.drain()

        app.behave = converse
        lines = [SpokenLine("hello", tone(0.2), 8000, wait_seconds=0.1, keys="1")]
        line = await sim.call(lines, url=app.answer("/voice", stream_twiml()), hang_up_seconds=0.2)
        await line.ended()
        return line

    told = json.loads(json.dumps(summary(carried(scenario, speed=5))))
    (stream,) = told["streams"]
    (exchange,) = stream["exchanges"]
    assert (told["status"], stream["ended_by"], stream["marks"], stream["clears"]) == ("completed", "caller", 2, 0)
    assert stream["greeting"]["end_ms"] - stream["greeting"]["start_ms"] == pytest.approx(200, abs=10)
    assert exchange["gap_ms"] == pytest.approx(exchange["reply"]["start_ms"] - exchange["last_speech_ms"], abs=0.2)
    assert [event["kind"] for event in stream["events"]] == ["key_pressed"]
    assert len(stream["silences_ms"]) == 1
    (dry,) = stream["dry_ms"]
    assert dry == pytest.approx(stream["silences_ms"][0], abs=21)


def test_a_call_without_a_stream_has_nothing_to_tell(carried):
    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", "<Response><Reject/></Response>"))
        await line.ended()
        return line

    told = summary(carried(scenario))
    assert (told["status"], told["streams"], told["keys"]) == ("no-answer", [], "")
