"""What a server takes from whoever connects: so many sockets, so long a message, so much patience."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


IDLE_FRAMES = 500
"""Most pings and parts of messages on one WebSocket in `ping_seconds`: they ask for work, and nobody counts them as messages."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one server."""

    sockets: int = 64
    """Open at once; one more is closed as soon as it is there."""
    message_bytes: int = 65_536
    """Of one WebSocket message."""
    header_bytes: int = 16_384
    """Of a request's line and headers, together with what of its body is not read yet."""
    request_seconds: float = 10.0
    """How long a request may take to come, whole: the first from when its socket is open, another from its first byte on. So
    long, too, an answer may wait to be read, and a WebSocket that is over to be closed by its other side."""
    idle_seconds: float = 5.0
    """How long a socket may stay open for another request."""
    ping_seconds: float = 20.0
    """How often a WebSocket is asked whether it is still there, and how long it may take to answer."""


logger = logging.getLogger(__name__)
logger.setLevel(logging.ERROR)  # what anybody sends us is no news
logger.addHandler(logging.NullHandler())  # else it goes to whichever cell runs


class _Deadline:
    """Cuts a socket off when it comes. `set` leaves one that is set already."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, seconds: float) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._transport.abort)

    def clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _may_answer(protocol: H11Protocol) -> bool:
    """Whether somebody who sends what is no HTTP can be told so. What answers the head that came before it falls silent."""
    import h11

    if protocol.cycle is not None and not protocol.cycle.response_complete:
        protocol.cycle.disconnected = True
        protocol.cycle.message_event.set()
    return protocol.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)


def bounded(bounds: Bounds) -> type[H11Protocol]:
    """uvicorn's HTTP protocol, which bounds neither the sockets nor how long a request may take to come."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Bounded(H11Protocol):
        _switched = False

        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.logger = logger

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._request = _Deadline(self.loop, transport, bounds.request_seconds)
            self._reader = _Deadline(self.loop, transport, bounds.request_seconds)
            if len(self.connections) > bounds.sockets:
                transport.abort()
            else:
                self._request.set()

        def connection_lost(self, exc: Exception | None) -> None:
            self._request.clear()
            self._reader.clear()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._expect(h11.IDLE, h11.SEND_BODY)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._expect(h11.SEND_BODY)  # where it is idle, uvicorn waits for another request

        def _expect(self, *states: Any) -> None:
            if self.conn.their_state in states and not self._switched:
                self._request.set()
            else:
                self._request.clear()

        def send_400_response(self, msg: str) -> None:
            if _may_answer(self):
                super().send_400_response(msg)
            else:
                self.transport.abort()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._switched = True
            self._request.clear()
            super().handle_websocket_upgrade(event)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._reader.set()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._reader.clear()

    return Bounded


def bounded_socket(bounds: Bounds) -> type[WebSocketsSansIOProtocol]:
    """uvicorn's WebSocket protocol, which keeps whoever shakes no hand, or is not there to read, for ever."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class BoundedSocket(WebSocketsSansIOProtocol):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.logger = self.conn.logger = logger
            self._idle: deque[float] = deque(maxlen=IDLE_FRAMES)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if not self.handshake_initiated:  # its request came whole, so it is none
                self.transport.abort()

        async def run_asgi(self) -> None:
            try:
                await super().run_asgi()
            finally:
                self.loop.call_later(bounds.request_seconds, self.transport.abort)

        def handle_ping(self) -> None:
            if self._still_talks():
                super().handle_ping()

        def handle_cont(self, event: Any) -> None:
            if self._still_talks():
                super().handle_cont(event)

        def _still_talks(self) -> bool:
            """Count a frame that is no message; False when there were so many that nobody means them."""
            self._idle.append(self.loop.time())
            if len(self._idle) == IDLE_FRAMES and self._idle[-1] - self._idle[0] < bounds.ping_seconds:
                self.transport.abort()
            return not self.transport.is_closing()

        def keepalive_timeout(self) -> None:
            super().keepalive_timeout()
            self.transport.abort()  # else it stays until all that was written is read, and its application is not told

    return BoundedSocket
