"""The one door through which this library calls a function that a user wrote.

Sync or async; an async one runs on the user's own loop, wherever the call runs; a sync one runs in a thread when it may be slow.
What it raises comes back as a value: a user's mistake never ends a call.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from patter_nb.clock import at_real_pace
from patter_nb.errors import PatterError
from patter_nb.providers.base import closing
from patter_nb.session.boundary import guard, passes, sentence
from patter_nb.session.threads import in_thread

T = TypeVar("T")


CLOSING_SECONDS = 1.0
"""How long a generator of the user's may take to be closed."""

_at_work: set[asyncio.Task[Any]] = set()
"""Users' coroutines that run, whoever waits for them: a loop alone does not keep a task."""


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
        context: contextvars.Context | None = None,
    ) -> Outcome:
        """Call `function`; after `deadline_seconds` stop waiting for it. `name`: what an error calls it.

        `read` makes the outcome's value of what was returned, which is the user's as well: even its truth may raise.

        `quick` functions are called right here, on the call's own loop (whatever runs per token or frame); others run in a thread
        when they are sync. A thread cannot be stopped: after its deadline it runs on, and what it returns is dropped. So is a
        coroutine that was cancelled left to itself, however long it takes to end. `context`: what it finds in context variables.
        """
        name = name or _name(function)
        try:
            async with asyncio.timeout(deadline_seconds) as deadline:
                return Outcome(value=read(await self._run(function, arguments, quick, name, context)))
        except BaseException as error:
            # A user's hook, tool or callback may raise anything, such as SystemExit by way of exit(), or the BaseException with
            # which pytest.fail() ends a test; the call goes on and the row tells.
            if passes(error):
                raise
            if deadline.expired():
                return Outcome(error=f"{name} took longer than {deadline_seconds:g} s.", late=True)
            return Outcome(error=sentence(error, name))

    async def pieces(
        self, function: Callable[..., Any], arguments: Sequence[object], *, deadline_seconds: float, name: str = ""
    ) -> AsyncIterator[Outcome]:
        """What an async generator function yields, one by one, or what any other function returns, once.

        The deadline holds for each piece. After an error nothing more comes. Closing this closes the generator.
        """
        name = name or _name(function)
        outcome = await self.call(function, *arguments, deadline_seconds=deadline_seconds, name=name)
        if not inspect.isasyncgen(outcome.value):
            yield outcome
            return
        async with closing(self.yielded(outcome.value, deadline_seconds=deadline_seconds, name=name)) as pieces:
            async for piece in pieces:
                yield piece

    async def yielded(
        self, generator: AsyncGenerator[Any, Any], *, deadline_seconds: float, name: str, together: bool = False
    ) -> AsyncIterator[Outcome]:
        """What a user's generator yields. The deadline holds for each piece, or (`together`) for all of them."""
        loop, context, ended = asyncio.get_running_loop(), contextvars.copy_context(), object()
        until = loop.time() + deadline_seconds

        async def following() -> Any:
            return await anext(generator, ended)

        try:
            while True:
                left = max(0.001, until - loop.time()) if together else deadline_seconds
                outcome = await self.call(following, deadline_seconds=left, name=name, context=context)
                if outcome.error is None and outcome.value is ended:
                    return
                yield outcome
                if outcome.error is not None:
                    return
        finally:
            await self.call(generator.aclose, deadline_seconds=CLOSING_SECONDS, quick=True, name=name, context=context)

    async def _run(
        self,
        function: Callable[..., Any],
        arguments: tuple[object, ...],
        quick: bool,
        name: str,
        context: contextvars.Context | None,
    ) -> Any:
        if quick or _begins_at_once(function):
            result = function(*arguments)
        else:
            result = await in_thread(function, *arguments, who=name)
        return await self._on_their_loop(result, name, context) if inspect.isawaitable(result) else result

    async def _on_their_loop(self, awaitable: Awaitable[Any], name: str, context: contextvars.Context | None) -> Any:
        """What it gives. It runs in a task of its own, outside of the call's: one that does not heed its cancellation, or takes
        its time to clean up, is waited for by nobody."""

        async def work() -> tuple[list[Any], list[str]]:
            returned, failed = list[Any](), list[str]()
            with guard(failed.append, who=name):  # an exit() that left this task would end their loop: in a notebook, the kernel
                returned.append(await awaitable)
            return returned, failed

        running = self._begin(work(), context)
        try:
            if self._elsewhere:
                with at_real_pace():  # in virtual time the deadline would come at once
                    await asyncio.wait((running,))
            else:
                await asyncio.wait((running,))
        finally:
            running.cancel()  # nothing where it is done
        returned, failed = running.result()
        if failed:
            raise PatterError(failed[0])
        return returned[0]

    @property
    def _elsewhere(self) -> bool:
        return self._loop is not None and self._loop is not asyncio.get_running_loop()

    def _begin(self, work: Coroutine[Any, Any, T], context: contextvars.Context | None) -> asyncio.Future[T]:
        if not self._elsewhere:
            return _task(work, context)

        async def there() -> T:
            return await _task(work, context)

        assert self._loop is not None
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), self._loop))


def _task(work: Coroutine[Any, Any, T], context: contextvars.Context | None) -> asyncio.Task[T]:
    """A task that is kept until it is done."""
    task = asyncio.get_running_loop().create_task(work, context=context)
    _at_work.add(task)
    task.add_done_callback(_at_work.discard)
    return task


def _begins_at_once(function: Callable[..., Any]) -> bool:
    """Whether a call of it only makes a coroutine or a generator."""
    return inspect.iscoroutinefunction(function) or _generates(function)


def _generates(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 (an object with an async generator as __call__)
    return inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(call)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", "")
