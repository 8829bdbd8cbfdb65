"""How long a provider may take to open, and how long it may stay silent once it has begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

from patter_nb.errors import ProviderError
from patter_nb.providers.base import closing

T = TypeVar("T")

OPENING_SECONDS = 30.0
"""How long a provider may take to be open for a call: a model that is being loaded, a server that wakes up."""


async def opened(streams: AsyncExitStack, stream: AbstractAsyncContextManager[T], *, provider: str) -> T:
    """Enter `stream`, to be left with `streams`. `ProviderError` when that takes longer than `OPENING_SECONDS`."""
    try:
        async with asyncio.timeout(OPENING_SECONDS) as deadline:
            return await streams.enter_async_context(stream)
    except TimeoutError:
        if not deadline.expired():
            raise  # the provider's own
        message = f"{provider} was not open within {OPENING_SECONDS:g} s."
        raise ProviderError(message, provider=provider, retryable=True) from None


async def timely(events: AsyncIterator[T], seconds: float, *, provider: str, what: str) -> AsyncIterator[T]:
    """The events as they come. `ProviderError` when the next one takes longer than `seconds`. Closing this closes them."""
    async with closing(aiter(events)) as coming:
        while True:
            try:
                async with asyncio.timeout(seconds) as deadline:
                    event = await anext(coming)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not deadline.expired():
                    raise  # the provider's own
                message = f"{provider} brought no {what} within {seconds:g} s."
                raise ProviderError(message, provider=provider, retryable=True) from None
            yield event
