"""The loop of the notebook, and the one way into it.

A widget's callback may run on the kernel's main thread, on the thread of a subshell with a loop of its own, or first on the one
and then on the other. So it does nothing by itself: it hands its work to `on_loop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any, ParamSpec

P = ParamSpec("P")


def kernel_shell() -> Any:
    """IPython's shell inside a kernel, else None."""
    ipython = sys.modules.get("IPython")  # whoever runs in a kernel has it loaded
    shell = None if ipython is None else ipython.get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def kernel_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of the kernel's main thread, also when asked from a widget's callback that runs on a loop of its own."""
    shell = kernel_shell()
    if shell is None:
        return None
    loop: asyncio.AbstractEventLoop = shell.kernel.io_loop.asyncio_loop
    return loop


def on_loop(loop: asyncio.AbstractEventLoop, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `function` on `loop`: at once when that loop runs here, else as soon as it can. Nothing happens on a closed loop."""
    if _running() is loop:
        function(*args, **kwargs)
        return
    with contextlib.suppress(RuntimeError):  # it is closed: the kernel goes down
        loop.call_soon_threadsafe(lambda: function(*args, **kwargs))


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
