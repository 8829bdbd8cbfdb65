"""Waiting for a provider's next event, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from patter_nb.errors import ProviderError
from patter_nb.session.patience import timely

Virtual = Callable[[Coroutine[Any, Any, Any]], Any]


async def every(*seconds: float, closed: list[str] | None = None) -> AsyncIterator[float]:
    try:
        for wait in seconds:
            await asyncio.sleep(wait)
            yield wait
    finally:
        if closed is not None:
            closed.append("closed")


def test_events_pass_however_long_all_of_them_take(virtual: Virtual) -> None:
    async def main() -> list[float]:
        return [event async for event in timely(every(9, 9, 0, 9), 10, provider="p", what="audio")]

    assert virtual(main()) == [9, 9, 0, 9]


def test_one_that_takes_too_long_is_an_error_that_may_be_tried_again(virtual: Virtual) -> None:
    closed: list[str] = []

    async def main() -> None:
        async for _ in timely(every(1, 11, closed=closed), 10, provider="acme", what="audio"):
            pass

    with pytest.raises(ProviderError, match=r"^acme brought no audio within 10 s\.$") as caught:
        virtual(main())
    assert (caught.value.provider, caught.value.retryable) == ("acme", True)
    assert closed == ["closed"]


def test_a_timeout_of_the_providers_own_stays_its_own(virtual: Virtual) -> None:
    async def own() -> AsyncIterator[float]:
        raise TimeoutError("the server is slow")
        yield 0.0

    async def main() -> None:
        async for _ in timely(own(), 10, provider="acme", what="audio"):
            pass

    with pytest.raises(TimeoutError, match="the server is slow"):
        virtual(main())


def test_closing_it_closes_the_providers_iterator(virtual: Virtual) -> None:
    closed: list[str] = []

    async def main() -> None:
        events = timely(every(1, 1, closed=closed), 10, provider="acme", what="audio")
        await anext(events)
        await events.aclose()

    virtual(main())
    assert closed == ["closed"]
