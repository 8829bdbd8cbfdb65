"""The clock: virtual time jumps and never waits, except for what lies outside of it."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import subprocess
import sys
import threading
import time

import pytest

from patter_nb.clock import CallClock, VirtualTimeLoop, at_real_pace, run_virtual

HOUR = 3600.0
PROMPTLY_SECONDS = 30.0
"""Real time in which an hour of virtual time must have passed, generous for a busy machine."""


def test_an_hour_of_sleep_passes_at_once_and_the_clock_shows_it():
    async def main() -> float:
        clock = CallClock()
        await clock.sleep_until(HOUR)
        return clock.now()

    began = time.monotonic()
    assert run_virtual(main()) == HOUR
    assert time.monotonic() - began < PROMPTLY_SECONDS


def test_timers_fire_in_the_order_of_their_instants_and_each_at_its_own():
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        fired: list[tuple[str, float]] = []
        for name, at in [("late", 5.0), ("early", 1.0), ("middle", 2.5), ("same", 2.5)]:
            loop.call_at(at, lambda name=name: fired.append((name, loop.time())))
        await asyncio.sleep(10)
        return fired

    assert run_virtual(main()) == [("early", 1.0), ("middle", 2.5), ("same", 2.5), ("late", 5.0)]


def test_the_clock_stands_still_while_something_is_ready_to_run():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
        return loop.time()

    assert run_virtual(main()) == 0.0


def test_the_clock_stands_still_while_bytes_wait_to_be_read():
    async def main() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            got: asyncio.Future[bytes] = loop.create_future()
            loop.call_later(HOUR, lambda: None)
            loop.add_reader(near, lambda: got.done() or got.set_result(near.recv(9)))
            far.send(b"hello")
            received = await got
            loop.remove_reader(near)
        return received, loop.time()

    assert run_virtual(main()) == (b"hello", 0.0)


def test_a_sleep_of_many_days_ends_although_a_loop_waits_for_one_day_at_most():
    async def main() -> float:
        await asyncio.sleep(30 * 24 * HOUR)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 30 * 24 * HOUR


@pytest.mark.parametrize("zero", [0.1, 1 / 3, 5000.1, 86400.7])
def test_sleep_until_never_returns_before_its_instant_whatever_the_rounding(zero):
    async def main() -> list[float]:
        await asyncio.sleep(zero)
        clock = CallClock()
        early = []
        for step in range(1, 2000):
            at = step * 0.02 + step * 1e-7
            await clock.sleep_until(at)
            if clock.now() < at or clock.now() > at + 1e-5:
                early.append(clock.now() - at)
        return early

    assert run_virtual(main()) == []


def test_sleep_until_an_instant_in_the_past_returns_at_once_and_lets_others_run():
    async def main() -> tuple[float, list[int]]:
        clock = CallClock()
        ran: list[int] = []
        asyncio.get_running_loop().call_soon(ran.append, 1)
        await clock.sleep_until(-1.0)
        return clock.now(), ran

    assert run_virtual(main()) == (0.0, [1])


def test_a_call_clock_counts_from_its_start():
    async def main() -> tuple[float, float, float]:
        await asyncio.sleep(7)
        clock = CallClock()
        await asyncio.sleep(2)
        before = clock.now()
        clock.start()
        await asyncio.sleep(1)
        return before, clock.now(), clock.zero

    assert run_virtual(main()) == (2.0, 1.0, 9.0)


def test_a_timeout_takes_virtual_time():
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(90):
                await asyncio.get_running_loop().create_future()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 90.0


def test_a_cancelled_sleep_leaves_no_timer_behind():
    async def main() -> float:
        sleeper = asyncio.create_task(asyncio.sleep(HOUR))
        await asyncio.sleep(1)
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeper
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 2.0


def test_tasks_still_running_at_the_end_are_cancelled():
    ended = []

    async def forever() -> None:
        try:
            await asyncio.sleep(HOUR)
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(forever())
        await asyncio.sleep(1)
        return task

    assert run_virtual(main()).cancelled()
    assert ended == [1.0]


def test_with_no_timer_the_loop_waits_for_another_thread_and_time_stands_still():
    async def main() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(answer.set_result, "from a thread"))
        loop.call_soon(thread.start)
        said = await answer
        thread.join()
        return said, loop.time()

    assert run_virtual(main()) == ("from a thread", 0.0)


def test_a_function_in_a_thread_keeps_its_virtual_deadline_in_real_seconds():
    release = threading.Event()

    async def main() -> tuple[str, bool]:
        loop = asyncio.get_running_loop()
        fired: list[float] = []
        loop.call_later(HOUR, lambda: fired.append(loop.time()))
        async with asyncio.timeout(PROMPTLY_SECONDS):
            loop.call_later(0.01, release.set)  # the thread takes a moment more: a jumping clock would be at the deadline
            await asyncio.to_thread(release.wait)
        return "returned", bool(fired)

    assert run_virtual(main()) == ("returned", False)


def test_after_a_thread_has_returned_the_clock_jumps_again():
    async def main() -> float:
        await asyncio.to_thread(lambda: None)
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time() - before

    began = time.monotonic()
    assert run_virtual(main()) == pytest.approx(HOUR)
    assert time.monotonic() - began < PROMPTLY_SECONDS


def test_a_thread_that_outlives_its_deadline_holds_the_clock_no_longer():
    release = threading.Event()

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.to_thread(release.wait)
        await asyncio.sleep(HOUR)
        release.set()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) >= HOUR


def test_another_loop_can_be_waited_for_at_real_pace():
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()

    go = asyncio.Event()

    async def answer() -> str:
        await go.wait()
        return "from the other loop"

    async def main() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        with at_real_pace():
            async with asyncio.timeout(PROMPTLY_SECONDS):
                loop.call_soon(lambda: loop.call_soon(other.call_soon_threadsafe, go.set))
                said = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(), other))
        return said, loop.time()

    said, at = run_virtual(main())
    other.call_soon_threadsafe(other.stop)
    thread.join()
    other.close()
    assert said == "from the other loop"
    assert at < PROMPTLY_SECONDS


def test_at_real_pace_changes_nothing_on_a_loop_with_real_time():
    async def main() -> str:
        with at_real_pace():
            await asyncio.sleep(0)
        return "passed"

    assert asyncio.run(main()) == "passed"


def test_the_real_pace_ends_with_its_block_even_when_that_raises():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        with pytest.raises(KeyError), at_real_pace():
            raise KeyError
        await asyncio.sleep(HOUR)
        return loop.time()

    assert run_virtual(main()) == HOUR


def test_run_virtual_works_in_a_thread_while_a_real_loop_runs_here():
    async def virtual() -> float:
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time()

    async def main() -> float:
        return await asyncio.to_thread(lambda: run_virtual(virtual()))

    assert asyncio.run(main()) == HOUR


def test_run_virtual_on_a_running_loop_says_what_to_do_and_leaves_no_coroutine_behind():
    async def virtual() -> None: ...

    async def main() -> None:
        with pytest.raises(RuntimeError, match="call it in a thread"):
            run_virtual(virtual())

    asyncio.run(main())


def test_what_main_raises_comes_out_and_the_loop_is_closed():
    loops = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(1)
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        run_virtual(main())
    assert loops[0].is_closed()


def test_two_virtual_loops_do_not_share_a_clock():
    first, second = VirtualTimeLoop(), VirtualTimeLoop()
    first.run_until_complete(asyncio.sleep(HOUR))
    times = first.time(), second.time()
    first.close()
    second.close()
    assert times == (HOUR, 0.0)


@pytest.mark.skipif(importlib.util.find_spec("nest_asyncio2") is None, reason="it comes with the nb extra")
def test_virtual_time_survives_a_user_who_applied_nest_asyncio2():
    code = (
        "import asyncio, nest_asyncio2; nest_asyncio2.apply()\n"
        "from patter_nb.clock import run_virtual\n"
        "async def virtual():\n"
        "    await asyncio.sleep(3600)\n"
        "    return asyncio.get_running_loop().time()\n"
        "async def main():\n"
        "    return await asyncio.to_thread(lambda: run_virtual(virtual()))\n"
        "print(asyncio.run(main()))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (out.stdout, out.returncode) == ("3600.0\n", 0), out.stderr
