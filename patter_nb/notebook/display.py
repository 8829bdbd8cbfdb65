"""A call's card under the cell that started it, and what a call shows of itself anywhere else.

A card is made in the running cell and filled in again later from any thread or task. It is drawn in a worker thread and goes to
the page from the kernel's loop, addressed by its display id, so it cannot land under another cell.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
from collections.abc import Callable
from typing import Any

from patter_nb.notebook.card import card_html
from patter_nb.notebook.loops import kernel_loop, kernel_shell
from patter_nb.notebook.tables import text_summary
from patter_nb.notebook.view import CallView

MakeView = Callable[[], CallView]
_Shown = concurrent.futures.Future[None]

_log = logging.getLogger(__name__)


def in_notebook() -> bool:
    """Whether this process is a live Jupyter kernel; False in scripts and in IPython's terminal."""
    return kernel_shell() is not None


def mimebundle(view: CallView) -> dict[str, str]:
    """The call as a notebook shows it: the card as "text/html", the tables as "text/plain"."""
    return {"text/plain": text_summary(view), "text/html": card_html(view)}


class CardHandle:
    """The place of one card. Made in the cell that starts the call; outside a notebook it shows nothing and costs nothing."""

    def __init__(self, view: CallView) -> None:
        """Show the card as it stands now, under the running cell."""
        self._loop = kernel_loop()
        self._cell = _running_cell()
        self._wanted: list[tuple[MakeView, _Shown]] = []
        self._drawing: asyncio.Task[None] | None = None
        self._place: Any = None
        if self._loop is not None:
            from IPython.display import display

            self._place = display(mimebundle(view), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def in_its_cell(self) -> bool:
        """Whether the cell that made the card is the one that runs: there a line is enough for the call itself."""
        return self._place is not None and _running_cell() == self._cell

    async def update(self, make_view: MakeView) -> None:
        """Show what `make_view` returns, and wait until it stands there. From a task of any loop. Raises what `make_view` raises.

        `make_view` is called in a worker thread. Of several states that wait to be drawn only the newest one is.
        """
        await asyncio.wrap_future(self._ask(make_view))

    def refresh(self, make_view: MakeView) -> None:
        """As `update`, from any thread, and without waiting; what `make_view` raises is logged."""
        self._ask(make_view).add_done_callback(_log_failure)

    def _ask(self, make_view: MakeView) -> _Shown:
        shown: _Shown = concurrent.futures.Future()
        if self._place is None or self._loop is None or self._loop.is_closed():
            shown.set_result(None)
        else:
            self._loop.call_soon_threadsafe(self._want, make_view, shown)
        return shown

    def _want(self, make_view: MakeView, shown: _Shown) -> None:
        self._wanted.append((make_view, shown))
        if self._drawing is None or self._drawing.done():
            # An empty context: what is published then counts as output of the cell that runs now, if one does. Pages go by the
            # display id whichever cell that is; what executes a notebook without a page listens to the running cell only.
            self._drawing = asyncio.get_running_loop().create_task(self._draw(), name="call card", context=contextvars.Context())

    async def _draw(self) -> None:
        while self._wanted:
            waiting, self._wanted = self._wanted, []
            newest = waiting[-1][0]
            work = asyncio.ensure_future(asyncio.to_thread(_bundle, newest))
            await asyncio.wait([work])
            error = work.exception()
            if error is None:
                self._place.update(work.result(), raw=True)
            for shown in (shown for _, shown in waiting if shown.set_running_or_notify_cancel()):
                shown.set_result(None) if error is None else shown.set_exception(error)


def _bundle(make_view: MakeView) -> dict[str, str]:
    return mimebundle(make_view())


def _log_failure(shown: _Shown) -> None:
    if not shown.cancelled() and (error := shown.exception()) is not None:
        _log.error("a call's card could not be drawn", exc_info=error)


def _running_cell() -> str | None:
    """What identifies the cell whose code this is; None outside a notebook."""
    shell = kernel_shell()
    return None if shell is None else str(shell.get_parent().get("header", {}).get("msg_id"))
