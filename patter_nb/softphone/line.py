"""The line between a softphone and the session of one call: a `carriers.base.Connection` whose other end is a page."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from patter_nb.softphone.handset import Handset

MOST_UNREAD = 65_536
"""Unread messages at which the line is cut: 20 minutes of frames."""

SILENT_SECONDS = 5
"""For how long nothing may come from a page that talks, before it is taken for gone. A busy loop's time does not count."""


class Line:
    """One call of a softphone, from the first ring to the end. `closed` is told when the session hangs up."""

    def __init__(self, call_id: str, agent: str, *, closed: Callable[[Line], None]) -> None:
        self.call_id = call_id
        self.agent = agent
        self.handset: Handset | None = None
        self.is_open = False
        """Whether the page was told to begin the stream."""
        self.dropped = False
        self.reason = ""
        """Why the call is over, once that is known."""
        self.taken = 0
        """Messages that came from the page."""
        self._closed_by_us = closed
        self._end: Callable[[str], object] | None = None
        self._ended = ""
        """Why the call was ended before there was a way to."""
        self._picked = asyncio.Event()
        self._unread: deque[str] = deque()
        self._news = asyncio.Event()
        self._closed = False

    # The softphone's side.

    def ends_with(self, end: Callable[[str], object]) -> Line:
        """`end(reason)` ends the call; at once where that was wanted already."""
        self._end = end
        if self._ended:
            end(self._ended)
        return self

    def hang_up(self, reason: str) -> None:
        """End the call, for this reason."""
        if self._end is not None:
            self._end(reason)
        else:
            self._ended = self._ended or reason

    def pick_up(self, handset: Handset) -> None:
        """Somebody talks from this handset."""
        self.handset = handset
        self._picked.set()

    @property
    def is_picked_up(self) -> bool:
        return self._picked.is_set()

    async def picked_up(self, within_seconds: float) -> bool:
        """Wait until somebody does; False when nobody did in time."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._picked.wait()
        except TimeoutError:
            return False
        return True

    def open(self, parameters: Mapping[str, str]) -> None:
        """Let the page begin the stream."""
        if self.handset is not None and not self._closed:
            self.is_open = True
            self.handset.tell("open", {"parameters": dict(parameters)})

    def take(self, text: str) -> None:
        """A message of the media stream came from the page."""
        self.taken += 1
        if self._closed:
            return
        self._unread.append(text)
        if len(self._unread) > MOST_UNREAD:
            self.drop("call dropped: the page sent more than could be read")
        self._news.set()

    def drop(self, reason: str) -> None:
        """The page is gone."""
        if not self._closed and not self.dropped:
            self.dropped = True
            self.hang_up(reason)
            self._news.set()

    async def watch(self) -> None:
        """Drop the call when nothing comes from a page that talks: a network that is gone closes no socket."""
        silent, seen = 0, self.taken
        while silent < SILENT_SECONDS:
            await asyncio.sleep(1)  # a busy loop makes this longer, and then what has come meanwhile is read first
            silent = 0 if self.taken != seen or not self.is_open else silent + 1
            seen = self.taken
        self.drop(f"call dropped: nothing came from the page for {SILENT_SECONDS} s")

    # The session's side.

    async def receive(self) -> str | None:
        """The next message; None when either side has closed and nothing is left to read."""
        while not self._unread:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self._unread.popleft()

    async def send(self, text: str) -> None:
        """Hand a message to the page."""
        if self.handset is not None and not self._closed:
            self.handset.play(text)

    async def close(self) -> None:
        """Hang up."""
        if not self._closed:
            self._closed = True
            self._news.set()
            self._closed_by_us(self)
