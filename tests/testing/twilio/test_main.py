"""The orders of the simulator's process, taken without a process."""

from __future__ import annotations

import io
import json

import pytest

from patter_nb.testing.twilio.__main__ import Desk

from .conftest import stream_twiml


def facts(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_call_is_ordered_pressed_on_hung_up_and_told(carried):
    async def scenario(sim, app):
        out = io.StringIO()
        desk = Desk(sim, out)
        url = app.answer("/voice", stream_twiml())
        lines = ["Hello.", {"tone_seconds": 0.2, "wait_seconds": 0.1}, {"keys": "12"}]
        assert await desk.take(json.dumps({"do": "call", "id": 7, "url": url, "lines": lines, "no_reply_seconds": 0.2}))
        (sid,) = sim.lines
        line = sim.lines[sid]
        await sim.until(lambda sim: line.far_end)
        assert await desk.take(json.dumps({"do": "press", "call_sid": sid, "keys": "9"}))
        assert await desk.take(json.dumps({"do": "look", "call_sid": sid, "id": 8}))
        assert await desk.take(json.dumps({"do": "hang_up", "call_sid": sid}))
        await line.ended()
        await sim.until(lambda sim: line.price_usd)
        assert not desk._news()
        assert not await desk.take(json.dumps({"do": "stop"}))
        return sid, facts(out), app

    sid, told, app = carried(scenario)
    assert told[0] == {"is": "calling", "id": 7, "call_sid": sid}
    assert (told[1]["is"], told[1]["id"], told[1]["streams"][0]["marks"]) == ("seen", 8, 0)
    assert [fact["is"] for fact in told[2:]] == ["status", "status", "status", "ended", "price"]
    ended = told[-2]
    assert (ended["call_sid"], ended["status"], ended["streams"][0]["ended_by"]) == (sid, "completed", "caller")
    assert app.streams[0].of("dtmf")


def test_who_answers_is_ordered_for_one_number_or_for_all(carried):
    async def scenario(sim, app):
        out = io.StringIO()
        desk = Desk(sim, out)
        await desk.take(json.dumps({"do": "callee", "kind": "busy", "id": 4}))
        assert facts(out) == [{"is": "expected", "id": 4}]
        await desk.take(json.dumps({"do": "callee", "number": "+15551", "kind": "machine", "lines": ["Leave a message."]}))
        return sim.callee, sim.callees["+15551"]

    callee, other = carried(scenario)
    assert (callee.kind, other.kind, other.lines[0].text) == ("busy", "machine", "Leave a message.")


WRONG = [
    "",
    "call",
    "[]",
    '{"do": "dance"}',
    '{"do": "hang_up", "call_sid": "CA0"}',
    '{"do": "call", "url": "x", "how": 1}',
    '{"do": "route"}',
]


@pytest.mark.parametrize("order", WRONG)
def test_a_wrong_order_is_told_and_has_no_effect(carried, order):
    async def scenario(sim, app):
        out = io.StringIO()
        assert await Desk(sim, out).take(order)
        assert sim.lines == {}
        return facts(out)

    (told,) = carried(scenario)
    assert told["is"] == "error"
