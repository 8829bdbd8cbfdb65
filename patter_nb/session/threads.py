"""Runs a function that may block in a thread of its own.

Not in the loop's pool: a function that never returns would take a thread of it for good, and keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any

from patter_nb.clock import at_real_pace
from patter_nb.errors import PatterError
from patter_nb.session.boundary import guard, sentence


async def in_thread(function: Callable[..., Any], *arguments: object, who: str) -> Any:
    """What `function` returns; `PatterError`, whose sentence names `who`, for what it raises.

    Cancelling the wait leaves the thread to itself: what it returns then is dropped.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        returned, failed = list[Any](), list[str]()
        try:
            with guard(failed.append, who=who):
                returned.append(context.run(function, *arguments))
        except (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError) as error:  # nobody but the function raises them here
            failed.append(sentence(error, who))
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, done, returned, failed)

    threading.Thread(target=work, name=f"user code {who}", daemon=True).start()
    with at_real_pace():  # virtual time knows nothing of other threads
        return await done


def _settle(done: asyncio.Future[Any], returned: list[Any], failed: list[str]) -> None:
    if done.done():
        return
    if returned:
        done.set_result(returned[0])
    else:
        done.set_exception(PatterError(failed[0]))
