"""The simulator as a process, which is started once: most of what it costs is the start."""

from __future__ import annotations

import asyncio

import pytest

from patter_nb.errors import CarrierError
from patter_nb.testing.twilio.process import TwilioProcess

from .conftest import HTTP, MEDIA, stream_twiml, tone

SOON = {"hang_up_seconds": 0.2, "no_reply_seconds": 1}

pytestmark = pytest.mark.slow


async def reply(stream):
    await stream.play(tone(0.4), mark="greeting")
    await stream.read_until("mark")
    await stream.play(tone(0.5))
    await asyncio.sleep(1.0)  # what a stall of the agent's side sounds like
    await stream.play(tone(0.5), mark="end")
    await stream.drain()


def test_a_process_calls_in_and_reports_the_gaps_that_it_heard(app):
    async def main():
        app.behave = reply
        url = app.answer("/voice", stream_twiml())
        async with asyncio.timeout(60), app.listening(), TwilioProcess("--synthetic", "--number", "+15550009999") as carrier:
            carrier.order("route", host=HTTP, port=app.http_port)
            carrier.order("route", host=MEDIA, port=app.media_port)
            sid = await carrier.call([{"tone_seconds": 0.1, "wait_seconds": 2.5}], url=url, **SOON)
            ended = await carrier.fact("ended", call_sid=sid)
            price = await carrier.fact("price", call_sid=sid)
            carrier.order("shout")
            error = await carrier.fact("error")
            return carrier.ready, ended, price, error, carrier

    ready, ended, price, error, carrier = asyncio.run(main())
    assert ready["numbers"] == ["+15550009999"]
    assert ready["url"].startswith("http://127.0.0.1:")
    (stream,) = ended["streams"]
    (longest,) = [length for _, length in stream["silences_ms"] if length > 300]
    assert 400 <= longest <= 800, "a second less what was already queued"
    assert max(length for _, length in stream["dry_ms"]) == pytest.approx(longest, abs=25), "nothing was queued"
    assert [fact["status"] for fact in carrier.facts if fact["is"] == "status"] == ["ringing", "in-progress", "completed"]
    assert price["usd"] == 0.014
    assert "do is 'shout'" in error["text"]


def test_a_process_that_has_ended_is_told_to_whoever_waits(app):
    async def main():
        async with TwilioProcess("--speed", "10") as carrier:
            carrier.order("stop")
            with pytest.raises(CarrierError, match="the simulated carrier ended"):
                await carrier.fact("ended")
        with pytest.raises(CarrierError, match="takes no order 'stop'"):
            carrier.order("stop")

    asyncio.run(main())
