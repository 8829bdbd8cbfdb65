"""What a server takes from whoever connects: so many sockets, so long a message, so much patience."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol


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
    """How long a socket may be open before its first request is there."""
    idle_seconds: float = 5.0
    """How long it may stay open for another one."""
    ping_seconds: float = 20.0
    """How often a WebSocket is asked whether it is still there, and how long it may take to answer."""


def bounded(bounds: Bounds) -> type[H11Protocol]:
    """uvicorn's HTTP protocol, which bounds neither the sockets nor the time until a first request."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Bounded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > bounds.sockets:
                transport.abort()
                return
            self._deadline = self.loop.call_later(bounds.request_seconds, self._too_late)

        def connection_lost(self, exc: Exception | None) -> None:
            self._arrived()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._arrived()
            super().handle_websocket_upgrade(event)

        def _too_late(self) -> None:
            if self.cycle is None:  # no request was ever complete
                self.transport.abort()

        def _arrived(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()

    return Bounded
