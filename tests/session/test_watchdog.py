"""Noticing a busy loop."""

import asyncio
import time

from patter_nb.clock import CallClock, run_virtual
from patter_nb.session.watchdog import STALL_SECONDS, running_cell, watch


def test_a_busy_loop_is_reported_with_its_length() -> None:
    async def main() -> list:
        stalls: list = []
        task = asyncio.create_task(watch(CallClock(), lambda *stall: stalls.append(stall)))
        await asyncio.sleep(0)
        end = time.perf_counter() + 4 * STALL_SECONDS
        while time.perf_counter() < end:
            pass
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        return stalls

    ((_, seconds, cell),) = asyncio.run(main())
    assert seconds > STALL_SECONDS
    assert cell is None


def test_a_free_loop_is_not() -> None:
    async def main() -> list:
        stalls: list = []
        task = asyncio.create_task(watch(CallClock(), lambda *stall: stalls.append(stall)))
        await asyncio.sleep(10)
        task.cancel()
        return stalls

    assert run_virtual(main()) == []


def test_outside_a_notebook_there_is_no_cell() -> None:
    assert running_cell() is None
