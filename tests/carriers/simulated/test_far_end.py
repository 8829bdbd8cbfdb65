"""The far end's clock: frames by count, in virtual time, in real time and when the clock is late."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from base64 import b64decode

import numpy as np
import pytest

from patter_nb.audio import g711
from patter_nb.carriers.base import AudioReceived, MarkPlayed, SendAudio, SendMark, StreamStarted, StreamStopped
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import SimulatedCaller
from patter_nb.carriers.simulated.far_end import FarEnd
from patter_nb.carriers.simulated.hearing import Ear
from patter_nb.carriers.simulated.script import Script
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.clock import CallClock, run_virtual


def test_a_frame_is_sent_when_its_20_ms_are_over(hold, line):
    _, agent = hold(SimulatedCaller([line()], expects_greeting=False, no_reply_seconds=1.0))
    instants = [at for at, _ in agent.of("media")]
    assert instants == pytest.approx([0.02 * (number + 1) for number in range(len(instants))], abs=1e-6)


def test_the_caller_is_heard_as_it_was_recorded(hold, line, tone):
    report, agent = hold(SimulatedCaller([line(0.7, wait_seconds=0.333)], expects_greeting=False, no_reply_seconds=1.0))
    sent = g711.decode(b"".join(b64decode(message["media"]["payload"]) for _, message in agent.of("media")))
    assert np.array_equal(sent, report.spoken)
    assert report.exchanges[0].started_at == 0.333
    spoken = np.flatnonzero(np.abs(report.spoken.astype(int)) > 500)
    assert (spoken[0], spoken[-1]) == (pytest.approx(0.333 * 8000, abs=12), pytest.approx(1.033 * 8000, abs=12))


def test_the_record_is_stereo_with_the_caller_left_and_both_in_place(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(1.0))

    report, _ = hold(SimulatedCaller([line()], expects_greeting=False), behave)
    assert report.stereo.dtype == np.int16
    assert report.stereo.shape == (report.frames_sent * 160, 2)
    caller, agent_side = (np.flatnonzero(np.abs(report.stereo[:, side].astype(int)) > 500) / 8000 for side in (0, 1))
    assert (caller[0], caller[-1]) == pytest.approx((0.4, 1.4), abs=0.002)
    assert (agent_side[0], agent_side[-1]) == pytest.approx((2.0, 3.0), abs=0.002)


class StallingClock:
    """A clock in whose loop something else ran: two of its waits return late, by 0.513 and 2 s."""

    def __init__(self) -> None:
        self._clock = CallClock()
        self._stalls = [(1.0, 0.513), (4.0, 2.0)]

    def now(self) -> float:
        return self._clock.now()

    async def sleep_until(self, at: float) -> None:
        if self._stalls and at >= self._stalls[0][0]:
            at += self._stalls.pop(0)[1]
        await self._clock.sleep_until(at)


def test_after_a_stall_all_frames_that_are_due_follow_and_none_is_left_out(hold, line):
    caller = SimulatedCaller([line(6.0)], expects_greeting=False, no_reply_seconds=2.0)
    smooth, _ = hold(caller)
    late, agent = hold(caller, clock=StallingClock)
    assert late.frames_sent == smooth.frames_sent
    assert np.array_equal(late.spoken, smooth.spoken)
    assert [message["media"]["timestamp"] for _, message in agent.of("media")] == [str(20 * n) for n in range(late.frames_sent)]
    assert (smooth.late_seconds, late.late_seconds) == (pytest.approx(0.0, abs=1e-6), pytest.approx(2.0, abs=0.02))
    assert late.exchanges[0].onset_at == smooth.exchanges[0].onset_at


async def _codec_agent(connection, replies: int) -> list:
    """An agent on our own codec: a greeting, then a reply of 2 s to each utterance, 0.3 s after its end."""
    codec, events = TwilioMediaCodec(), []
    reply = g711.encode((8000 * np.cos(np.arange(16_000) / 3)).astype(np.int16))
    quiet, spoke = 0, False

    async def say(name: str) -> None:
        for message in (SendAudio(reply), SendMark(name)):
            for text in codec.encode(message):
                await connection.send(text)

    while (text := await connection.receive()) is not None:
        for event in codec.decode(text):
            if isinstance(event, StreamStarted):
                await say("greeting")
            if isinstance(event, AudioReceived):
                loud = np.abs(g711.decode(event.audio).astype(int)).max() > 500
                quiet, spoke = (0, True) if loud else (quiet + 1, spoke)
                if spoke and quiet == 15 and replies:
                    spoke, replies = False, replies - 1
                    await say(f"reply {replies}")
            else:
                events.append(event)
    return events


def test_a_dialogue_of_a_minute_through_our_codec_takes_less_than_it_lasts(line):
    caller = SimulatedCaller([line(1.5) for _ in range(14)], expects_greeting=True)

    async def main():
        near, far = connection_pair()
        agent = asyncio.create_task(_codec_agent(near, replies=14))
        return await caller.run(far, CallClock()), await agent

    began = time.perf_counter()
    report, events = run_virtual(main())
    took = time.perf_counter() - began
    assert report.duration_seconds > 60
    assert took < report.duration_seconds / 10
    assert [exchange.gap_seconds for exchange in report.exchanges] == pytest.approx([0.3] * 14, abs=0.003)
    names = [event.name for event in events if isinstance(event, MarkPlayed)]
    assert names == ["greeting", *(f"reply {13 - number}" for number in range(14))]
    assert isinstance(events[0], StreamStarted)
    assert events[-1] == StreamStopped()


def test_two_calls_of_one_caller_at_once_do_not_touch_each_other(line):
    caller = SimulatedCaller([line(), line()], expects_greeting=True)

    async def main():
        calls = []
        for replies in (2, 1):
            near, far = connection_pair()
            calls += [_codec_agent(near, replies), caller.run(far, CallClock())]
        return await asyncio.gather(*calls)

    _, both, _, one = run_virtual(main())
    assert [exchange.reply is not None for exchange in both.exchanges] == [True, True]
    assert [exchange.reply is not None for exchange in one.exchanges] == [True, False]


@pytest.mark.slow
def test_in_its_own_thread_it_keeps_real_time_by_sample_count(line):
    """The agent answers from this thread's loop; the far end's frames follow the monotonic clock without drift."""
    caller = SimulatedCaller([line(0.3, wait_seconds=0.1)], expects_greeting=True, no_reply_seconds=1.0, hang_up_seconds=0.1)

    async def main():
        near, far = connection_pair()
        began = time.monotonic()
        future = caller.run_in_thread(far)
        events = await _codec_agent(near, replies=0)
        return await asyncio.wrap_future(future), events, time.monotonic() - began

    report, events, took = asyncio.run(main())
    assert events[-1] == StreamStopped()
    assert report.frames_sent == int((report.duration_seconds + 1e-6) / 0.02) or report.late_seconds > 0.02
    assert report.frames_sent * 0.02 <= report.duration_seconds + 1e-6 <= took + 1e-6
    assert report.duration_seconds - report.frames_sent * 0.02 <= report.late_seconds + 0.02
    assert time.monotonic() - 600 < report.zero_loop_seconds < time.monotonic()
    assert report.greeting.end_at - report.greeting.start_at == pytest.approx(2.0, abs=0.01)


def test_cancelling_the_threads_future_ends_the_call(line):
    caller = SimulatedCaller([line()], expects_greeting=True)

    async def main():
        near, far = connection_pair()
        future = caller.run_in_thread(far)
        await near.receive()
        future.cancel()
        while await near.receive() is not None:
            pass
        return future.cancelled()

    assert asyncio.run(asyncio.wait_for(main(), 60))


def test_hanging_up_ends_the_thread(line):
    caller = SimulatedCaller([line()], expects_greeting=True)

    async def main():
        near, far = connection_pair()
        future = caller.run_in_thread(far)
        await near.receive()
        await near.close()
        return await asyncio.wrap_future(future)

    report = asyncio.run(asyncio.wait_for(main(), 60))
    assert report.ended_by == "agent"
    for thread in threading.enumerate():
        if thread.name == "far-end":
            thread.join(60)
            assert not thread.is_alive()


async def _far_end(act):
    """Holds one call whose far end is acted upon from outside at its second 0.2."""
    near, far = connection_pair()
    ear, clock = Ear(), CallClock()
    script = Script([], ear, expects_greeting=True, no_reply_seconds=60, hang_up_seconds=60)
    end = FarEnd(far, clock, lines=[], script=script, ear=ear, noise=None, parameters={}, max_seconds=10)

    async def intervene():
        await clock.sleep_until(0.2)
        await act(end)

    messages = []
    async with asyncio.TaskGroup() as group:
        group.create_task(end.run())
        group.create_task(intervene())
        while (text := await near.receive()) is not None:
            messages.append(json.loads(text))
    return end, messages


@pytest.mark.parametrize("by", ["caller", "carrier"])
def test_it_hangs_up_when_it_is_told_and_reports_who_did(by):
    async def act(end):
        end.hang_up(by)
        end.hang_up("limit")

    end, messages = run_virtual(_far_end(act))
    assert messages[-1]["event"] == "stop"
    assert end.report().ended_by == by
    assert end.report().duration_seconds == pytest.approx(0.2, abs=0.021)
    assert end.position == len(end.report().heard)


def test_a_key_that_is_pressed_from_outside_is_a_message_and_an_event():
    async def act(end):
        await end.press("#")
        end.hang_up()

    end, messages = run_virtual(_far_end(act))
    assert [message["dtmf"]["digit"] for message in messages if message["event"] == "dtmf"] == ["#"]
    assert [(event.kind, round(event.at, 1)) for event in end.report().events] == [("key_pressed", 0.2)]
