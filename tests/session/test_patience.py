"""Waiting for a provider's next event, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from patter_nb.errors import ProviderError
from patter_nb.session.patience import OPENING_SECONDS, opened, timely

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


@asynccontextmanager
async def opens(after: float, closed: list[str], error: Exception | None = None) -> AsyncIterator[str]:
    await asyncio.sleep(after)
    if error is not None:
        raise error
    try:
        yield "stream"
    finally:
        closed.append("closed")


def test_what_is_opened_in_time_is_open_until_the_stack_is_closed(virtual: Virtual) -> None:
    closed: list[str] = []

    async def main() -> None:
        async with AsyncExitStack() as streams:
            assert await opened(streams, opens(OPENING_SECONDS - 1, closed), provider="acme") == "stream"
            assert closed == []

    virtual(main())
    assert closed == ["closed"]


@pytest.mark.parametrize(
    ("seconds", "error", "kind", "sentence"),
    [
        (OPENING_SECONDS + 1, None, ProviderError, "acme was not open within 30 s."),
        (1.0, TimeoutError("the server is slow"), TimeoutError, "the server is slow"),
        (1.0, ConnectionError("refused"), ConnectionError, "refused"),
    ],
)
def test_what_does_not_open_is_told_by_whose_fault_it_is(
    virtual: Virtual, seconds: float, error: Exception | None, kind: type, sentence: str
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as streams:
            await opened(streams, opens(seconds, [], error), provider="acme")

    with pytest.raises(kind) as caught:
        virtual(main())
    assert str(caught.value) == sentence
