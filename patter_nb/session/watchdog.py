"""Notices when the loop of a call was busy with something else, and which cell it was."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from patter_nb.clock import Clock

BEAT_SECONDS = 0.05
STALL_SECONDS = 0.05
"""A beat later than this is a stall: above timer noise (10 ms), below what a caller notices (100 ms)."""


class Cells(NamedTuple):
    """How far a notebook is."""

    running: int | None
    """The number of the cell that runs; None while none does, and outside a notebook."""
    begun: int
    """It grows with each cell that is run: when the cell begins or when it ends, depending on IPython's version."""


async def watch(clock: Clock, stalled: Callable[[float, float, int | None], None]) -> None:
    """Beat for ever; report each stall as (started_at, seconds, number of the notebook cell or None)."""
    while True:
        due = clock.now() + BEAT_SECONDS
        before = cells()
        await clock.sleep_until(due)
        late = clock.now() - due
        if late > STALL_SECONDS:
            stalled(due, late, busy_cell(before, cells()))


def busy_cell(before: Cells, after: Cells) -> int | None:
    """The cell that kept the loop busy: the one that runs, else the last one that was run meanwhile; None where none was."""
    if after.running is None and after.begun > before.begun:
        return after.begun - 1
    return before.running if after.running is None else after.running


def cells() -> Cells:
    """How far the notebook is at this moment."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return Cells(None, 0)
    result = getattr(shell.displayhook, "exec_result", None)  # there while the code of a cell runs
    return Cells(None if result is None else result.execution_count, int(shell.execution_count))
