"""The task boundary of a session: whatever a provider raises ends as an event, so that the engine decides and the call goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from patter_nb.errors import ProviderError


async def guarded(work: Awaitable[None], failed: Callable[[str], None], *, who: str) -> None:
    """Await `work`; hand what it raised to `failed` as one sentence. Cancellation passes through."""
    try:
        await work
    except ProviderError as error:
        failed(str(error))
    except Exception as error:
        # A provider may be a class out of a notebook cell and raise anything; nothing it raises may end the call.
        failed(f"{who} raised {type(error).__name__}: {error}")
