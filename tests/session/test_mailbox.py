"""The one queue of a call."""

from collections.abc import Callable

from patter_nb.clock import CallClock, run_virtual
from patter_nb.session.mailbox import Mailbox
from patter_nb.turns.events import CallerHungUp, DtmfReceived, UsageReported
from patter_nb.turns.usage import Usage


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


def test_usage_nobody_took_is_still_found() -> None:
    usage = Usage("stt", "scripted", "m", audio_seconds=1.0)

    async def work(mailbox: Mailbox, clock: CallClock) -> list:
        mailbox.put(CallerHungUp())
        mailbox.put(UsageReported(usage))
        return mailbox.usage_left()

    assert held(work) == [usage]
