"""Whether a phone can be called: two promises that are new with each start."""

from __future__ import annotations

import asyncio
import gc

import pytest

from patter_nb.errors import ConfigError, PatterError
from patter_nb.telephony.readiness import Readiness

HOST, NEXT = "bench.example.com", "next.example.com"


async def outcome(promise):
    """What it gives or raises, within a turn of the loop; "waits" when it does neither."""
    try:
        return await asyncio.wait_for(asyncio.shield(promise), 0)
    except TimeoutError:
        return "waits"
    except PatterError as error:
        return str(error)


async def both(readiness):
    return await outcome(readiness.tunnel), await outcome(readiness.ready)


BEGIN, OPEN, DONE = ("begin",), ("opened", HOST), ("done", HOST)
FAIL, STOP = ("failed", "No tunnel."), ("stopped",)

STORIES = {
    "nothing happened yet": ([], ("waits", "waits")),
    "it starts": ([BEGIN], ("waits", "waits")),
    "the name is known": ([BEGIN, OPEN], (HOST, "waits")),
    "calls can come": ([BEGIN, OPEN, DONE], (HOST, HOST)),
    "it said so twice": ([BEGIN, OPEN, OPEN, DONE, DONE], (HOST, HOST)),
    "no tunnel opens": ([BEGIN, FAIL], ("No tunnel.", "No tunnel.")),
    "the number cannot be pointed here": ([BEGIN, OPEN, FAIL], ("No tunnel.", "No tunnel.")),
    "it is lost later": ([BEGIN, OPEN, DONE, FAIL], ("No tunnel.", "No tunnel.")),
    "it starts again after a failure": ([BEGIN, FAIL, BEGIN], ("waits", "waits")),
    "it starts again under another name": ([BEGIN, OPEN, DONE, BEGIN, ("opened", NEXT)], (NEXT, "waits")),
    "it is stopped": ([BEGIN, OPEN, DONE, STOP], ("waits", "waits")),
    "it is stopped before anybody could call": ([BEGIN, STOP], ("waits", "waits")),
    "it is stopped and starts again": ([BEGIN, OPEN, DONE, STOP, BEGIN, ("opened", NEXT), ("done", NEXT)], (NEXT, NEXT)),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_whoever_asks_now_is_told(name, run):
    story, expected = STORIES[name]

    async def main():
        readiness = Readiness()
        for step, *given in story:
            getattr(readiness, step)(*given)
        return await both(readiness)

    assert run(main()) == expected


WAITED = {
    "comes": ([BEGIN, OPEN, DONE], HOST),
    "fails": ([BEGIN, FAIL], "No tunnel."),
    "is stopped": ([BEGIN, STOP], "The server was stopped."),
    "comes at the second start": ([BEGIN, BEGIN, OPEN, DONE], HOST),
}


@pytest.mark.parametrize("name", WAITED)
def test_who_waited_before_the_start_is_told_what_comes_of_it(name, run):
    story, expected = WAITED[name]

    async def main():
        readiness = Readiness()
        waits = readiness.ready
        for step, *given in story:
            getattr(readiness, step)(*given)
        return await outcome(waits)

    assert run(main()) == expected


HANDED = {
    "who waited for the start that failed waits for the next": ([BEGIN, "ask", FAIL], "waits"),
    "who had not asked is told once": ([BEGIN, FAIL], "No tunnel."),
    "and then waits for the next": ([BEGIN, FAIL, "ask"], "waits"),
    "which comes": ([BEGIN, FAIL, "ask", "ask", BEGIN, DONE], HOST),
    "that it was lost later is told": ([BEGIN, "ask", DONE, "ask", FAIL], "No tunnel."),
}


@pytest.mark.parametrize("name", HANDED)
def test_a_user_is_told_each_failure_once(name, run):
    story, expected = HANDED[name]

    async def main():
        readiness = Readiness()
        for step in story:
            if step == "ask":
                readiness.hand_out("ready")
            else:
                getattr(readiness, step[0])(*step[1:])
        return await outcome(readiness.hand_out("ready"))

    assert run(main()) == expected


def test_a_user_who_gives_up_waiting_stops_nothing(run):
    async def main():
        readiness = Readiness()
        readiness.begin()
        readiness.hand_out("ready").cancel()
        readiness.done(HOST)
        return await outcome(readiness.hand_out("ready"))

    assert run(main()) == HOST


def test_asking_outside_a_loop_says_how_to_ask():
    with pytest.raises(ConfigError, match="ready needs a running event loop"):
        _ = Readiness().ready


def test_a_promise_of_a_loop_that_is_closed_is_made_anew():
    readiness = Readiness()

    async def ask():
        return readiness.ready

    left = asyncio.run(ask())

    async def main():
        readiness.begin()
        assert readiness.ready is not left
        readiness.done(HOST)
        return await outcome(readiness.ready)

    assert asyncio.run(main()) == HOST


def test_a_failure_that_nobody_waits_for_is_no_noise(caplog):
    async def main():
        readiness = Readiness()
        readiness.begin()
        readiness.failed("No tunnel.")

    asyncio.run(main())
    gc.collect()
    assert caplog.records == []
