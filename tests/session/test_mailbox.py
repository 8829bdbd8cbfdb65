"""The one queue of a call."""

import asyncio
import random
from collections.abc import Callable

from patter_nb.clock import CallClock, run_virtual
from patter_nb.session.mailbox import Mailbox
from patter_nb.turns.events import CallerHungUp, DtmfReceived


def held(work: Callable[[Mailbox, CallClock], object]) -> object:
    async def main() -> object:
        clock = CallClock()
        return await work(Mailbox(clock), clock)

    return run_virtual(main())


def test_events_come_out_in_the_order_they_were_put() -> None:
    async def work(mailbox: Mailbox, clock: CallClock) -> list:
        for digit in "123":
            mailbox.put(DtmfReceived(digit))
        return [await mailbox.take(None) for _ in range(3)]

    assert [event.digit for event in held(work)] == ["1", "2", "3"]


def test_the_timer_gives_none_at_its_instant_and_loses_no_event() -> None:
    async def work(mailbox: Mailbox, clock: CallClock) -> list:
        first = await mailbox.take(2.5)
        at = clock.now()
        mailbox.put(CallerHungUp())
        return [first, at, await mailbox.take(clock.now())]

    assert held(work) == [None, 2.5, CallerHungUp()]


def test_an_instant_in_the_past_does_not_wait() -> None:
    async def work(mailbox: Mailbox, clock: CallClock) -> tuple:
        return await mailbox.take(-1.0), clock.now()

    assert held(work) == (None, 0.0)


def test_what_nobody_took_is_handed_out_once() -> None:
    async def work(mailbox: Mailbox, clock: CallClock) -> list:
        mailbox.put(CallerHungUp())
        mailbox.put(DtmfReceived("1"))
        return [mailbox.left(), mailbox.left()]

    assert held(work) == [[CallerHungUp(), DtmfReceived("1")], []]


def test_a_timer_is_never_early_and_never_stuck_however_far_the_loops_clock_is() -> None:
    async def work(mailbox: Mailbox, clock: CallClock) -> None:
        dice = random.Random(7)
        for _ in range(2000):
            await asyncio.sleep(dice.uniform(0, 100))
            late_clock = CallClock()
            late_mailbox, until = Mailbox(late_clock), dice.uniform(0, 0.5)
            await asyncio.sleep(dice.uniform(0, 0.01))
            assert await late_mailbox.take(until) is None
            assert late_clock.now() >= until

    held(work)
