from __future__ import annotations

import pytest

from patter_nb.carriers.simulated import SpokenLine
from patter_nb.testing import Callee

from .conftest import place, stream_twiml, tone

SAYS = "<Response><Say>Hello</Say></Response>"
SPOKEN = [SpokenLine("hello", tone(0.3), 8000)]


# Who is called, how long it rings, and the statuses that are told.
OUTCOMES = {
    "answers": (Callee(answers_after_seconds=0.1), 60, ["initiated", "ringing", "in-progress", "completed"]),
    "is busy": (Callee("busy", answers_after_seconds=0.1), 60, ["initiated", "ringing", "busy"]),
    "does not answer": (Callee("no-answer", answers_after_seconds=0.1), 1, ["initiated", "ringing", "no-answer"]),
    "answers too late": (Callee(answers_after_seconds=1.5), 1, ["initiated", "ringing", "no-answer"]),
    "cannot be reached": (Callee("failed"), 60, ["initiated", "failed"]),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_each_step_of_a_call_is_told_in_order_with_the_fields_that_twilio_sends(carried, name):
    callee, seconds, statuses = OUTCOMES[name]

    async def scenario(sim, app):
        line = await place(sim, app, Timeout=str(seconds))
        await line.ended()
        return sim, line, app.at("/status")

    sim, line, told = carried(scenario, callee=callee)
    forms = [webhook.form for webhook in told]
    assert [form["CallStatus"] for form in forms] == statuses
    assert [form["SequenceNumber"] for form in forms] == [str(number) for number in range(len(statuses))]
    assert line.status == statuses[-1]
    for form in forms:
        assert (form["CallSid"], form["AccountSid"]) == (line.sid, sim.account_sid)
        assert (form["CallbackSource"], form["Direction"]) == ("call-progress-events", "outbound-api")
        assert form["Timestamp"].endswith("+0000")
        assert ("CallDuration" in form) == (form is forms[-1])
    assert forms[-1]["CallDuration"] == str(line.duration_seconds)
    assert (line.duration_seconds > 0) == (statuses[-1] == "completed")


def test_only_the_steps_that_were_asked_for_are_told(carried):
    async def scenario(sim, app):
        line = await place(sim, app, events=["answered"])
        await line.ended()
        return [webhook.form["CallStatus"] for webhook in app.at("/status")]

    assert carried(scenario, callee=Callee(answers_after_seconds=0.1)) == ["in-progress"]


def test_the_instructions_of_a_call_may_stand_at_an_address(carried):
    async def scenario(sim, app):
        line = await place(sim, app, twiml="", Url=app.answer("/voice", SAYS))
        await line.ended()
        return line, app.at("/voice")[0].form

    line, form = carried(scenario, callee=Callee(answers_after_seconds=0.1))
    assert (form["CallStatus"], form["From"], form["To"]) == ("in-progress", line.from_number, line.to_number)
    assert line.said == ["Hello"]


MACHINE = Callee("machine", SPOKEN, answers_after_seconds=0.1)
SILENT_MACHINE = Callee("machine", SPOKEN, answers_after_seconds=0.1, answered_by="machine_end_silence")
BEEP_OVER = 0.3 + 0.2 + 0.4

LATE_MS = 2000
"""At 20 times the pace a tenth of a second of this machine is two of the line."""

# Who answers, the detection asked for, the verdict and its milliseconds.
VERDICTS = {
    "a human": (Callee(answers_after_seconds=0.1), "DetectMessageEnd", "human", 500),
    "a fax": (Callee("fax", answers_after_seconds=0.1), "DetectMessageEnd", "fax", 2000),
    "a machine, at its beep": (MACHINE, "DetectMessageEnd", "machine_end_beep", BEEP_OVER * 1000),
    "a machine, at once": (MACHINE, "Enable", "machine_start", BEEP_OVER * 1000),
    "as told": (Callee(answered_by="unknown", verdict_after_seconds=0.25), "DetectMessageEnd", "unknown", 250),
    "without a beep": (SILENT_MACHINE, "DetectMessageEnd", "machine_end_silence", BEEP_OVER * 1000),
    "too late": (Callee(verdict_after_seconds=5), "DetectMessageEnd", "unknown", 3000),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_who_answered_is_told_while_the_call_goes_on(carried, name):
    callee, mode, word, milliseconds = VERDICTS[name]

    async def scenario(sim, app):
        amd = {"MachineDetection": mode, "AsyncAmd": "true", "AsyncAmdStatusCallback": app.answer("/amd", "", 204)}
        line = await place(sim, app, twiml=stream_twiml(), MachineDetectionTimeout="3", **amd)
        await sim.until(lambda sim: sim.posted("amd"))
        was_streaming = line.far_end is not None
        line.hang_up()
        await line.ended()
        return line, was_streaming, app

    line, was_streaming, app = carried(scenario, callee=callee, speed=20)
    (told,) = app.at("/amd")
    assert told.form["AnsweredBy"] == word == line.answered_by
    assert milliseconds - 1 <= float(told.form["MachineDetectionDuration"]) <= milliseconds + LATE_MS
    assert told.form["CallSid"] == line.sid
    assert was_streaming
    assert app.at("/status")[-1].form["AnsweredBy"] == word


def test_a_machines_verdict_comes_at_its_beep_however_late_the_stream_began(carried):
    async def scenario(sim, app):
        amd = {"MachineDetection": "DetectMessageEnd", "AsyncAmd": "true", "AsyncAmdStatusCallback": app.answer("/amd", "", 204)}
        late = stream_twiml().replace("<Connect>", "<Pause length='2'/><Connect>")
        line = await place(sim, app, twiml=late, **amd)
        await sim.until(lambda sim: sim.posted("amd"))
        position = line.far_end.position / 8000
        line.hang_up()
        await line.ended()
        return position, float(app.at("/amd")[0].form["MachineDetectionDuration"]) / 1000

    position, told = carried(scenario, callee=MACHINE)
    assert position >= BEEP_OVER - 0.05
    assert told >= 2 + BEEP_OVER


def test_a_call_that_waits_for_the_verdict_asks_for_instructions_with_it(carried):
    async def scenario(sim, app):
        line = await place(sim, app, twiml="", Url=app.answer("/voice", SAYS), MachineDetection="Enable")
        await line.ended()
        return app.at("/voice")[0].form

    assert carried(scenario, callee=Callee(answers_after_seconds=0.1))["AnsweredBy"] == "human"


def test_nothing_is_told_of_who_answered_a_call_that_ended_before(carried):
    async def scenario(sim, app):
        amd = {"MachineDetection": "Enable", "AsyncAmd": "true", "AsyncAmdStatusCallback": app.answer("/amd", "", 204)}
        line = await place(sim, app, twiml="<Response><Hangup/></Response>", **amd)
        await line.ended()
        return sim

    assert carried(scenario, callee=Callee(answers_after_seconds=0.1)).posted("amd") == []


def test_a_machine_plays_its_greeting_beeps_records_what_it_hears_and_hangs_up(carried):
    async def scenario(sim, app):
        async def leave_a_message(stream):
            for _ in range(50):
                await stream.read()
            await stream.play(tone(0.5), mark="message")
            await stream.drain()

        app.behave = leave_a_message
        line = await place(sim, app, twiml=stream_twiml())
        return await line.ended()

    report = carried(scenario, callee=Callee("machine", SPOKEN, answers_after_seconds=0.1, hang_up_seconds=0.5))
    assert report.ended_by == "caller"
    assert report.exchanges[0].reply.end_at - report.exchanges[0].reply.start_at == pytest.approx(0.5, abs=0.05)
    spoken = report.spoken[: int(BEEP_OVER * 8000)]
    assert abs(spoken[-1600:]).max() > 4000, "the beep"


def test_a_human_speaks_first_and_hangs_up_after_the_reply(carried):
    async def scenario(sim, app):
        async def answer(stream):
            for _ in range(60):
                await stream.read()
            await stream.play(tone(0.3), mark="reply")
            await stream.drain()

        app.behave = answer
        line = await place(sim, app, twiml=stream_twiml())
        return await line.ended()

    callee = Callee(lines=SPOKEN, answers_after_seconds=0.1, greets_after_seconds=0.2, hang_up_seconds=0.3)
    report = carried(scenario, callee=callee)
    assert report.exchanges[0].started_at == pytest.approx(0.2, abs=0.03)
    assert report.exchanges[0].reply is not None
    assert report.ended_by == "caller"


def test_a_caller_who_hangs_up_before_anybody_answered_is_gone(carried):
    async def scenario(sim, app):
        slow = app.answer("/voice", "<Response><Pause length='9'/></Response>")
        line = await sim.call(url=slow)
        await sim.until(lambda sim: sim.posted("voice"))
        line.hang_up()
        await line.ended()
        return line

    assert carried(scenario).status == "canceled"


def test_texts_are_spoken_by_a_synthetic_voice_where_that_is_enough(carried):
    async def scenario(sim, app):
        line = await sim.call(["Hello there."], url=app.answer("/voice", stream_twiml()), no_reply_seconds=0.3)
        return await line.ended()

    (exchange,) = carried(scenario).exchanges
    assert exchange.text == "Hello there."
    assert exchange.ended_at - exchange.started_at > 0.4
