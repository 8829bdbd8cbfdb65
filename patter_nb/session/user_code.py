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
from patter_nb.session.boundary import naming, sentence
from patter_nb.session.threads import in_thread


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a user's function returned, or the one-sentence error of what it raised, without the keys that stood in it."""

    value: Any = None
    error: str | None = None
    late: bool = False
    """Whether the error is that it took longer than it may."""


def as_it_is(value: Any) -> Any:
    return value


class UserCode:
    """Calls users' functions for one call.

    `loop` is the loop their coroutines belong to; None: the loop that calls.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop

    async def call(
        self,
        function: Callable[..., Any],
        *arguments: object,
        deadline_seconds: float,
        quick: bool = False,
        name: str = "",
        read: Callable[[Any], Any] = as_it_is,
    ) -> Outcome:
        """Call `function`; after `deadline_seconds` stop waiting for it. `name`: what an error calls it.

        `read` makes the outcome's value of what was returned, which is the user's as well: even its truth may raise.

        `quick` functions are called right here, on the call's own loop (whatever runs per token or frame); others run in a thread
        when they are sync. A thread cannot be stopped: after its deadline it runs on, and what it returns is dropped.
        """
        name = name or _name(function)
        try:
            async with asyncio.timeout(deadline_seconds) as deadline:
                return Outcome(value=read(await self._run(function, arguments, quick, name)))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Outcome(error=f"{name} was cancelled.")
        except (Exception, SystemExit) as error:  # noqa: BLE001
            # A user's hook, tool or callback may raise anything, SystemExit by way of exit(); the call goes on and the row tells.
            if deadline.expired():
                return Outcome(error=f"{name} took longer than {deadline_seconds:g} s.", late=True)
            return Outcome(error=sentence(error, name))

    async def pieces(
        self,
        function: Callable[..., Any],
        arguments: Sequence[object],
        *,
        deadline_seconds: float,
        name: str = "",
        together: bool = False,
    ) -> AsyncIterator[Outcome]:
        """What an async generator function yields, one by one, or what any other function returns, once.

        The deadline holds for each piece, or (`together`) for all of them. After an error nothing more comes. Closing this closes
        the generator.
        """
        name = name or _name(function)
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_seconds
        quick = _generates(function)  # such a call only makes the generator
        outcome = await self.call(function, *arguments, deadline_seconds=deadline_seconds, quick=quick, name=name)
        if not inspect.isasyncgen(outcome.value):
            yield outcome
            return
        generator = outcome.value
        ended = object()

        async def following() -> Any:
            return await anext(generator, ended)

        try:
            while True:
                left = max(0.001, until - loop.time()) if together else deadline_seconds
                outcome = await self.call(following, deadline_seconds=left, name=name)
                if outcome.error is None and outcome.value is ended:
                    return
                yield outcome
                if outcome.error is not None:
                    return
        finally:
            await self.call(generator.aclose, deadline_seconds=1.0, name=name)

    async def _run(self, function: Callable[..., Any], arguments: tuple[object, ...], quick: bool, name: str) -> Any:
        if inspect.iscoroutinefunction(function) or quick:
            result = function(*arguments)
        else:
            result = await in_thread(function, *arguments, who=name)
        return await self._on_their_loop(result, name) if inspect.isawaitable(result) else result

    async def _on_their_loop(self, awaitable: Awaitable[Any], name: str) -> Any:
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await awaitable

        async def wait() -> Any:
            with naming(name):  # a SystemExit that left this task would end their loop: in a notebook, the kernel
                return await awaitable

        with at_real_pace():  # in virtual time the deadline would come at once
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wait(), self._loop))


def _generates(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 (an object with an async generator as __call__)
    return inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(call)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", "")
