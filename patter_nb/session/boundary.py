"""The task boundary of a session: what a provider raises ends as an event, so that the engine decides and the call goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from patter_nb.errors import PatterError, scrub


@contextmanager
def guard(failed: Callable[[str], None], *, who: str) -> Iterator[None]:
    """Hand what is raised in the block to `failed` as one sentence. Cancellation and Ctrl-C pass through."""
    try:
        yield
    except (Exception, SystemExit) as error:  # noqa: BLE001
        # A provider may be a class out of a notebook cell and raise anything; nothing it raises may end the call. SystemExit
        # would even end the loop, and with it every other call: asyncio raises it on out of the task.
        failed(sentence(error, who))


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
    told = _text(error)
    return scrub(told if isinstance(error, PatterError) else f"{who} raised {type(error).__name__}: {told}".removesuffix(": "))


def _text(error: BaseException) -> str:
    """What the error says; nothing where its class is a user's and fails at that too."""
    try:
        return str(error)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError):
        return ""
