"""One stream of one provider, open for one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from patter_nb.errors import PatterError
from patter_nb.session.boundary import guard, naming
from patter_nb.session.patience import opened


class Held:
    """A stream that is opened and closed in a task of its own, so that one can be opened in the middle of a reply and closed by
    whoever ends the call, whatever it is made of. `failed` is told what goes wrong while it is closed.
    """

    def __init__(
        self,
        provider: Any,
        open_it: Callable[[], AbstractAsyncContextManager[Any]],
        failed: Callable[[str], None],
        *,
        ahead: bool = False,
    ) -> None:
        self.provider = provider
        self.ahead = ahead
        """Whether it was opened before its call wanted it."""
        self.stream: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        """The open stream, or the `PatterError` that says why there is none."""
        self._open_it = open_it
        self._failed = failed
        self._over = asyncio.Event()
        self.task = asyncio.create_task(self._own(), name=f"hold {provider.provider}")
        """Done when it is closed."""

    @property
    def usable(self) -> bool:
        """Whether it is open, or being opened."""
        if self._over.is_set() or self.task.done():
            return False
        return not self.stream.done() or (not self.stream.cancelled() and self.stream.exception() is None)

    def release(self) -> None:
        """Have it closed; what is still being opened is given up: nobody wants it any more."""
        self._over.set()
        if not self.stream.done():
            self.task.cancel()

    async def _own(self) -> None:
        def failed(error: str) -> None:
            if self.stream.done():
                self._failed(error)

        try:
            with guard(failed, who=self.provider.provider):
                await self._hold()
        finally:
            if not self.stream.done():
                self.stream.cancel()

    async def _hold(self) -> None:
        async with AsyncExitStack() as streams:
            try:
                with naming(self.provider.provider):
                    found = await opened(streams, self._open_it(), provider=self.provider.provider)
            except PatterError as error:
                self.stream.set_exception(error)
                self.stream.exception()  # it was looked at, also when nobody waits any more
                return
            self.stream.set_result(found)
            await self._over.wait()
