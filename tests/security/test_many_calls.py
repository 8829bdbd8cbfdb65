"""Call after call, and several at once: when they are over, the process holds what it held before."""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from patter_nb.session.session import Session
from patter_nb.telephony.media import MediaSocket

pytestmark = pytest.mark.slow  # real processes and calls: half a minute together

NAME = "bench_many_calls"
GROWTH_MB = 8.0
"""Rows of the calls, and what the allocator keeps."""


def bench() -> Any:
    if NAME not in sys.modules:
        path = Path(__file__).parents[1] / "bench" / "many_calls.py"
        spec = importlib.util.spec_from_file_location(NAME, path)
        assert spec is not None and spec.loader is not None
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[NAME])
    return sys.modules[NAME]


def left() -> list[str]:
    """What belongs to one call alone and is still there."""
    gc.collect()
    return [type(each).__name__ for each in gc.get_objects() if isinstance(each, Session | MediaSocket)]


def test_calls_in_a_row_and_at_once_leave_nothing_open(run):
    found = run(bench().soak(60, 6))
    for after in (found.after_row, found.after_crowd):
        assert after.tasks <= found.start.tasks
        assert after.sockets <= found.start.sockets
        assert after.descriptors <= found.start.descriptors
        assert after.memory_mb - found.start.memory_mb < GROWTH_MB
    assert len(found.gaps_ms) == 6 * bench().LINES


def test_a_call_that_is_over_keeps_no_session_and_no_socket(run):
    async def main() -> None:
        module = bench()
        async with module.served_module.serving() as served:
            for _ in range(3):
                await module.short(served)
            assert left() == []
            assert [call.end_reason for call in served.phone._calls] == ["caller hung up"] * 3
            assert len(served.server.desk._lines) == 3  # of which the carrier may still tell something

    run(main())
