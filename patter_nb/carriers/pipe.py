"""A media stream's socket within the process: two ends, each a `carriers.base.Connection`.

The ends may live on one event loop, also one in virtual time, or on two loops in two threads. An end has one receiver at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque

_MOST_UNREAD = 65_536
"""Unread messages at which the line is cut, as a socket's would be whose other side never reads: 20 minutes of frames."""


class PipeEnd:
    """One end. What was sent before a close is still received after it; then `receive` gives None."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._unread: deque[str] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._other: PipeEnd

    async def receive(self) -> str | None:
        """The next message; None when either side has closed and nothing is left to read."""
        while True:
            with self._lock:
                if self._unread:
                    return self._unread.popleft()
                if self._closed:
                    return None
                waiter = self._waiter = asyncio.get_running_loop().create_future()
            await waiter

    async def send(self, text: str) -> None:
        """Put a message into the other end. Nothing happens when the line is closed."""
        other = self._other
        with self._lock:
            if self._closed:
                return
            other._unread.append(text)
            overrun = len(other._unread) > _MOST_UNREAD
        if overrun:
            await self.close()
        other._wake()

    async def close(self) -> None:
        """Close both ends. Harmless when already closed."""
        with self._lock:
            self._closed = self._other._closed = True
        self._wake()
        self._other._wake()

    def _wake(self) -> None:
        with self._lock:
            waiter, self._waiter = self._waiter, None
        if waiter is None:
            return
        loop = waiter.get_loop()
        if loop is _running_loop():
            _resolve(waiter)
        else:
            with contextlib.suppress(RuntimeError):  # its loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_resolve, waiter)


def connection_pair() -> tuple[PipeEnd, PipeEnd]:
    """The two ends of one line."""
    lock = threading.Lock()
    near, far = PipeEnd(lock), PipeEnd(lock)
    near._other, far._other = far, near
    return near, far


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
