"""Notices when the loop of a call was busy with something else, and which cell it was."""

from __future__ import annotations

import sys
from collections.abc import Callable

from patter_nb.clock import Clock

BEAT_SECONDS = 0.05
STALL_SECONDS = 0.05
"""A beat later than this is a stall: above timer noise (10 ms), below what a caller notices (100 ms)."""


async def watch(clock: Clock, stalled: Callable[[float, float, int | None], None]) -> None:
    """Beat for ever; report each stall as (started_at, seconds, number of the notebook cell or None)."""
    while True:
        due = clock.now() + BEAT_SECONDS
        cell = running_cell()
        await clock.sleep_until(due)
        late = clock.now() - due
        if late > STALL_SECONDS:
            stalled(due, late, busy_cell(cell, running_cell()))


def busy_cell(before: int | None, after: int | None) -> int | None:
    """The cell that kept the loop busy: the last one that ended meanwhile, or the one that still runs."""
    return before if before is None or after is None else max(before, after - 1)


def running_cell() -> int | None:
    """The number of the notebook's present cell, or of the next one where none runs; None outside a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return None if shell is None else int(shell.execution_count)
