"""Whether a phone can be called: two promises, made anew with each start of its server."""

from __future__ import annotations

import asyncio
from typing import Literal

from patter_nb.errors import ConfigError, PatterError


class Readiness:
    """`tunnel` and `ready` give the public host name, or raise why there is none, on the loop that asked for them first."""

    def __init__(self) -> None:
        self._tunnel: asyncio.Future[str] | None = None
        self._ready: asyncio.Future[str] | None = None
        self._handed: dict[str, asyncio.Future[str]] = {}
        """What users were handed last."""

    @property
    def tunnel(self) -> asyncio.Future[str]:
        if self._tunnel is None:
            self._tunnel = _promise()
        return self._tunnel

    @property
    def ready(self) -> asyncio.Future[str]:
        if self._ready is None:
            self._ready = _promise()
        return self._ready

    def hand_out(self, name: Literal["tunnel", "ready"]) -> asyncio.Future[str]:
        """The promise for a user, who may give up waiting for it. A failure is told once; then the next start is waited for."""
        promise: asyncio.Future[str] = getattr(self, name)
        known = promise is self._handed.get(name) and promise.done() and not promise.cancelled()
        if known and promise.exception() is not None:
            setattr(self, f"_{name}", None)
            promise = getattr(self, name)
        self._handed[name] = promise
        if promise.done():
            return promise
        copy = asyncio.shield(promise)
        copy.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, also when nobody waits for it
        return copy

    def begin(self) -> None:
        """A server starts: what was known of the one before holds no more. Whoever waits already waits for this one."""
        self._tunnel = _again(self._tunnel)
        self._ready = _again(self._ready)

    def opened(self, host: str) -> None:
        """The public name is known."""
        _resolve(self.tunnel, host)

    def done(self, host: str) -> None:
        """Calls can come in and go out."""
        _resolve(self.ready, host)

    def failed(self, reason: str) -> None:
        """They cannot, and will not without another start."""
        self._tunnel, self._ready = _rejected(self._tunnel, reason), _rejected(self._ready, reason)

    def stopped(self) -> None:
        """The server was stopped. Whoever waits hears of it; whoever asks from now on waits for the next one."""
        self.failed("The server was stopped.")
        self._tunnel = self._ready = None


def _promise() -> asyncio.Future[str]:
    try:
        return asyncio.get_running_loop().create_future()
    except RuntimeError:
        raise ConfigError("ready needs a running event loop: ask for it in a coroutine, as in await phone.ready.") from None


def _again(promise: asyncio.Future[str] | None) -> asyncio.Future[str]:
    """The promise, where it is still open on this loop; else another one."""
    waits = promise is not None and not promise.done() and promise.get_loop() is asyncio.get_running_loop()
    return promise if waits and promise is not None else _promise()


def _resolve(promise: asyncio.Future[str], host: str) -> None:
    if not promise.done():
        promise.set_result(host)


def _rejected(promise: asyncio.Future[str] | None, reason: str) -> asyncio.Future[str]:
    if promise is None or promise.done():
        promise = _promise()
    promise.set_exception(PatterError(reason))
    promise.exception()  # it was looked at, also when nobody waits for it
    return promise
