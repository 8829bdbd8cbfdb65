"""Work at the carrier that must not be left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_alone: set[asyncio.Future[Any]] = set()
"""Work that nobody awaits any more: a loop alone would forget it."""


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await the work. Whoever is cancelled meanwhile waits for its end all the same, and is cancelled then."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        _alone.add(task)
        task.add_done_callback(_looked_at)
        await asyncio.wait((task,))  # cancelled once more, it goes on alone
        raise
    return task.result()


def _looked_at(task: asyncio.Future[Any]) -> None:
    """Nobody asks any more what went wrong, and nobody shall be told that nobody asked."""
    _alone.discard(task)
    if not task.cancelled():
        task.exception()
