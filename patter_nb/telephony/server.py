"""The server that a carrier calls: a port in the notebook's loop, the tunnel that makes it public, the number that points at it.

It is one task, which ends with everything that it opened closed.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from patter_nb.carriers.twilio import Twilio
from patter_nb.carriers.twilio.rest import TwilioRest
from patter_nb.errors import ConfigError, PatterError
from patter_nb.records.masking import mask_number
from patter_nb.server import Bounds, LoopServer, serve
from patter_nb.session.boundary import guarded
from patter_nb.telephony.afterwards import Afterwards
from patter_nb.telephony.desk import CallDesk, Take
from patter_nb.telephony.door import Door
from patter_nb.telephony.number import NumberWebhook
from patter_nb.telephony.readiness import Readiness
from patter_nb.tunnels.base import OpenTunnel, Tunnel

CALLS_END_SECONDS = 3.0
"""How long calls may take to end when the server stops."""
BOUNDS = Bounds(sockets=512, idle_seconds=120.0)
"""A call needs two or three; a webhook one, for a moment. A tunnel keeps its sockets for the next request, some for a minute and
a half: were we to close one just then, that webhook would be lost."""
REOPENINGS = 3
"""How often in a row a tunnel that was lost is opened again before the server gives up."""
STEADY_SECONDS = 600.0
"""A tunnel that has stood for so long was no part of that row."""

Webhook = Callable[[str], NumberWebhook]
"""Makes what points the number at a public address."""

_serving: dict[int, PhoneServer] = {}
"""Every served phone of this process, by its port."""


class PhoneServer:
    """What `await phone.serve(...)` gives. `await server.stop()` ends it; the kernel's other cells never do."""

    def __init__(self, carrier: Twilio, number: str, tunnel: Tunnel, *, port: int, tell: Callable[[str], None]) -> None:
        self.carrier = carrier
        self.number = number
        self.tunnel = tunnel
        self.host = ""
        """Its public name; "" until the tunnel stands."""
        self.problem: str | None = None
        """Why it ended by itself; None when it did not."""
        self.owner: object = None
        """The phone whose server it is; None before any has served."""
        self.readiness = Readiness()
        self.rest = TwilioRest(carrier)
        self.afterwards = Afterwards(self.rest)
        self.desk = CallDesk(self.afterwards, self.tell)
        self._token = carrier.signing_token()
        self._wanted = port
        self._tell = tell
        self._listening: LoopServer | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._was_ready = False
        self._webhook: Webhook | None = None
        self._replaced: PhoneServer | None = None
        self._pointing: NumberWebhook | None = None

    @property
    def port(self) -> int:
        return self._wanted if self._listening is None else self._listening.port

    @property
    def origin(self) -> str:
        """The public address; "" while there is none."""
        return f"https://{self.host}" if self.host else ""

    @property
    def stopped(self) -> bool:
        return self._task is None or self._task.done()

    def tell(self, line: str) -> None:
        """One line for whoever served, in their cell."""
        self._tell(line)

    def fits(self, carrier: Twilio, number: str, tunnel: Tunnel | None) -> bool:
        """Whether this very server is what these settings ask for."""
        going = not self.stopped and not self._stopping.is_set()
        return going and (carrier, number, tunnel) == (self.carrier, self.number, self.tunnel)

    def answer(self, owner: object, take: Take, tell: Callable[[str], None]) -> None:
        """Who takes calls that come in from now on; `owner` may stop the server."""
        self.owner, self.desk.take, self._tell = owner, take, tell
        self._token = self.carrier.signing_token()  # it may have been corrected

    async def until_ready(self) -> None:
        """Wait until calls can come in and go out. `PatterError` why they cannot."""
        await asyncio.shield(self.readiness.ready)

    def listen(self) -> None:
        """Take the port; `start` has to follow at once. `OSError` when another process has it."""
        self._listening = serve(self._app, loop=asyncio.get_running_loop(), port=self._wanted, bounds=BOUNDS, lazy=True)
        _serving[self.port] = self

    async def start(self, readiness: Readiness, webhook: Webhook, replaced: PhoneServer | None = None) -> None:
        """Open the tunnel, point the number at it; before that, stop the server whose place it takes. Raises what went wrong,
        everything closed again."""
        if self._listening is None:
            self.listen()
        self._webhook, self.readiness, self._replaced = webhook, readiness, replaced
        self._task = asyncio.create_task(self._run(), name=f"phone server on port {self.port}")
        ready = asyncio.ensure_future(asyncio.shield(readiness.ready))
        try:
            await asyncio.wait((ready, self._task), return_when=asyncio.FIRST_COMPLETED)
            await ready
        except asyncio.CancelledError:
            ready.cancel()  # else its failure would be one that nobody has looked at
            await self.stop()
            raise

    async def point(self, manage: bool | None) -> None:
        """`serve()` was run again, and says this of the number."""
        if self._pointing is not None:
            await self._pointing.again(manage)

    async def stop(self) -> None:
        """End what is on, give the number back, close the tunnel and the port. Harmless twice."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def closed(self) -> None:
        """Wait until it has ended. `PatterError` when it ended by itself."""
        if self._task is not None:
            await asyncio.wait((self._task,))
        if self.problem is not None:
            raise PatterError(self.problem)

    def _app(self) -> Any:
        from patter_nb.telephony.routes import make_app

        return make_app(self.desk, Door(lambda: self._token, lambda: self.origin))

    async def _run(self) -> None:
        def failed(error: str) -> None:
            self.problem = error
            if self._was_ready:  # nobody waits to be told
                self.tell(f"The server has stopped: {error}")
            self.readiness.failed(error)

        try:
            await guarded(self._serve(), failed, who="the server")
        finally:
            if self.problem is None:
                self.readiness.stopped()
            if _serving.get(self.port) is self:
                del _serving[self.port]

    async def _serve(self) -> None:
        assert self._listening is not None
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.rest.close)
            stack.push_async_callback(self._listening.stop)
            stack.push_async_callback(self.afterwards.close)
            if self._replaced is not None:
                await self._replaced.stop()
                self._replaced = None
            await asyncio.to_thread(importlib.import_module, "fastapi")  # else the first caller would wait for it
            losses, loop = 0, asyncio.get_running_loop()
            while losses <= REOPENINGS:
                began = loop.time()
                lost = await self._public()
                if not lost:
                    return
                losses = 1 if loop.time() - began > STEADY_SECONDS else losses + 1
                self.tell(f"The tunnel was lost ({lost}); another one is opened.")
                self.readiness.begin()
            raise PatterError(f"The tunnel was lost {losses} times in a row: serve again.")

    async def _public(self) -> str:
        """Be reachable until it is stopped ("") or the tunnel is lost (why)."""
        async with AsyncExitStack() as stack:
            opened = await self._unless_stopped(stack.enter_async_context(self.tunnel.open(self.port, self.tell)))
            if opened is None:
                return ""
            self.host = opened.host
            self.readiness.opened(self.host)
            if self._webhook is not None:
                self._pointing = webhook = self._webhook(self.origin)
                stack.push_async_callback(webhook.end)
                await webhook.begin()
            stack.push_async_callback(self._end_calls)
            self._was_ready = True
            self.readiness.done(self.host)
            return await self._until_lost(opened)

    async def _unless_stopped(self, opening: Any) -> OpenTunnel | None:
        work = asyncio.ensure_future(opening)
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait((work,))
        return None if work.cancelled() else work.result()

    async def _until_lost(self, opened: OpenTunnel) -> str:
        stop = asyncio.create_task(self._stopping.wait())
        lost: list[asyncio.Future[Any]] = [] if opened.lost is None else [opened.lost]
        await asyncio.wait([stop, *lost], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        return "" if self._stopping.is_set() or opened.lost is None else opened.lost.result()

    async def _end_calls(self) -> None:
        """End what is on: its audio has nowhere to go any more."""
        calls = [line.call for line in self.desk.open_lines if line.call is not None]
        if not self._stopping.is_set():
            return  # a tunnel was lost: its calls end by themselves, those on another way go on
        self.desk.take = None
        for call in calls:
            call.stop("server stopped")
        if calls:
            await asyncio.wait([asyncio.ensure_future(call.over()) for call in calls], timeout=CALLS_END_SECONDS)

    def __repr__(self) -> str:
        number, where = mask_number(self.number), f"{self.origin or 'no public address'} -> port {self.port}"
        return f"<PhoneServer {number}, {where}{', stopped' if self.stopped else f', {len(self.desk.open_lines)} calls'}>"


def served(port: int) -> PhoneServer | None:
    """The one that this process runs on that port."""
    return _serving.get(port)


def need_tunnel(tunnel: Tunnel | None) -> Tunnel:
    """The tunnel, or the error that says how to get one."""
    if tunnel is None:
        ways = "tunnel=True opens one of Cloudflare's, webhook_url= names a host that reaches this machine already"
        raise ConfigError(f"tunnel is missing: a carrier must reach this machine under a public name; {ways}.")
    return tunnel
