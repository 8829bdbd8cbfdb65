"""Noticing a busy loop."""

import asyncio
import subprocess
import sys
import time

import pytest

from patter_nb.clock import CallClock, run_virtual
from patter_nb.session.watchdog import STALL_SECONDS, Cells, busy_cell, cells, watch


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
    assert cells() == Cells(None, 0)


MOMENTS = [
    ("it began and ended", Cells(None, 4), Cells(None, 5), 4),
    ("it awaits and still runs", Cells(4, 5), Cells(4, 5), 4),
    ("it awaited and has ended", Cells(4, 5), Cells(None, 5), 4),
    ("the last of several", Cells(None, 4), Cells(None, 7), 6),
    ("the next one runs", Cells(4, 5), Cells(5, 6), 5),
    ("no cell ran", Cells(None, 4), Cells(None, 4), None),
    ("no notebook", Cells(None, 0), Cells(None, 0), None),
]


@pytest.mark.parametrize(("before", "after", "busy"), [case[1:] for case in MOMENTS], ids=[case[0] for case in MOMENTS])
def test_the_busy_cell_is_the_one_whose_number_stands_beside_it(before: Cells, after: Cells, busy: int | None) -> None:
    assert busy_cell(before, after) == busy


def test_the_cell_that_runs_is_known_in_a_shell() -> None:
    code = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from patter_nb.session.watchdog import cells
shell = InteractiveShell.instance()
before = cells()
shell.run_cell("from patter_nb.session.watchdog import cells; seen = cells()", store_history=True)
print(before.running, shell.user_ns["seen"].running, cells().running, cells().begun - before.begun)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["None", "1", "None", "1"]
