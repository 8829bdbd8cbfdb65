"""A server in a running event loop, which is the notebook's.

We bind the socket ourselves, so a busy port is an error of the cell that asked for it and not the end of the kernel. Signals stay
with the kernel: an interrupt of any cell leaves the server up. Running a cell again gives back the server that is there, with
what it answers replaced. Nothing is printed, and no message is logged below an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from patter_nb.errors import ConfigError
from patter_nb.server.bounds import Bounds, bounded, bounded_socket

if TYPE_CHECKING:
    import uvicorn

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 1
"""How long a stop waits for what is open."""

App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application."""

_serving: dict[tuple[str, int], LoopServer] = {}
"""Every server of this process, by host and port."""
_lock = threading.Lock()


def serve(
    app: App | Callable[[], App],
    *,
    loop: asyncio.AbstractEventLoop,
    host: str = LOOPBACK,
    port: int = 0,
    bounds: Bounds | None = None,
    lazy: bool = False,
) -> LoopServer:
    """Serve `app` on `loop`, from any thread; connections are taken when this returns. Port 0 is a free one.

    Where this process serves that port already, the server is given back, and answers with `app` from now on. `lazy`: `app` makes
    the application, in a thread, since frameworks take their time to load. A port that is taken is an `OSError`.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65_535:
        raise ConfigError(f"port is {port!r}; it must be a whole number from 0 (any free one) to 65535.")
    with _lock:
        known = _serving.get((host, port))
        if known is not None and known.loop is loop and not known.stopped:
            known.replace(app, lazy=lazy)
            return known
        if known is not None and known.loop.is_closed():
            known.abandon()
        server = LoopServer(_listen(host, port), loop, bounds or Bounds())
        server.replace(app, lazy=lazy)
        _serving[server.host, server.port] = server
    server.begin()
    return server


def is_serving(port: int, host: str = LOOPBACK) -> bool:
    """Whether this process serves that port."""
    known = _serving.get((host, port))
    return known is not None and not known.stopped


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was ours a moment ago is free again
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        remedy = "stop what uses it, or give another port (0 takes a free one)"
        raise OSError(errno.EADDRINUSE, f"Port {port} of {host} is taken: {remedy}") from None
    listener.setblocking(False)
    return listener


class LoopServer:
    """One server. Made by `serve`."""

    def __init__(self, listener: socket.socket, loop: asyncio.AbstractEventLoop, bounds: Bounds) -> None:
        self.host: str
        self.port: int
        self.host, self.port = listener.getsockname()[:2]
        self.loop = loop
        self.stopped = False
        self._listener = listener
        self._bounds = bounds
        self._app: App | None = None
        self._make: Callable[[], App] | None = None
        self._server: uvicorn.Server | None = None
        self._over = asyncio.Event()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def replace(self, app: Any, *, lazy: bool) -> None:
        """Answer with `app` from now on. What is open goes on with the one before."""
        self._app, self._make = (None, app) if lazy else (app, None)

    def begin(self) -> None:
        """Take connections. From any thread."""
        # An empty context: what is printed by what it serves is no output of the cell that started it.
        self.loop.call_soon_threadsafe(self._begin, context=contextvars.Context())

    async def stop(self) -> None:
        """Stop, on its loop: the port is free when this returns. What is open is closed, within a second. Harmless twice."""
        self._end()
        await self._over.wait()

    def close(self) -> None:
        """As `stop`, without waiting and from any thread."""
        with contextlib.suppress(RuntimeError):  # its loop is closed, and its sockets with it
            self.loop.call_soon_threadsafe(self._end)

    def abandon(self) -> None:
        """Let go of a server whose loop is closed."""
        self.stopped = True
        self._listener.close()
        _forget(self)

    def _begin(self) -> None:
        self._task = self.loop.create_task(self._run(), name=f"server on port {self.port}")

    def _end(self) -> None:
        self.stopped = True
        with _lock:
            _forget(self)
        if self._server is not None:
            self._server.should_exit = True

    async def _run(self) -> None:
        try:
            if not self.stopped:
                self._server = await asyncio.to_thread(_uvicorn, self._answer, self._bounds)
                self._server.should_exit = self.stopped
                await self._server.serve(sockets=[self._listener])
        finally:
            self._let_go()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None and self._make is not None:
            made = await asyncio.to_thread(self._make)
            self._app = self._app or made
        assert self._app is not None
        with contextlib.suppress(asyncio.CancelledError):  # the loop closes: no failure that anybody should read of
            await self._app(scope, receive, send)

    def _let_go(self) -> None:
        """Close what is still open, however it ended: the loop may be about to close."""
        self.stopped = True
        if self._server is not None:
            for listening in getattr(self._server, "servers", ()):
                listening.close()
            for connection in tuple(self._server.server_state.connections):
                connection.transport.abort()
        self._listener.close()
        with _lock:
            _forget(self)
        self._over.set()

    def __repr__(self) -> str:
        return f"<LoopServer {self.url}{', stopped' if self.stopped else ''}>"


def _forget(server: LoopServer) -> None:
    if _serving.get((server.host, server.port)) is server:
        del _serving[server.host, server.port]


def _uvicorn(app: App, bounds: Bounds) -> uvicorn.Server:
    import uvicorn

    class Quiet(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # they are the kernel's

    logging.getLogger("uvicorn").addHandler(_SILENT)  # else its warnings go to whichever cell runs
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=bounded(bounds),
        ws=bounded_socket(bounds),
        ws_max_size=bounds.message_bytes,
        ws_ping_interval=bounds.ping_seconds,
        ws_ping_timeout=bounds.ping_seconds,
        ws_per_message_deflate=False,  # frames of 20 ms do not become smaller
        h11_max_incomplete_event_size=bounds.header_bytes,
        timeout_keep_alive=int(bounds.idle_seconds),
        timeout_graceful_shutdown=GRACE_SECONDS,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    config.load()
    return Quiet(config)


_SILENT = logging.NullHandler()
