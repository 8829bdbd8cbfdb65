"""The task boundary of a session: what a provider raises ends as an event, so that the engine decides and the call goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from patter_nb.errors import PatterError, scrub


@contextmanager
def guard(failed: Callable[[str], None], *, who: str | None) -> Iterator[None]:
    """Hand what is raised in the block to `failed` as one sentence; `who` None: drop it. What `passes` goes on."""
    try:
        yield
    except BaseException as error:
        # A provider may be a class out of a notebook cell and raise anything: an exit(), or what pytest and extensions in Rust
        # derive from BaseException. Nothing it raises may end the call; a SystemExit would even end the loop and all its calls.
        if passes(error):
            raise
        if who is not None:
            failed(sentence(error, who))


def passes(error: BaseException) -> bool:
    """Whether it is no failure: Ctrl-C, or the sign that the task in which it is raised was cancelled, or is no more."""
    if not isinstance(error, asyncio.CancelledError | GeneratorExit):
        return isinstance(error, KeyboardInterrupt)
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        task = None
    return task is None or (isinstance(error, asyncio.CancelledError) and task.cancelling() > 0)


async def guarded(work: Awaitable[None], failed: Callable[[str], None], *, who: str) -> None:
    """Await `work` under `guard`."""
    with guard(failed, who=who):
        await work


@contextmanager
def naming(who: str) -> Iterator[None]:
    """What is raised in the block is raised on as a `PatterError` whose sentence names `who`."""
    told: list[str] = []
    with guard(told.append, who=who):
        yield
    if told:
        raise PatterError(told[0])


def sentence(error: BaseException, who: str) -> str:
    """Our own errors are sentences already; of a group the first one tells. Keys that stand in it are not repeated."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, asyncio.CancelledError):
        return f"{who} was cancelled."
    told = _text(error)
    return scrub(told if isinstance(error, PatterError) else f"{who} raised {type(error).__name__}: {told}".removesuffix(": "))


def _text(error: BaseException) -> str:
    """What the error says; nothing where its class is a user's and fails at that too."""
    told = [""]
    with guard(told.append, who=None):
        told.append(str(error))
    return told[-1]
