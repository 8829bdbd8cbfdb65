"""The socket on which a carrier streams a call's audio: who may open one, and what a session sees of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from patter_nb.carriers.base import StreamStarted
from patter_nb.carriers.twilio_media import MAX_MESSAGE_CHARACTERS, TwilioMediaCodec
from patter_nb.errors import CarrierError

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

START_SECONDS = 5.0
"""How long a socket may be open before its start message has said which call it is of, and proved it."""
BEFORE_START = 3
"""Most messages before that: Twilio sends one, `connected`."""
FLOOD_SECONDS = 10.0
FLOOD_MESSAGES = 5_000
"""So many messages in so many seconds are no call's: those have 50 a second, and what waited for a busy notebook comes at once, a
minute and a half of it at most."""
MESSAGE_CHARACTERS = 512
"""A message of 20 ms has some 350. A longer one counts as the many that its audio would have filled."""
TURN_MESSAGES = 50
"""So many are read in one go when they are there, then others have their turn: other calls share the loop."""
REFUSED, FLOODED = 1008, 1009


class Waiting(Protocol):
    """A call that waits for its audio."""

    @property
    def is_spent(self) -> bool:
        """Whether it waits no more."""

    def admits(self, token: str, carrier_call_id: str) -> bool:
        """Whether this is its socket; a token is good for once."""

    def connected(self, socket: MediaSocket) -> None:
        """Its audio is there."""


class MediaSocket:
    """A call's socket as a `carriers.base.Connection`. `first`: messages that were read already."""

    def __init__(self, websocket: WebSocket, first: list[str]) -> None:
        self._websocket = websocket
        self._first = deque(first)
        self._loop = asyncio.get_running_loop()
        self._window, self._messages, self._read = self._loop.time(), 0, 0
        self.flooded = False
        self.closed = asyncio.Event()
        """Set when either side has closed it."""

    async def receive(self) -> str | None:
        """The next message; None when it is closed, or floods us. A binary one is malformed, and so is an empty text."""
        if self._first:
            return self._first.popleft()
        if self.closed.is_set():
            return None
        self._read += 1
        if self._read % TURN_MESSAGES == 0:
            await asyncio.sleep(0)
        message = await self._websocket.receive()
        if message["type"] != "websocket.receive":
            self.closed.set()
            return None
        text: str = message.get("text") or ""
        if self._floods(text):
            self.flooded = True
            await self.close(FLOODED)
            return None
        return text

    async def send(self, text: str) -> None:
        """Hand a message over."""
        if not self.closed.is_set():
            with _gone():  # whoever receives is told
                await self._websocket.send_text(text)

    async def close(self, code: int = 1000) -> None:
        """Hang up."""
        if not self.closed.is_set():
            self.closed.set()
            with _gone():
                await self._websocket.close(code)

    def _floods(self, text: str) -> bool:
        now = self._loop.time()
        if now - self._window > FLOOD_SECONDS:
            self._window, self._messages = now, 0
        self._messages += 1 + len(text) // MESSAGE_CHARACTERS
        return self._messages > FLOOD_MESSAGES


async def admit(websocket: WebSocket, waiting: Waiting | None) -> None:
    """Let the socket in when its start message proves that it is the one `waiting` waits for, and keep it until it is closed."""
    with _gone():
        if waiting is None or waiting.is_spent:
            await websocket.close(REFUSED)  # before it is accepted: an HTTP 403
            return
        await websocket.accept()
        socket = await _started(websocket, waiting)
        if socket is None:
            await websocket.close(REFUSED)
            return
        try:
            waiting.connected(socket)
            await socket.closed.wait()
        finally:
            await socket.close()


def _gone() -> AbstractContextManager[None]:
    """Passes over what is raised when the other side is not there any more."""
    from starlette.websockets import WebSocketDisconnect

    return contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError)


async def _started(websocket: WebSocket, waiting: Waiting) -> MediaSocket | None:
    """The socket, once it has proved itself; it is read again from the beginning."""
    from starlette.websockets import WebSocketDisconnect

    read: list[str] = []
    try:
        async with asyncio.timeout(START_SECONDS):
            for _ in range(BEFORE_START):
                text = await websocket.receive_text()
                if len(text) > MAX_MESSAGE_CHARACTERS:
                    return None
                read.append(text)
                for event in TwilioMediaCodec().decode(text):
                    if isinstance(event, StreamStarted):
                        proved = waiting.admits(event.parameters.get("token", ""), event.call_id)
                        return MediaSocket(websocket, read) if proved else None
    except (TimeoutError, WebSocketDisconnect, KeyError, CarrierError):  # KeyError: a binary message
        return None
    return None
