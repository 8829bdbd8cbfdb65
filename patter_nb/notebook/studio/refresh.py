"""Keeps what a front end shows in step with the phone: collected off the loop, shown on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from patter_nb.notebook.studio.ports import Ports

_log = logging.getLogger(__name__)


class Refresh:
    """`collect` reads the phone, in a thread; `show` is given what it returned, on the loop, where that differs from before."""

    def __init__(
        self, ports: Ports, collect: Callable[[], Mapping[str, Any]], show: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._loop = ports.loop
        self._collect = collect
        self._show = show
        self._shown: Mapping[str, Any] | None = None
        self._again = self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._stop = ports.watch(self.now)

    def now(self) -> None:
        """Read the phone again. On the loop; however often it is asked, one reading goes on at a time."""
        self._again = not self._closed
        if self._again and self._task is None:
            self._task = self._loop.create_task(self._work(), name="refresh of a studio")
            self._task.add_done_callback(self._done)

    async def _work(self) -> None:
        while self._again:
            self._again = False
            state = await asyncio.to_thread(self._collect)
            if state != self._shown and not self._closed:
                self._shown = state
                self._show(state)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a studio could not read its phone", exc_info=error)

    def close(self) -> None:
        self._closed = True
        self._again = False
        self._stop()
        if self._task is not None:
            self._task.cancel()
