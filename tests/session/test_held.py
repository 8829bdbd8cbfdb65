"""One stream of one provider: opened and closed by one task, whoever wants it and whoever ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from patter_nb.errors import PatterError
from patter_nb.session.held import Held

Virtual = Callable[..., Any]


class Provider:
    """Its opening takes a second, and fails if it is told to."""

    provider = "mine"

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.log: list[str] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        await asyncio.sleep(1.0)
        if self.error is not None:
            raise self.error
        self.log.append("open")
        try:
            yield "stream"
        finally:
            self.log.append("closed")


def test_it_is_usable_from_the_moment_it_is_wanted_until_it_is_released(virtual: Virtual) -> None:
    async def main() -> None:
        provider, failed = Provider(), list[str]()
        held = Held(provider, provider.open, failed.append)
        assert held.usable
        assert await held.stream == "stream"
        assert held.usable
        held.release()
        assert not held.usable
        await held.task
        assert (provider.log, failed) == (["open", "closed"], [])

    virtual(main())


def test_what_is_released_while_it_opens_is_given_up(virtual: Virtual) -> None:
    async def main() -> None:
        provider, failed = Provider(), list[str]()
        held = Held(provider, provider.open, failed.append)
        await asyncio.sleep(0.5)
        held.release()
        await asyncio.wait((held.task,))
        assert held.stream.cancelled()
        assert (held.usable, provider.log, failed) == (False, [], [])

    virtual(main())


def test_why_it_is_not_open_is_one_sentence_even_where_it_is_an_exit(virtual: Virtual) -> None:
    async def main() -> None:
        provider, failed = Provider(SystemExit("no key")), list[str]()
        held = Held(provider, provider.open, failed.append)
        await held.task
        error = held.stream.exception()
        assert isinstance(error, PatterError)
        assert str(error) == "mine raised SystemExit: no key"
        assert (held.usable, failed) == (False, [])

    virtual(main())
