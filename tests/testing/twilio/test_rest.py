"""The simulator's REST API must satisfy Twilio's own client first."""

from __future__ import annotations

import asyncio
import base64
import io
import wave

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountInstance
from twilio.rest.api.v2010.account.call import CallInstance
from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance
from twilio.rest.api.v2010.account.outgoing_caller_id import OutgoingCallerIdInstance
from twilio.rest.api.v2010.account.recording import RecordingInstance

from patter_nb.testing import Callee
from patter_nb.testing.twilio import resources
from patter_nb.testing.twilio.recorder import CallRecording

from .conftest import OTHER, place, stream_twiml

OFFICIAL = "https://api.twilio.com"
NUMBER = "+15550001234"
HANGUP = "<Response><Hangup/></Response>"
QUICK = Callee(answers_after_seconds=0.1)


class Loopback(TwilioHttpClient):
    """Twilio's HTTP client, sent to the simulator instead."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def request(self, method, url, *arguments, **more):
        assert url.startswith(OFFICIAL)
        return super().request(method, self.url + url.removeprefix(OFFICIAL), *arguments, **more)


def client(sim, user="", password=""):
    return Client(user or sim.account_sid, password or sim.auth_token, sim.account_sid, http_client=Loopback(sim.url))


@pytest.fixture
def asked(carried):
    """Runs `ask(client)` of Twilio's client in a thread, and gives (simulator, what came of it)."""

    def run(ask, prepare=lambda sim: None, **settings):
        async def scenario(sim, app):
            prepare(sim)
            return sim, await asyncio.to_thread(ask, client(sim))

        return carried(scenario, callee=QUICK, **settings)

    return run


def refused(ask):
    """The refusal that Twilio's client raises."""
    with pytest.raises(TwilioRestException) as caught:
        ask()
    return caught.value


def test_the_official_client_places_a_call_and_reads_it(asked):
    def ask(twilio):
        made = twilio.calls.create(to=OTHER, from_=NUMBER, twiml=HANGUP, timeout=25)
        return made, twilio.calls(made.sid).fetch(), twilio.calls.list(limit=5)

    sim, (made, fetched, listed) = asked(ask)
    assert made.status == "queued"
    assert made.direction == "outbound-api"
    assert (fetched.to, fetched._from, fetched.price, fetched.price_unit) == (OTHER, NUMBER, None, "USD")
    assert [call.sid for call in listed] == [made.sid]
    assert [(request.method, request.status) for request in sim.requests] == [("POST", 201), ("GET", 200), ("GET", 200)]
    assert sim.requests[0].fields["Timeout"] == "25"


def test_an_api_key_opens_the_account_as_its_token_does(carried):
    async def scenario(sim, app):
        made = client(sim, sim.api_key, sim.api_secret)
        return await asyncio.to_thread(made.api.accounts(sim.account_sid).fetch)

    assert carried(scenario).status == "active"


def test_a_wrong_secret_is_refused_with_twilios_code(carried):
    async def scenario(sim, app):
        made = client(sim, password="wrong")
        return await asyncio.to_thread(refused, made.balance.fetch)

    error = carried(scenario)
    assert (error.status, error.code) == (401, 20003)
    assert error.msg.endswith("Authenticate")


# What is asked for with Twilio's own names, the settings of the account, the code of the refusal.
REFUSALS = {
    "a number that is none": ({"to": "12"}, {}, 21211),
    "a sender that is none": ({"from_": "Acme"}, {}, 21212),
    "a sender of somebody else": ({"from_": "+15559990000"}, {}, 21210),
    "an unverified number of a trial account": ({}, {"trial": True}, 21219),
    "no instructions": ({"twiml": None}, {}, 21205),
    "an address that is none": ({"twiml": None, "url": "voice"}, {}, 21205),
    "a callback that is none": ({"status_callback": "voice"}, {}, 21609),
    "a parameter that is not acted on": ({"record": True}, {}, 20001),
    "a time that is none": ({"timeout": 0}, {}, 20001),
    "a detection that is none": ({"machine_detection": "Detect"}, {}, 20001),
    "too much TwiML": ({"twiml": "<Response>" + " " * 4000 + "</Response>"}, {}, 20001),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_call_that_twilio_would_not_place_is_refused_with_its_code(asked, name):
    changes, settings, code = REFUSALS[name]
    wanted = {"to": OTHER, "from_": NUMBER, "twiml": HANGUP} | changes
    given = {key: value for key, value in wanted.items() if value is not None}
    sim, error = asked(lambda twilio: refused(lambda: twilio.calls.create(**given)), **settings)
    assert (error.status, error.code) == (400, code)
    assert sim.lines == {}
    assert sim.requests[0].code == code


def test_a_trial_account_calls_verified_numbers(asked):
    sim, made = asked(
        lambda twilio: twilio.calls.create(to=OTHER, from_=NUMBER, twiml=HANGUP), trial=True, verified=[OTHER]
    )
    assert made.sid in sim.lines


def test_a_country_without_permission_is_refused(asked):
    _, error = asked(
        lambda twilio: refused(lambda: twilio.calls.create(to="+441632960000", from_=NUMBER, twiml=HANGUP)),
        prepare=lambda sim: sim.blocked.append("+44"),
    )
    assert error.code == 21215


def test_events_in_one_value_are_logged_and_nothing_is_called_back(carried):
    async def scenario(sim, app):
        url = app.answer("/status", "", 204)
        made = client(sim)
        events = {"status_callback": url, "status_callback_event": ["initiated ringing"]}
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=HANGUP, **events)
        line = sim.lines[call.sid]
        await line.ended()
        return line, sim

    line, sim = carried(scenario, callee=QUICK)
    assert [warning.code for warning in line.warnings] == [21626]
    assert sim.webhooks == []


def test_a_call_that_is_over_or_not_there_cannot_be_changed(carried):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=HANGUP)
        await sim.lines[call.sid].ended()
        over = await asyncio.to_thread(refused, lambda: made.calls(call.sid).update(twiml=HANGUP))
        ended = await asyncio.to_thread(refused, lambda: made.calls(call.sid).update(status="completed"))
        nobody = await asyncio.to_thread(refused, lambda: made.calls("CA" + "0" * 32).fetch())
        return over, ended, nobody

    over, ended, nobody = carried(scenario, callee=QUICK)
    assert (over.code, ended.code, nobody.code, nobody.status) == (21220, 21220, 20404, 404)


def test_a_ringing_call_cannot_be_redirected_and_can_be_canceled(carried):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=HANGUP)
        await sim.until(lambda sim: sim.lines[call.sid].status == "ringing")
        error = await asyncio.to_thread(refused, lambda: made.calls(call.sid).update(twiml=HANGUP))
        updated = await asyncio.to_thread(lambda: made.calls(call.sid).update(status="canceled"))
        await sim.lines[call.sid].ended()
        return error, updated, await asyncio.to_thread(made.calls(call.sid).fetch)

    error, updated, call = carried(scenario, callee=Callee(answers_after_seconds=60))
    assert updated.status == "canceled"
    assert error.code == 21220
    assert (call.status, call.duration) == ("canceled", "0")


def test_a_call_in_progress_is_ended_by_its_status(carried):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=stream_twiml())
        line = sim.lines[call.sid]
        await sim.until(lambda sim: line.far_end)
        ignored = await asyncio.to_thread(lambda: made.calls(call.sid).update(status="canceled"))
        ended = await asyncio.to_thread(lambda: made.calls(call.sid).update(status="completed"))
        return line, await line.ended(), app.streams[0], ignored, ended

    line, report, stream, ignored, ended = carried(scenario, callee=QUICK)
    assert (ignored.status, ended.status) == ("in-progress", "completed")
    assert report.ended_by == "carrier"
    assert line.status == "completed"
    assert stream.messages[-1]["event"] == "stop"


def test_a_running_stream_is_left_for_new_twiml(carried):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=stream_twiml())
        line = sim.lines[call.sid]
        await sim.until(lambda sim: line.far_end)
        await asyncio.to_thread(lambda: made.calls(call.sid).update(twiml="<Response><Say>Goodbye</Say></Response>"))
        await line.ended()
        return line

    line = carried(scenario, callee=QUICK)
    assert line.said == ["Goodbye"]
    assert line.reports[0].ended_by == "carrier"


def test_a_running_call_is_sent_to_an_address(carried):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=stream_twiml())
        line = sim.lines[call.sid]
        await sim.until(lambda sim: line.far_end)
        url = app.answer("/next", "<Response><Say>Next</Say></Response>")
        await asyncio.to_thread(lambda: made.calls(call.sid).update(url=url))
        await line.ended()
        return line, sim

    line, sim = carried(scenario, callee=QUICK)
    assert line.said == ["Next"]
    assert sim.posted("redirect")[0].form["CallStatus"] == "in-progress"


def test_a_running_call_that_is_sent_to_an_address_without_twiml_ends_with_an_error(carried):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=stream_twiml())
        line = sim.lines[call.sid]
        await sim.until(lambda sim: line.far_end)
        url = app.answer("/next", "", 404)
        await asyncio.to_thread(lambda: made.calls(call.sid).update(url=url))
        await line.ended()
        return line

    line = carried(scenario, callee=QUICK, speed=20)
    assert [warning.code for warning in line.warnings] == [11200]
    assert line.reports[0].ended_by == "carrier"
    assert "application error" in line.said[0]


def test_a_number_is_found_configured_and_called_there(carried):
    async def scenario(sim, app):
        made = client(sim)
        (number,) = await asyncio.to_thread(lambda: made.incoming_phone_numbers.list(phone_number=NUMBER))
        before = number.voice_url
        urls = {"voice_url": app.answer("/voice", HANGUP), "status_callback": app.answer("/status", "", 204)}
        changed = await asyncio.to_thread(lambda: made.incoming_phone_numbers(number.sid).update(voice_method="GET", **urls))
        bad = await asyncio.to_thread(refused, lambda: made.incoming_phone_numbers(number.sid).update(voice_url="voice"))
        unknown = await asyncio.to_thread(refused, lambda: made.incoming_phone_numbers(number.sid).update(sms_method="GET"))
        line = await sim.call()
        await line.ended()
        return number, before, changed, bad, unknown, app

    number, before, changed, bad, unknown, app = carried(scenario)
    assert (before, number.capabilities["voice"]) == ("", True)
    assert changed.voice_url == "https://app.example.com/voice"
    assert (bad.code, unknown.code) == (21502, 20001)
    assert [len(app.at(path)) for path in ("/voice", "/status")] == [1, 1]


def test_the_account_tells_its_kind_its_balance_and_its_verified_numbers(asked):
    def ask(twilio):
        return twilio.api.account.fetch(), twilio.balance.fetch(), twilio.outgoing_caller_ids.list()

    _, (account, balance, verified) = asked(ask, trial=True, verified=[OTHER])
    assert (account.status, account.type) == ("active", "Trial")
    assert (balance.balance, balance.currency) == ("20.00", "USD")
    assert [number.phone_number for number in verified] == [OTHER]


@pytest.mark.parametrize(("channels", "count"), [("dual", 2), ("mono", 1)])
def test_a_recording_is_told_when_the_call_ends_and_its_sound_is_served(carried, channels, count):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=stream_twiml())
        line = sim.lines[call.sid]
        await sim.until(lambda sim: line.far_end)
        while line.position < 8000:
            await app.streams[0].more.wait()
            app.streams[0].more.clear()
        started = await asyncio.to_thread(
            lambda: made.calls(call.sid).recordings.create(
                recording_channels=channels, recording_status_callback=app.answer("/recording", "", 204)
            )
        )
        early = await asyncio.to_thread(made.http_client.request, "GET", f"{OFFICIAL}{started.uri[:-5]}.wav", auth=made.auth)
        line.hang_up()
        await line.ended()
        again = await asyncio.to_thread(refused, made.calls(call.sid).recordings.create)
        finished = await asyncio.to_thread(made.recordings(started.sid).fetch)
        secret = base64.b64encode(f"{sim.account_sid}:{sim.auth_token}".encode()).decode()
        import httpx

        async with httpx.AsyncClient(trust_env=False) as plain:
            audio = await plain.get(f"{sim.url}{started.uri[:-5]}.wav", headers={"Authorization": f"Basic {secret}"})
            stranger = await plain.get(f"{sim.url}{started.uri[:-5]}.wav")
        return started, early, again, finished, audio, stranger, app, line

    started, early, again, finished, audio, stranger, app, line = carried(scenario, callee=QUICK)
    assert (started.status, started.source, early.status_code) == ("in-progress", "StartCallRecordingAPI", 404)
    assert (finished.status, finished.channels, again.code, stranger.status_code) == ("completed", count, 21220, 401)
    (told,) = app.at("/recording")
    assert told.form["RecordingSid"] == started.sid
    assert (told.form["RecordingStatus"], told.form["RecordingChannels"]) == ("completed", str(count))
    with wave.open(io.BytesIO(audio.content)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, count, 2)
        assert 0 < sound.getnframes() <= len(line.heard) - 8000, "from where it was started"


def test_the_price_appears_some_time_after_the_end(carried):
    async def scenario(sim, app):
        made = client(sim)
        call = await asyncio.to_thread(made.calls.create, to=OTHER, from_=NUMBER, twiml=HANGUP)
        await sim.lines[call.sid].ended()
        at_first = await asyncio.to_thread(made.calls(call.sid).fetch)
        await sim.until(lambda sim: sim.lines[call.sid].price_usd)
        return at_first, await asyncio.to_thread(made.calls(call.sid).fetch)

    at_first, later = carried(scenario, callee=QUICK, price_after_seconds=5)
    assert (at_first.status, at_first.price, later.price) == ("completed", None, "-0.01400")


def test_a_refusal_can_be_ordered_for_the_next_requests(asked):
    _, (error, then) = asked(
        lambda twilio: (refused(twilio.balance.fetch), twilio.balance.fetch()),
        prepare=lambda sim: sim.refuse(20429, "Too many requests", status=429),
    )
    assert (error.status, error.code, then.currency) == (429, 20429, "USD")


class Watched(dict):
    """A resource that keeps which of its fields were read."""

    def __init__(self, resource):
        super().__init__(resource)
        self.read = set()

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)


async def place_and_record(sim, app):
    line = await place(sim, app, twiml=stream_twiml())
    await sim.until(lambda sim: line.far_end)
    made = CallRecording(line.sid, 0, 1, "")
    line.hang_up()
    await line.ended()
    return sim, line, made


def test_every_field_that_twilios_client_reads_is_there(carried):
    sim, line, made = carried(place_and_record, callee=QUICK)
    account = sim.account_sid
    shown = [
        (CallInstance, resources.call(line, account)),
        (RecordingInstance, resources.recording(made, line, account)),
        (IncomingPhoneNumberInstance, resources.number(sim.numbers[sim.number], account, sim.since)),
        (OutgoingCallerIdInstance, resources.verified_number(OTHER, "PN1", account, sim.since)),
        (AccountInstance, resources.account(account, trial=False, since=sim.since)),
    ]
    for kind, resource in shown:
        watched = Watched(resource)
        more = {} if kind is AccountInstance else {"account_sid": account}
        kind(None, watched, **more)
        assert watched.read - set(resource) == set(), kind
