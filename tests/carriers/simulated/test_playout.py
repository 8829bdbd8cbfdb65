"""Marks, clear and underruns: by position in the pure playout, and in whole calls."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patter_nb.audio import g711
from patter_nb.carriers.base import SendAudio, SendClear, SendMark
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import SimulatedCaller, SpokenLine
from patter_nb.carriers.simulated.playout import MAX_QUEUED_SECONDS, Dry, Playout
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.clock import CallClock, run_virtual
from patter_nb.errors import CarrierError

SAMPLE = 1 / 8000


def _ones(size: int) -> np.ndarray:
    return np.full(size, 1000, np.int16)


def test_audio_plays_from_its_arrival_or_after_what_is_queued():
    playout = Playout()
    playout.play(_ones(100), now=50)
    playout.play(_ones(100) * 2, now=60)
    heard = playout.heard(300)
    assert heard.tolist() == [0] * 50 + [1000] * 100 + [2000] * 100 + [0] * 50


def test_a_mark_falls_due_where_the_audio_before_it_ends():
    playout = Playout()
    playout.mark("nothing queued", now=10)
    playout.play(_ones(100), now=50)
    playout.mark("end", now=51)
    playout.play(_ones(100), now=52)
    playout.mark("end of both", now=53)
    assert list(playout.marks) == [(10, "nothing queued"), (150, "end"), (250, "end of both")]


def test_a_clear_drops_what_has_not_played_and_gives_all_marks_back():
    playout = Playout()
    playout.play(_ones(100), now=0)
    playout.mark("a", now=0)
    playout.play(_ones(100), now=0)
    playout.mark("b", now=0)
    assert playout.clear(now=120) == ["a", "b"]
    assert not playout.marks
    assert np.flatnonzero(playout.heard(400)).tolist() == list(range(120))
    playout.play(_ones(10), now=130)
    playout.mark("c", now=130)
    assert list(playout.marks) == [(140, "c")]
    assert playout.dry == []
    assert np.flatnonzero(playout.heard(400)).tolist() == [*range(120), *range(130, 140)]


def test_running_dry_is_kept_with_whether_a_mark_stood_there():
    playout = Playout()
    playout.play(_ones(100), now=1000)
    playout.play(_ones(100), now=1200)
    playout.mark("end", now=1200)
    playout.play(_ones(100), now=1400)
    playout.play(_ones(100), now=9000)
    assert playout.dry == [Dry(1100, 1200, False), Dry(1300, 1400, True), Dry(1500, 9000, False)]
    assert [dry.is_underrun for dry in playout.dry] == [True, True, True]
    playout.mark("end", now=9000)
    playout.play(_ones(100), now=9100 + 3200)
    assert playout.dry[-1] == Dry(9100, 12300, True)
    assert not playout.dry[-1].is_underrun


def test_more_audio_ahead_than_a_call_lasts_is_refused():
    playout = Playout()
    playout.play(_ones(int(MAX_QUEUED_SECONDS * 8000)), now=7)
    with pytest.raises(CarrierError, match="more than 600 s of audio ahead"):
        playout.play(_ones(1), now=7)


def _caller(line) -> SimulatedCaller:
    """Says nothing before second 30: the agent has the line for itself."""
    return SimulatedCaller([line(0.1, wait_seconds=30.0)], expects_greeting=False, max_seconds=12.0)


def test_marks_come_back_at_the_sample_at_which_their_audio_ends(hold, line, tone):
    async def behave(agent):
        await agent.at(1.0)
        for number, seconds in enumerate((0.2, 0.0333, 0.5)):
            await agent.say(tone(seconds))
            await agent.mark(f"m{number}")
        await agent.at(1.1111)
        await agent.mark("late, same place")

    report, agent = hold(_caller(line), behave)
    ends = [1.2, 1.2 + 266 / 8000, 1.7 + 266 / 8000, 1.7 + 266 / 8000]
    assert [name for _, name in agent.marks()] == ["m0", "m1", "m2", "late, same place"]
    assert [at for at, _ in agent.marks()] == pytest.approx(ends, abs=SAMPLE)
    assert [echo.at for echo in report.marks] == pytest.approx(ends, abs=SAMPLE)
    assert not any(echo.cleared for echo in report.marks)


def test_a_mark_with_nothing_queued_comes_back_at_once(hold, line, tone):
    async def behave(agent):
        await agent.at(1.2345)
        await agent.mark("first")
        await agent.say(tone(0.1))
        await agent.at(3.0)
        await agent.mark("second")

    _, agent = hold(_caller(line), behave)
    assert agent.marks() == [(pytest.approx(1.2345, abs=SAMPLE), "first"), (pytest.approx(3.0, abs=SAMPLE), "second")]


def test_after_a_clear_all_marks_come_back_at_once_and_nothing_more_is_heard(hold, line, tone):
    async def behave(agent):
        await agent.at(1.0)
        for number in range(10):
            await agent.say(tone(0.2))
            await agent.mark(f"m{number}")
        await agent.at(1.5555)
        await agent.clear()

    report, agent = hold(_caller(line), behave)
    assert [name for _, name in agent.marks()] == [f"m{number}" for number in range(10)]
    assert [at for at, _ in agent.marks()] == pytest.approx([1.2, 1.4] + [1.5555] * 8, abs=SAMPLE)
    assert [echo.cleared for echo in report.marks] == [False] * 2 + [True] * 8
    assert report.clears == (pytest.approx(1.5555, abs=SAMPLE),)
    loud = np.flatnonzero(report.heard)
    assert (loud[0], loud[-1]) == (8000, pytest.approx(1.5555 * 8000, abs=8))


def test_a_mark_after_a_clear_does_not_wait_for_what_was_dropped(hold, line, tone):
    async def behave(agent):
        await agent.at(1.0)
        await agent.say(tone(8.0))
        await agent.mark("dropped")
        await agent.at(2.0)
        await agent.clear()
        await agent.say(tone(0.05))
        await agent.mark("new")

    _, agent = hold(_caller(line), behave)
    assert agent.marks() == [(pytest.approx(2.0, abs=SAMPLE), "dropped"), (pytest.approx(2.05, abs=2 * SAMPLE), "new")]


def test_a_clear_with_nothing_queued_is_harmless(hold, line, tone):
    async def behave(agent):
        await agent.at(0.5)
        await agent.clear()
        await agent.say(tone(0.5))
        await agent.mark("m")
        await agent.at(2.0)
        await agent.clear()

    report, agent = hold(_caller(line), behave)
    assert agent.marks() == [(pytest.approx(1.0, abs=SAMPLE), "m")]
    assert np.count_nonzero(report.heard) > 3900


ORDERS = st.lists(
    st.tuples(
        st.integers(0, 4000),  # eighths of a millisecond since the order before
        st.sampled_from(["say", "say", "say", "mark", "mark", "clear"]),
        st.integers(1, 6000),  # samples to say
    ),
    max_size=25,
)


def _expected(orders: list[tuple[int, str, int]], size: int) -> tuple[list[bool], list[tuple[int, int]]]:
    """Sample by sample: where sound is heard, and (mark's number, sample) as the marks come back."""
    queue: list[int | None] = []  # a number is a mark, None a sample to play
    heard, marks, arrivals, at = [], [], {}, 8000
    for number, (later, kind, length) in enumerate(orders):
        at += later
        arrivals.setdefault(at, []).append((number, kind, length))
    for sample in range(size):
        for number, kind, length in arrivals.get(sample, []):
            if kind == "clear":
                marks += [(mark, sample) for mark in queue if mark is not None]
                queue.clear()
            else:
                queue += [None] * length if kind == "say" else [number]
        while queue and queue[0] is not None:
            marks.append((queue.pop(0), sample))
        heard.append(bool(queue))
        if queue:
            queue.pop(0)
    return heard, marks


@settings(max_examples=25, deadline=None)
@given(orders=ORDERS)
def test_whatever_the_agent_orders_sound_and_marks_come_as_counted_sample_by_sample(orders):
    _against_the_count(orders)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(orders=ORDERS)
def test_whatever_the_agent_orders_sound_and_marks_come_as_counted_sample_by_sample_at_length(orders):
    _against_the_count(orders)


def _against_the_count(orders):
    async def main():
        near, far = connection_pair()
        clock, codec = CallClock(), TwilioMediaCodec()
        caller = SimulatedCaller([SpokenLine("x", _ones(800), 8000, wait_seconds=60.0)], expects_greeting=False, max_seconds=6.0)
        call = asyncio.create_task(caller.run(far, clock))
        await near.receive()
        codec.decode(await near.receive())
        at = 8000
        for number, (later, kind, length) in enumerate(orders):
            at += later
            await clock.sleep_until(at / 8000)
            order = {"say": SendAudio(g711.encode(_ones(length))), "mark": SendMark(str(number)), "clear": SendClear()}[kind]
            for text in codec.encode(order):
                await near.send(text)
        return await call

    report = run_virtual(main())
    size = len(report.heard)
    heard, marks = _expected(orders, size)
    assert np.flatnonzero(report.heard).tolist() == np.flatnonzero(heard).tolist()
    assert [(int(echo.name), round(echo.at * 8000)) for echo in report.marks] == [mark for mark in marks if mark[1] < size]


def test_silence_because_nothing_was_queued_is_an_underrun_of_that_reply(hold, line, tone):
    async def behave(agent):
        await agent.at(1.0)
        await agent.say(tone(0.5))
        await agent.mark("segment")
        await agent.at(1.56)  # 60 ms too late for the next piece of the reply
        await agent.say(tone(0.5))
        await agent.mark("reply")
        await agent.at(4.0)  # another thing to say, not a hole
        await agent.say(tone(0.5))

    report, _ = hold(SimulatedCaller([line(1.0, wait_seconds=5.0)], expects_greeting=True, no_reply_seconds=1.0), behave)
    assert report.greeting.underrun_ms == pytest.approx(60.0, abs=0.3)
    assert (report.greeting.start_at, report.greeting.end_at) == (pytest.approx(1.0, abs=0.001), pytest.approx(4.5, abs=0.001))
