"""When the caller speaks, interrupts, presses keys and hangs up, in whole calls of virtual time."""

from __future__ import annotations

import pytest

from patter_nb.carriers.simulated import FarEndEvent, SimulatedCaller, SpokenLine

NEAR = 0.0015
"""A signal's audible bounds are known to within half a period of its tone (440 Hz)."""


def test_a_line_starts_400_ms_after_the_greeting_was_heard(hold, line, tone):
    async def behave(agent):
        await agent.at(0.35)
        await agent.say(tone(1.23))

    report, _ = hold(SimulatedCaller([line()], expects_greeting=True, no_reply_seconds=1.0), behave)
    assert (report.greeting.start_at, report.greeting.end_at) == pytest.approx((0.35, 1.58), abs=NEAR)
    assert report.exchanges[0].started_at == pytest.approx(1.98, abs=NEAR)


@pytest.mark.parametrize("wait", [0.0, 0.1, 0.4, 1.7])
def test_without_a_greeting_the_first_line_starts_after_its_wait(hold, line, wait):
    report, _ = hold(SimulatedCaller([line(wait_seconds=wait)], expects_greeting=False, no_reply_seconds=1.0))
    assert report.exchanges[0].started_at == wait
    assert report.exchanges[0].onset_at == pytest.approx(wait, abs=NEAR)


@pytest.mark.parametrize("wait", [0.1, 0.4, 0.75])
def test_each_line_waits_until_the_reply_is_over(hold, line, tone, wait):
    async def behave(agent):
        await agent.at(3.0)
        await agent.say(tone(2.5))

    caller = SimulatedCaller([line(), line(wait_seconds=wait)], expects_greeting=False, no_reply_seconds=4.0)
    report, _ = hold(caller, behave)
    first, second = report.exchanges
    assert first.gap_seconds == pytest.approx(3.0 - 1.4, abs=2 * NEAR)
    assert (first.reply.start_at, first.reply.end_at) == pytest.approx((3.0, 5.5), abs=NEAR)
    assert second.started_at == pytest.approx(5.5 + wait, abs=NEAR)


def test_a_pause_shorter_than_the_wait_does_not_trigger_the_line_and_a_longer_one_does(hold, line, tone):
    async def behave(agent):
        for start in (2.0, 3.35, 4.9):  # speaks one second each: pauses of 0.35 and 0.55 s
            await agent.at(start)
            await agent.say(tone(1.0))

    report, _ = hold(SimulatedCaller([line(), line()], expects_greeting=False, no_reply_seconds=2.0), behave)
    assert report.exchanges[1].started_at == pytest.approx(4.35 + 0.4, abs=NEAR)


def test_silence_sent_as_audio_is_silence(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(1.0))
        await agent.say(tone(3.0, amplitude=0))
        await agent.mark("end")

    report, _ = hold(SimulatedCaller([line(), line()], expects_greeting=False, no_reply_seconds=2.0), behave)
    assert report.exchanges[1].started_at == pytest.approx(3.4, abs=NEAR)


def test_without_a_reply_the_next_line_comes_after_eight_seconds(hold, line):
    report, _ = hold(SimulatedCaller([line(), line()], expects_greeting=False))
    assert [exchange.started_at for exchange in report.exchanges] == [0.4, 1.4 + 8.0]
    assert [exchange.reply for exchange in report.exchanges] == [None, None]
    assert [exchange.gap_seconds for exchange in report.exchanges] == [None, None]
    assert report.events == (FarEndEvent("no_reply", 9.4, 0), FarEndEvent("no_reply", 18.4, 1))
    assert report.duration_seconds == pytest.approx(18.4, abs=0.021)


def test_without_a_greeting_that_was_expected_the_first_line_comes_after_eight_seconds(hold, line):
    report, _ = hold(SimulatedCaller([line()], expects_greeting=True))
    assert report.events[0] == FarEndEvent("no_greeting", 8.0)
    assert report.greeting is None
    assert report.exchanges[0].started_at == 8.0


def test_a_reply_at_the_last_moment_still_counts(hold, line, tone):
    async def behave(agent):
        await agent.at(9.3)
        await agent.say(tone(1.0))

    report, _ = hold(SimulatedCaller([line(), line()], expects_greeting=False), behave)
    assert report.exchanges[0].reply.start_at == pytest.approx(9.3, abs=NEAR)
    assert report.exchanges[1].started_at == pytest.approx(10.7, abs=NEAR)
    assert [event.line for event in report.events] == [1]


def test_the_caller_hangs_up_one_second_after_the_last_reply(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(1.0))

    report, agent = hold(SimulatedCaller([line()], expects_greeting=False), behave)
    assert report.ended_by == "caller"
    assert report.duration_seconds == pytest.approx(4.0, abs=0.021)
    assert agent.received[-1][1]["event"] == "stop"
    assert agent.received[-1][0] == pytest.approx(4.0, abs=0.021)
    assert report.events == ()


def test_the_agent_may_hang_up(hold, line):
    async def behave(agent):
        await agent.at(1.03)
        await agent.connection.close()

    report, agent = hold(SimulatedCaller([line(5.0)], expects_greeting=False), behave)
    assert report.ended_by == "agent"
    assert report.duration_seconds == pytest.approx(1.03)
    assert report.frames_sent == 51
    assert agent.of("stop") == []
    assert len(report.exchanges) == 1


def test_an_agent_that_never_stops_is_left(hold, line, tone):
    async def behave(agent):
        await agent.at(1.0)
        await agent.say(tone(100.0))

    report, agent = hold(SimulatedCaller([line()], expects_greeting=True, max_seconds=20.0), behave)
    assert report.ended_by == "limit"
    assert report.events == (FarEndEvent("too_long", 20.0),)
    assert report.duration_seconds == pytest.approx(20.0)
    assert agent.received[-1][1]["event"] == "stop"
    assert len(report.heard) == 160_000


@pytest.mark.parametrize("after", [0.0, 0.013, 0.25, 0.5, 1.2345, 1.9])
def test_an_interruption_starts_at_its_moment_of_the_reply(hold, line, tone, after):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(2.0))

    lines = [line(), line(0.6, interrupt_after_seconds=after)]
    report, _ = hold(SimulatedCaller(lines, expects_greeting=False, no_reply_seconds=1.0), behave)
    heard_from = report.exchanges[0].reply.start_at
    assert heard_from == pytest.approx(2.0, abs=NEAR)
    assert report.exchanges[1].started_at == pytest.approx(heard_from + after, abs=1 / 8000)


def test_a_greeting_can_be_interrupted(hold, line, tone):
    async def behave(agent):
        await agent.at(0.5)
        await agent.say(tone(5.0))
        await agent.at(1.4)
        await agent.clear()

    caller = SimulatedCaller([line(interrupt_after_seconds=0.7)], expects_greeting=True, no_reply_seconds=1.0)
    report, _ = hold(caller, behave)
    (exchange,) = report.exchanges
    assert exchange.onset_at == pytest.approx(1.2, abs=2 * NEAR)
    assert exchange.stopped_at == pytest.approx(1.4, abs=NEAR)
    assert exchange.barge_in_stop_seconds == pytest.approx(0.2, abs=2 * NEAR)
    assert report.greeting.cleared


def test_a_reply_that_is_over_before_the_moment_is_no_barge_in(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(0.5))

    lines = [line(), line(interrupt_after_seconds=1.5)]
    report, _ = hold(SimulatedCaller(lines, expects_greeting=False, no_reply_seconds=1.0), behave)
    assert report.exchanges[1].started_at == pytest.approx(3.5, abs=NEAR)
    assert report.exchanges[1].barge_in_stop_seconds is None


def test_what_plays_on_after_a_barge_in_is_measured_to_its_last_sample(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(4.0))
        await agent.at(3.0 + 0.345)
        await agent.clear()
        await agent.at(4.6)
        await agent.say(tone(1.0))

    lines = [line(), line(1.0, interrupt_after_seconds=1.0), line()]
    report, _ = hold(SimulatedCaller(lines, expects_greeting=False, no_reply_seconds=1.0), behave)
    first, second, third = report.exchanges
    assert first.reply.cleared
    assert first.reply.end_at == pytest.approx(3.345, abs=NEAR)
    assert second.barge_in_stop_seconds == pytest.approx(0.345, abs=2 * NEAR)
    assert second.gap_seconds == pytest.approx(4.6 - 4.0, abs=2 * NEAR)
    assert third.started_at == pytest.approx(6.0, abs=NEAR)


def test_the_rest_of_an_interrupted_reply_is_no_reply_even_to_a_short_line(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(4.0))
        await agent.at(3.4)  # 100 ms after the caller's short line has ended
        await agent.clear()
        await agent.at(4.2)
        await agent.say(tone(1.0))

    lines = [line(), line(0.3, interrupt_after_seconds=1.0), line()]
    report, _ = hold(SimulatedCaller(lines, expects_greeting=False, no_reply_seconds=1.0), behave)
    assert report.exchanges[1].reply.start_at == pytest.approx(4.2, abs=NEAR)
    assert report.exchanges[2].started_at == pytest.approx(5.6, abs=NEAR)


def test_an_agent_that_cannot_be_interrupted_is_heard_out(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(5.0))

    lines = [line(), line(0.5, interrupt_after_seconds=1.0), line()]
    report, _ = hold(SimulatedCaller(lines, expects_greeting=False, no_reply_seconds=1.0), behave)
    assert report.exchanges[1].stopped_at == pytest.approx(7.0, abs=NEAR)
    assert report.exchanges[1].reply is None
    assert report.exchanges[2].started_at == pytest.approx(7.4, abs=NEAR)


def test_an_agent_that_is_slow_to_stop_is_still_waited_for(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(9.0))
        await agent.at(4.7)  # 1.2 s after the caller's interruption has ended
        await agent.clear()
        await agent.at(5.5)
        await agent.say(tone(1.0))

    lines = [line(), line(0.5, interrupt_after_seconds=1.0), line()]
    report, _ = hold(SimulatedCaller(lines, expects_greeting=False, no_reply_seconds=2.0), behave)
    assert report.exchanges[1].barge_in_stop_seconds == pytest.approx(1.7, abs=2 * NEAR)
    assert report.exchanges[1].reply.start_at == pytest.approx(5.5, abs=NEAR)
    assert report.exchanges[2].started_at == pytest.approx(6.9, abs=NEAR)


def test_the_wait_for_a_reply_begins_when_the_agent_is_silent(hold, line, tone):
    async def behave(agent):
        await agent.at(2.0)
        await agent.say(tone(2.3))  # goes on for 0.8 s after the interruption and says nothing to it

    lines = [line(), line(0.5, interrupt_after_seconds=1.0)]
    report, _ = hold(SimulatedCaller(lines, expects_greeting=False, no_reply_seconds=2.0), behave)
    assert report.events == (FarEndEvent("no_reply", pytest.approx(6.3, abs=NEAR), 1),)


def test_a_reply_may_pause_for_less_than_the_line_waits(hold, line, tone):
    async def behave(agent):
        for start in (2.0, 3.55):  # a pause of 0.55 s
            await agent.at(start)
            await agent.say(tone(1.0))

    report, _ = hold(SimulatedCaller([line(), line(wait_seconds=0.75)], expects_greeting=False, no_reply_seconds=2.0), behave)
    assert report.exchanges[1].started_at == pytest.approx(4.55 + 0.75, abs=NEAR)
    assert report.exchanges[0].reply.end_at == pytest.approx(4.55, abs=NEAR)


def test_an_agent_that_replies_before_the_line_is_over_has_a_negative_gap(hold, line, tone):
    async def behave(agent):
        await agent.at(1.1)
        await agent.say(tone(1.0))

    report, _ = hold(SimulatedCaller([line()], expects_greeting=False), behave)
    assert report.exchanges[0].gap_seconds == pytest.approx(-0.3, abs=2 * NEAR)
    assert report.exchanges[0].stopped_at is None


def test_a_premature_reply_that_is_taken_back_is_not_the_reply(hold, line, tone):
    async def behave(agent):
        await agent.at(1.1)
        await agent.say(tone(3.0))
        await agent.at(1.42)  # 20 ms after the line's end
        await agent.clear()
        await agent.at(2.5)
        await agent.say(tone(1.0))

    report, _ = hold(SimulatedCaller([line(), line()], expects_greeting=False, no_reply_seconds=3.0), behave)
    assert report.exchanges[0].gap_seconds == pytest.approx(1.1, abs=2 * NEAR)
    assert report.exchanges[1].started_at == pytest.approx(3.9, abs=NEAR)


def test_keys_are_pressed_after_the_line_one_every_200_ms(hold, line, tone):
    async def behave(agent):
        await agent.at(4.0)
        await agent.say(tone(0.5))

    report, agent = hold(SimulatedCaller([line(1.0, keys="12#")], expects_greeting=False), behave)
    assert [message["dtmf"]["digit"] for _, message in agent.of("dtmf")] == ["1", "2", "#"]
    # a key is told with the frame in which it was pressed, so at the end of those 20 ms
    assert [at for at, _ in agent.of("dtmf")] == pytest.approx([1.42, 1.62, 1.82])
    assert [event.at for event in report.events] == pytest.approx([1.4, 1.6, 1.8])
    assert {event.kind for event in report.events} == {"key_pressed"}
    assert report.exchanges[0].ended_at == pytest.approx(2.0)


def test_a_line_may_be_keys_alone(hold, tone):
    async def behave(agent):
        await agent.at(1.5)
        await agent.say(tone(0.5))

    keys = SpokenLine("one", tone(0.0), 8000, keys="1")
    report, agent = hold(SimulatedCaller([keys], expects_greeting=False), behave)
    assert len(agent.of("dtmf")) == 1
    (exchange,) = report.exchanges
    assert (exchange.onset_at, exchange.last_speech_at, exchange.gap_seconds) == (None, None, None)
    assert exchange.reply.start_at == pytest.approx(1.5, abs=NEAR)


def test_a_line_without_speech_is_sent_and_waited_for(hold, tone):
    silence = SpokenLine("silence", tone(2.0, amplitude=0), 8000)
    report, _ = hold(SimulatedCaller([silence], expects_greeting=False, no_reply_seconds=3.0))
    (exchange,) = report.exchanges
    assert (exchange.onset_at, exchange.last_speech_at) == (None, None)
    assert report.events == (FarEndEvent("no_reply", 5.4, 0),)
