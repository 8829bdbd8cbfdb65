"""Noticing a busy loop."""

import asyncio
import time

import pytest

from patter_nb.clock import CallClock, run_virtual
from patter_nb.session.watchdog import STALL_SECONDS, busy_cell, running_cell, watch


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


@pytest.mark.parametrize(
    ("before", "after", "busy"),
    [(4, 5, 4), (4, 4, 4), (4, 7, 6), (None, None, None)],
    ids=["it has ended", "it still runs", "the last of several", "no notebook"],
)
def test_the_busy_cell_is_the_one_whose_number_stands_beside_it(before: int | None, after: int | None, busy: int | None) -> None:
    assert busy_cell(before, after) == busy
