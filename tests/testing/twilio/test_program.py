from __future__ import annotations

import json

import numpy as np
import pytest

from patter_nb.carriers.simulated import SpokenLine

from .conftest import HTTP, MEDIA, stream_twiml, tone

SPOKEN = SpokenLine("hello", tone(0.3), 8000)
SOON = {"hang_up_seconds": 0.3, "no_reply_seconds": 3.0}


async def greet(stream):
    await stream.play(tone(0.3), mark="greeting")
    await stream.drain()


def test_a_stream_carries_the_calls_own_names_its_parameters_the_voice_and_a_mark(carried):
    async def scenario(sim, app):
        app.behave = greet
        line = await sim.call([SPOKEN], url=app.answer("/voice", stream_twiml(token="abc", caller="+1 2")), **SOON)
        return sim, line, await line.ended(), app.streams[0]

    sim, line, report, stream = carried(scenario)
    connected, start = stream.messages[:2]
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start["start"]["callSid"] == line.sid
    assert start["start"]["accountSid"] == sim.account_sid
    assert start["start"]["customParameters"] == {"token": "abc", "caller": "+1 2"}
    assert [mark["mark"]["name"] for mark in stream.of("mark")] == ["greeting"]
    assert stream.messages[-1]["event"] == "stop"
    assert stream.closed
    assert report.greeting.end_at - report.greeting.start_at == pytest.approx(0.3, abs=0.02)
    assert report.ended_by == "caller"
    assert [status for status, _ in line.history] == ["ringing", "in-progress", "completed"]


async def clear(stream):
    await stream.play(tone(5.0), mark="long")
    await stream.read_until("media")
    await stream.send("clear")
    await stream.drain()


def test_a_clear_silences_the_line_and_sends_the_mark_back(carried):
    async def scenario(sim, app):
        app.behave = clear
        line = await sim.call([SPOKEN], url=app.answer("/voice", stream_twiml()), **SOON)
        return await line.ended(), app.streams[0]

    report, stream = carried(scenario)
    assert len(stream.of("mark")) == 1
    assert [mark.cleared for mark in report.marks] == [True]
    assert len(report.clears) == 1
    assert report.greeting.end_at < 2.0


def test_keys_that_the_caller_presses_are_messages_and_those_of_the_agent_are_heard_as_tones(carried):
    async def scenario(sim, app):
        from patter_nb.audio.dtmf import dtmf_tones

        async def keypad(stream):
            await stream.play(dtmf_tones("1234#", 8000), mark="keys")
            await stream.read_until("mark")
            held.press("9*")
            for _ in range(2):
                await stream.read_until("dtmf")
            held.hang_up()
            await stream.drain()

        app.behave = keypad
        held = await sim.call(url=app.answer("/voice", stream_twiml()))
        await held.ended()
        return held, app.streams[0]

    held, stream = carried(scenario)
    assert [message["dtmf"] for message in stream.of("dtmf")] == [
        {"track": "inbound_track", "digit": "9"},
        {"track": "inbound_track", "digit": "*"},
    ]
    assert held.keys == "1234#"


async def leave(stream):
    await stream.socket.close()


def test_the_call_goes_on_with_the_next_verb_when_the_app_closes_the_stream(carried):
    async def scenario(sim, app):
        app.behave = leave
        line = await sim.call([SPOKEN], url=app.answer("/voice", stream_twiml(after="<Say>Goodbye</Say>")))
        return line, await line.ended()

    line, report = carried(scenario)
    assert report.ended_by == "agent"
    assert line.said == ["Goodbye"]
    assert line.status == "completed"


BAD_MESSAGES = {
    "an unknown event": json.dumps({"event": "speak", "streamSid": "MZ"}),
    "a misspelled field": json.dumps({"event": "clear", "streamsid": "MZ"}),
    "no JSON": "hello",
    "a binary message": b"hello",
}


@pytest.mark.parametrize("message", BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_what_a_carrier_would_refuse_ends_the_stream_with_a_warning(carried, message):
    async def scenario(sim, app):
        async def misbehave(stream):
            await stream.socket.send(message)
            await stream.drain()

        app.behave = misbehave
        line = await sim.call(url=app.answer("/voice", stream_twiml()))
        await line.ended()
        return line

    assert [warning.code for warning in carried(scenario).warnings] == [31924]


BAD_STREAMS = {
    f"ws://{MEDIA}/media": 31922,
    f"wss://{MEDIA}/media?token=a": 31923,
    "wss://nowhere.example.com/media": 31920,
    f"wss://{HTTP}/media": 31920,  # where something listens that does not open sockets
}


@pytest.mark.parametrize("url", BAD_STREAMS)
def test_a_stream_that_cannot_be_is_a_warning_and_the_call_ends(carried, url):
    async def scenario(sim, app):
        twiml = f'<Response><Connect><Stream url="{url}"/></Connect></Response>'
        line = await sim.call(url=app.answer("/voice", twiml))
        await line.ended()
        return line

    line = carried(scenario)
    assert [warning.code for warning in line.warnings] == [BAD_STREAMS[url]]
    assert line.reports == []
    assert line.status == "completed"


# Verbs beside the stream: TwiML, what was said, keys that were heard, the statuses.
PROGRAMS = {
    "says": ("<Say>One</Say><Say voice='alice'>Two</Say>", ["One", "Two"], "", "completed"),
    "plays keys": ("<Play digits='5w6'/>", [], "56", "completed"),
    "hangs up": ("<Say>One</Say><Hangup/><Say>Two</Say>", ["One"], "", "completed"),
    "is busy": ("<Reject reason='busy'/>", [], "", "busy"),
    "rejects": ("<Reject/><Say>Two</Say>", [], "", "no-answer"),
    "waits": ("<Pause length='1'/><Say>One</Say>", ["One"], "", "completed"),
    "does nothing": ("", [], "", "canceled"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_call_follows_its_twiml(carried, name):
    twiml, said, keys, status = PROGRAMS[name]

    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", f"<Response>{twiml}</Response>"))
        await line.ended()
        return line

    line = carried(scenario, speed=20)
    assert (line.said, line.keys, line.status, line.warnings) == (said, keys, status, [])


def test_what_is_not_known_is_skipped_with_the_warning_that_twilio_logs(carried):
    async def scenario(sim, app):
        twiml = "<Response><Gather input='speech'/><Say pace='fast'>One</Say><Play>https://x/y.mp3</Play></Response>"
        line = await sim.call(url=app.answer("/voice", twiml))
        await line.ended()
        return line

    line = carried(scenario, speed=20)
    assert [warning.code for warning in line.warnings] == [12200, 12200, 12200]
    assert "<Gather>" in line.warnings[0].text
    assert line.said == ["One"]


FAULTY_ANSWERS = {
    "an error": (500, "<Response/>", "text/xml", 11200),
    "a redirection": (302, "<Response/>", "text/xml", 11200),
    "JSON": (200, "{}", "application/json", 12300),
    "no XML": (200, "<Response>", "text/xml", 12100),
    "another root": (200, "<Answer/>", "text/xml", 12100),
    "an entity": (200, "<!DOCTYPE x [<!ENTITY a 'b'>]><Response>&a;</Response>", "text/xml", 12100),
}


@pytest.mark.parametrize("name", FAULTY_ANSWERS)
def test_an_answer_that_is_no_twiml_is_told_to_the_caller_as_an_application_error(carried, name):
    status, body, content_type, code = FAULTY_ANSWERS[name]

    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", body, status, content_type))
        await line.ended()
        return line

    line = carried(scenario, speed=50)
    assert [warning.code for warning in line.warnings] == [code]
    assert ["application error" in text for text in line.said] == [True]
    assert line.status == "completed"


def test_a_redirect_is_a_signed_request_for_more_twiml(carried):
    async def scenario(sim, app):
        app.answer("/more", "<Response><Say>There</Say></Response>")
        line = await sim.call(url=app.answer("/voice", "<Response><Redirect>/more?a=1</Redirect><Say>Here</Say></Response>"))
        await line.ended()
        return line, app

    line, app = carried(scenario, speed=20)
    assert line.said == ["There"]
    assert [webhook.path for webhook in app.webhooks] == ["/voice", "/more?a=1"]


def test_a_redirect_to_a_malformed_address_is_an_application_error(carried):
    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", "<Response><Redirect>https://[::/</Redirect></Response>"))
        await line.ended()
        return line

    line = carried(scenario, speed=50)
    assert [warning.code for warning in line.warnings] == [11100]
    assert "application error" in line.said[0]


def test_two_streams_of_one_call_go_on_with_the_callers_lines(carried):
    async def scenario(sim, app):
        async def once(stream):
            await stream.play(tone(0.2), mark="prompt")
            await stream.read_until("mark")
            while len(app.streams) == 1 and len(stream.of("media")) < 60:
                await stream.read()
            if len(app.streams) == 1:
                await stream.socket.close()
            await stream.drain()

        app.behave = once
        both = stream_twiml(after=stream_twiml("/again").removeprefix("<Response>").removesuffix("</Response>"))
        lines = [SpokenLine("one", tone(0.3), 8000), SpokenLine("two", tone(0.3), 8000)]
        line = await sim.call(lines, url=app.answer("/voice", both), **{**SOON, "no_reply_seconds": 5.0})
        await sim.until(lambda sim: len(line.reports) == 1 and line.far_end)
        await sim.until(lambda sim: line.is_over)
        return line, app

    line, app = carried(scenario)
    assert [stream.path for stream in app.streams] == ["/media", "/again"]
    assert [[exchange.text for exchange in report.exchanges] for report in line.reports] == [["one"], ["two"]]
    assert len(line.heard) == sum(len(report.heard) for report in line.reports)
    assert np.abs(line.heard).max() > 4000
