"""A call that is handed on by its carrier: what is asked of it, what comes of that, and what the end of the call does to it.

The carrier works in a task of the call. One that refuses, fails or says nothing leaves the call as it was: the conversation goes
on. A carrier takes the audio away before or after it says that it has the call, so the end of the audio alone tells nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping

from patter_nb.carriers.base import CallLine
from patter_nb.errors import CarrierError
from patter_nb.records.masking import mask_text
from patter_nb.session.boundary import guard, guarded
from patter_nb.turns.commands import ReleaseCaller, TransferCall
from patter_nb.turns.events import Event, TransferAnswered, TransferFailed

ANSWER_SECONDS = {"cold": 15.0, "warm": 120.0}
"""How long a carrier may take to hand the call on; for a warm transfer somebody's telephone rings meanwhile."""

LEAVING_SECONDS = 3.0
"""How long the audio may go on when the carrier has the call; then it is closed from here."""

LAST_SECONDS = 5.0
"""How long the carrier is waited for when the audio has ended and it has not said yet whether it has the call, and how long
it may take to put an end to what it began."""

OVER = "the call ended before"


class Handover:
    """The transfers of one call, one at a time.

    `post` takes the engine's events, `event(kind, data)` what is written down. `succeeded` is called when the carrier has the
    call, `close` when the audio is to be closed after that.
    """

    def __init__(
        self,
        line: CallLine,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        post: Callable[[Event], None],
        event: Callable[[str, Mapping[str, object]], None],
        succeeded: Callable[[TransferCall], None],
        close: Callable[[], None],
    ) -> None:
        self._line = line
        self._spawn = spawn
        self._post = post
        self._event = event
        self._succeeded = succeeded
        self._close = close
        self._task: asyncio.Task[None] | None = None
        self._leaves = asyncio.Event()
        """The carrier may take the caller away."""
        self._settled = asyncio.Event()
        """It is known what came of it."""

    def perform(self, command: TransferCall | ReleaseCaller) -> None:
        """Let the carrier hand the call on; or let it take the caller to whoever answered, since the agent has finished."""
        if isinstance(command, TransferCall):
            self._leaves, self._settled = asyncio.Event(), asyncio.Event()
            self._task = self._spawn(self._work(command), "transfer")
        if isinstance(command, ReleaseCaller) or command.mode == "cold":
            self._leaves.set()

    async def end(self, *, by_caller: bool) -> None:
        """The audio is closed, by the caller's side or by ours: settle what is under way.

        Where the carrier may have taken it away, it is asked what it did. Else it does not hand the call on any more: whoever is
        being called for it is called no longer, and a call that we end is ended at the carrier, which might have it by now.
        """
        task = self._task
        if task is None:
            return
        if by_caller and self._leaves.is_set():
            await _within(self._settled.wait())
        if self._settled.is_set():
            return
        task.cancel()
        await asyncio.wait((task,), timeout=LAST_SECONDS)
        if self._leaves.is_set() and not by_caller:
            await guarded(_within(self._line.hang_up()), self._not_hung_up, who="the carrier")

    async def _work(self, order: TransferCall) -> None:
        errors: list[str] = []
        try:
            with guard(errors.append, who="the carrier"):
                await self._ask(order)
        except asyncio.CancelledError:
            self._failed(order, OVER)
            raise
        if errors:
            self._failed(order, errors[0])
            self._post(TransferFailed(mask_text(errors[0])))
            return
        self._settled.set()
        self._succeeded(order)
        await asyncio.sleep(LEAVING_SECONDS)
        self._close()

    async def _ask(self, order: TransferCall) -> None:
        seconds = ANSWER_SECONDS[order.mode]
        try:
            async with asyncio.timeout(seconds) as limit:
                if order.mode == "warm":
                    await self._line.warm_transfer(order.number, order.summary, self._answered)
                else:
                    await self._line.transfer(order.number)
        except TimeoutError:
            if not limit.expired():
                raise
            raise CarrierError(f"The carrier did not do it within {seconds:g} s.") from None

    async def _answered(self) -> None:
        """Somebody answered. Returns when the caller may be taken away."""
        self._post(TransferAnswered())
        await self._leaves.wait()

    def _failed(self, order: TransferCall, error: str) -> None:
        self._settled.set()
        self._event("transfer_failed", {"number": order.number, "mode": order.mode, "error": error})

    def _not_hung_up(self, error: str) -> None:
        self._event("not_closed", {"error": error})


async def _within(waiting: Coroutine[None, None, object]) -> None:
    """Wait for it, and no longer than `LAST_SECONDS`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_SECONDS):
            await waiting
