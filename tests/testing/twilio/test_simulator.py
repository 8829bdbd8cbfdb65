from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from patter_nb.carriers.simulated import SpokenLine
from patter_nb.errors import ConfigError
from patter_nb.testing import Callee, TwilioSimulator

from .conftest import HTTP, MEDIA, place, stream_twiml, tone

SPOKEN = SpokenLine("hello", tone(0.1), 8000)


def test_its_carrier_has_its_credentials_and_its_address(carried):
    async def scenario(sim, app):
        return sim, sim.carrier

    sim, carrier = carried(scenario)
    assert carrier.kind == "twilio"
    assert (carrier.account_sid, carrier.auth_token, carrier.base_url) == (sim.account_sid, sim.auth_token, sim.url)


def test_a_number_that_is_not_configured_or_not_there_cannot_be_called(carried):
    async def scenario(sim, app):
        with pytest.raises(ConfigError, match="nothing is configured to answer"):
            await sim.call()
        with pytest.raises(ConfigError, match="has no number"):
            await sim.call(to_number="+15550000000")

    carried(scenario)


def test_a_number_may_be_configured_by_hand(carried):
    async def scenario(sim, app):
        sim.dial_in(app.answer("/voice", "<Response><Say>Hello</Say></Response>"), method="GET")
        line = await sim.call()
        await line.ended()
        return line

    assert carried(scenario).said == ["Hello"]


def test_starting_it_leaves_the_thread_without_a_loop():
    sim = TwilioSimulator()

    def start():
        sim.start()
        with pytest.raises(RuntimeError, match="no current event loop"):
            asyncio.get_event_loop()
        sim.close()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(30)
    assert sim.url


def test_an_account_has_at_least_one_number():
    with pytest.raises(ConfigError, match="numbers of the simulator is empty"):
        TwilioSimulator([])


def test_what_does_not_run_says_how_to_run_it():
    async def main():
        with pytest.raises(RuntimeError, match="does not run"):
            await TwilioSimulator().call(url="https://x.example.com/")

    asyncio.run(main())


def test_waiting_for_what_does_not_happen_has_an_end(carried):
    async def scenario(sim, app):
        with pytest.raises(TimeoutError):
            await sim.until(lambda sim: sim.lines, seconds=0.05)

    carried(scenario)


def test_closing_it_ends_the_calls_that_are_up_and_takes_its_thread_along(app):
    async def main():
        async with app.listening():
            async with TwilioSimulator(speed=10) as sim:
                sim.route(HTTP, app.http_port)
                sim.route(MEDIA, app.media_port)
                line = await sim.call(url=app.answer("/voice", stream_twiml()))
                await sim.until(lambda sim: line.far_end)
            sim.close()
            line.hang_up()
            return line

    line = asyncio.run(main())
    assert line.status == "completed"
    assert not [thread for thread in threading.enumerate() if thread.name == "simulated carrier"]


def test_a_port_that_is_taken_is_an_error_and_leaves_no_thread():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        sim = TwilioSimulator()
        with pytest.raises(OSError, match="is taken"):
            sim.start(port=taken.getsockname()[1])
        sim.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "simulated carrier"]


def test_calls_of_two_simulators_do_not_meet(app):
    async def main():
        async with app.listening(), TwilioSimulator(speed=20) as one, TwilioSimulator(speed=20, hostname="b.example.com") as two:
            for sim in (one, two):
                sim.route(HTTP, app.http_port)
            url = app.answer("/voice", "<Response><Say>x</Say></Response>")
            for line in [await one.call(url=url), await two.call(url=url)]:
                await line.ended()
            return one, two

    one, two = asyncio.run(main())
    assert (len(one.lines), len(two.lines)) == (1, 1)
    assert one.account_sid != two.account_sid


async def reply(stream):
    await stream.play(tone(0.1), mark="reply")
    await stream.drain()


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
def test_two_hundred_calls_in_a_row_leave_nothing_open(carried):
    async def scenario(sim, app):
        app.behave = reply
        url = app.answer("/voice", stream_twiml())
        counts = []
        for number in range(200):
            if number % 2:
                line = await place(sim, app, twiml=stream_twiml())
                await sim.until(lambda sim, line=line: line.far_end)
                line.hang_up()
            else:
                line = await sim.call([SPOKEN], url=url, hang_up_seconds=0.1, no_reply_seconds=0.2)
            await line.ended()
            assert line.status == "completed"
            counts.append((open_files(), threading.active_count(), len(asyncio.all_tasks())))
        return counts

    counts = carried(scenario, speed=50, callee=Callee(answers_after_seconds=0.1))
    assert max(files for files, *_ in counts[-20:]) <= max(files for files, *_ in counts[5:25]) + 5
    assert counts[-1][1:] <= (counts[5][1] + 2, counts[5][2] + 2)


@pytest.mark.slow
def test_twenty_calls_at_once_in_real_time_are_all_heard_without_a_gap(carried):
    async def scenario(sim, app):
        async def talk(stream):
            await stream.play(tone(2.0), mark="talk")
            await stream.drain()

        app.behave = talk
        url = app.answer("/voice", stream_twiml())
        lines = [await sim.call([SPOKEN], url=url, hang_up_seconds=0.2, no_reply_seconds=0.3) for _ in range(20)]
        return [await line.ended() for line in lines]

    reports = carried(scenario, speed=1)
    assert [report.greeting.underrun_ms for report in reports] == [0.0] * 20
    assert max(report.late_seconds for report in reports) < 0.2
