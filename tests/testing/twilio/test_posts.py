from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator

from patter_nb.testing import Callee, TwilioSimulator

from .conftest import HTTP, MEDIA, place, stream_twiml


def test_twilios_own_validator_accepts_every_request_and_media_socket(carried):
    async def scenario(sim, app):
        app.answer("/more", stream_twiml())
        line = await sim.call(url=app.answer("/voice", "<Response><Redirect method='GET'>/more?a=b%20c</Redirect></Response>"))
        await sim.until(lambda sim: line.far_end)
        line.hang_up()
        await line.ended()
        await (await place(sim, app)).ended()
        return sim, app

    sim, app = carried(scenario, callee=Callee(answers_after_seconds=0.1))
    validator = RequestValidator(sim.auth_token)
    assert len(app.webhooks) == 6
    for webhook in app.webhooks:
        form = {} if "?" in webhook.path else webhook.form
        assert validator.validate(webhook.url, form, webhook.headers["x-twilio-signature"]), webhook.path
        assert not validator.validate(webhook.url, form | {"Digits": "1"}, webhook.headers["x-twilio-signature"])
        assert webhook.headers["host"] == HTTP
        assert webhook.headers["user-agent"].startswith("TwilioProxy")
    (stream,) = app.streams
    assert stream.headers["Host"] == MEDIA
    assert stream.headers["User-Agent"].startswith("Twilio")
    assert validator.validate(f"wss://{MEDIA}{stream.path}", {}, stream.headers["X-Twilio-Signature"])


def test_fields_that_are_empty_are_sent_and_signed(carried):
    async def scenario(sim, app):
        await (await sim.call(url=app.answer("/voice", "<Response/>"))).ended()
        return app.webhooks[0]

    webhook = carried(scenario)
    assert webhook.form["FromCity"] == ""
    named = {"CallSid", "AccountSid", "From", "To", "Caller", "Called", "CallStatus", "Direction", "ApiVersion"}
    assert named <= set(webhook.form)


def test_a_name_without_a_route_and_a_port_where_nobody_listens_reach_nothing(carried):
    async def scenario(sim, app):
        sim.route("closed.example.com", 9)
        lines = [await sim.call(url=f"https://{host}/voice") for host in ("nowhere.example.com", "closed.example.com")]
        for line in lines:
            await line.ended()
        return sim, lines

    sim, lines = carried(scenario, speed=50)
    assert [[warning.code for warning in line.warnings] for line in lines] == [[11200], [11200]]
    assert [posted.status for posted in sim.webhooks] == [None, None]
    assert "nothing on this machine answers for 'nowhere.example.com'" in " ".join(posted.error for posted in sim.webhooks)


def test_the_tunnel_reaches_its_port_while_it_is_open(carried):
    async def scenario(sim, app):
        told = []
        async with sim.tunnel.open(app.http_port, told.append) as tunnel:
            inside = await sim.call(url=f"https://{tunnel.host}/voice")
            await inside.ended()
        outside = await sim.call(url=f"https://{tunnel.host}/voice")
        await outside.ended()
        return sim, told

    sim, told = carried(scenario, speed=50, hostname="mine.example.com")
    assert [posted.status for posted in sim.webhooks] == [204, None]
    assert "mine.example.com" in told[0]


@pytest.mark.parametrize("name", ["__repr__", "__str__"])
def test_nothing_secret_is_shown(name):
    sim = TwilioSimulator(auth_token="s3cret")
    assert "s3cret" not in getattr(sim, name)()
