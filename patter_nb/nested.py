"""For scripts that are pasted into a cell: `asyncio.run(main())` where a loop runs already."""

from __future__ import annotations

import asyncio
import functools
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from patter_nb.errors import warn

MARK = "_nest_asyncio2"
"""What the successor leaves in `asyncio` beside the mark of both."""
OURS = "_patter_nb"
"""What tells our `run`, and our handler of interrupts, from others."""


def allow_nested_run() -> None:
    """Let a pasted `asyncio.run(main())` work in a notebook; top-level `await main()` needs no such thing.

    It changes asyncio for the whole kernel, so it is done only when you ask. Harmless twice.
    """
    import nest_asyncio2

    if getattr(asyncio, "_nest_patched", False) and not hasattr(asyncio, MARK):
        if _loses_cells():
            _warn()
        return  # the first one to patch stays: what it has replaced cannot be put back
    nest_asyncio2.apply()
    if not hasattr(asyncio.run, OURS):
        asyncio.run = _interruptible(asyncio.run)


def _interruptible(run: Callable[..., Any]) -> Callable[..., Any]:
    """`run`, which an interrupt ends as it ends the `asyncio.run` of Python itself: its coroutine is cancelled.

    Otherwise the interrupt is raised in whatever the nested loop does just then: in a call, or in the kernel's own tasks, and
    that kernel answers no more.
    """

    @functools.wraps(run)
    def runs(main: Any, **settings: Any) -> Any:
        before = signal.getsignal(signal.SIGINT)
        usual = before is signal.default_int_handler or hasattr(before, OURS)
        if not usual or threading.current_thread() is not threading.main_thread():
            return run(main, **settings)
        interrupts: list[int] = []

        async def held() -> Any:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            assert task is not None

            def cancel(number: int, _: object) -> None:
                interrupts.append(number)
                if len(interrupts) > 1:  # it does not end, or keeps the loop busy
                    raise KeyboardInterrupt
                task.cancel()
                loop.call_soon_threadsafe(lambda: None)  # wakes the loop

            setattr(cancel, OURS, True)
            signal.signal(signal.SIGINT, cancel)
            return await main

        try:
            return run(held(), **settings)
        except asyncio.CancelledError:
            if interrupts:
                raise KeyboardInterrupt from None
            raise
        finally:
            signal.signal(signal.SIGINT, before)

    setattr(runs, OURS, True)
    return runs


@functools.cache
def _warn() -> None:
    warn(
        "nest_asyncio is at work in this kernel already, and cells that wait behind a nested run are lost with it: restart the "
        "kernel and call patter_nb.allow_nested_run() instead of nest_asyncio.apply()."
    )


def _loses_cells() -> bool:
    """Whether this is a kernel of the version, or a later one, in which `nest_asyncio` drops cells without a word."""
    ipykernel = sys.modules.get("ipykernel")
    return ipykernel is not None and int(ipykernel.version_info[0]) >= 7
