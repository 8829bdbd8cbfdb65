"""How long a provider that has begun may stay silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from patter_nb.errors import ProviderError
from patter_nb.providers.base import closing

T = TypeVar("T")


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
