"""The one door through which this library calls a function that a user wrote.

Sync or async; an async one runs on the user's own loop, wherever the call runs; a sync one runs in a thread when it may be slow.
What it raises comes back as a value: a user's mistake never ends a call.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from patter_nb.clock import at_real_pace
from patter_nb.errors import PatterError, scrub
from patter_nb.session.threads import in_thread


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a user's function returned, or the one-sentence error of what it raised, without the keys that stood in it."""

    value: Any = None
    error: str | None = None


class UserCode:
    """Calls users' functions for one call.

    `loop` is the loop their coroutines belong to; None: the loop that calls.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop

    async def call(
        self, function: Callable[..., Any], *arguments: object, deadline_seconds: float, quick: bool = False, name: str = ""
    ) -> Outcome:
        """Call `function`; after `deadline_seconds` stop waiting for it. `name`: what an error calls it.

        `quick` functions are called right here, on the call's own loop (whatever runs per token or frame); others run in a thread
        when they are sync. A thread cannot be stopped: after its deadline it runs on, and what it returns is dropped.
        """
        try:
            async with asyncio.timeout(deadline_seconds) as deadline:
                return Outcome(value=await self._run(function, arguments, quick, name or _name(function)))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Outcome(error=f"{name or _name(function)} was cancelled.")
        except Exception as error:  # noqa: BLE001
            # A user's hook, tool or callback may raise anything; the call goes on and the row tells.
            if deadline.expired():
                return Outcome(error=f"{name or _name(function)} took longer than {deadline_seconds:g} s.")
            if isinstance(error, PatterError):
                return Outcome(error=scrub(str(error)))
            return Outcome(error=scrub(f"{name or _name(function)} raised {type(error).__name__}: {error}".removesuffix(": ")))

    async def pieces(
        self, function: Callable[..., Any], arguments: Sequence[object], *, deadline_seconds: float, name: str = ""
    ) -> AsyncIterator[Outcome]:
        """What an async generator function yields, one by one, or what any other function returns, once.

        The deadline holds for each piece. After an error nothing more comes. Closing this closes the generator.
        """
        if not _generates(function):
            outcome = await self.call(function, *arguments, deadline_seconds=deadline_seconds, name=name)
            if not inspect.isasyncgen(outcome.value):
                yield outcome
                return
            generator = outcome.value
        else:
            generator = function(*arguments)
        label = name or _name(function)
        ended = object()

        async def following() -> Any:
            return await anext(generator, ended)

        try:
            while True:
                outcome = await self.call(following, deadline_seconds=deadline_seconds, name=label)
                if outcome.error is None and outcome.value is ended:
                    return
                yield outcome
                if outcome.error is not None:
                    return
        finally:
            await self.call(generator.aclose, deadline_seconds=1.0, name=label)

    async def _run(self, function: Callable[..., Any], arguments: tuple[object, ...], quick: bool, name: str) -> Any:
        if inspect.iscoroutinefunction(function) or quick:
            result = function(*arguments)
        else:
            result = await in_thread(function, *arguments, who=name)
        return await self._on_their_loop(result) if inspect.isawaitable(result) else result

    async def _on_their_loop(self, awaitable: Awaitable[Any]) -> Any:
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await awaitable

        async def wait() -> Any:
            return await awaitable

        with at_real_pace():  # in virtual time the deadline would come at once
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wait(), self._loop))


def _generates(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 (an object with an async generator as __call__)
    return inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(call)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", "")
