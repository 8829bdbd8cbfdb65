"""The page of a softphone, its script, and the socket on which it talks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from patter_nb.softphone import front
from patter_nb.softphone.handset import Handset, read, word
from patter_nb.softphone.origins import may_ask, may_connect

if TYPE_CHECKING:
    from fastapi import FastAPI

    from patter_nb.softphone.softphone import Softphone

Find = Callable[[str], "Softphone | None"]

HELLO_SECONDS = 5.0
"""How long a socket may be open before it says which softphone it is of, and proves it."""
MOST_UNSENT = 10_000
"""Messages that wait for a page which does not read them, before it is let go: three minutes of audio."""

HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": (
        "default-src 'none'; script-src 'self' blob:; worker-src blob:; style-src 'unsafe-inline'; connect-src 'self' ws: wss:; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}

REFUSED = 4401
"""Closed because it did not prove itself; the page says so."""
MALFORMED = 4400
CROWDED = 4429
GONE = {1001: "its page was closed", 1000: "its page was closed", MALFORMED: "its page sent what is no message"}
LOST = "the connection to its page was lost"


def make_app(find: Find) -> FastAPI:
    """The application of one loop's softphones."""
    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.routing import Route, WebSocketRoute

    def given(text: Callable[[], str], kind: str) -> Any:
        async def answer(request: Any) -> Response:
            if not may_ask(request.headers):
                return Response("This page is for this machine only.", 403, HEADERS, "text/plain")
            return Response(text(), 200, HEADERS, kind)

        return answer

    async def talk(websocket: Any) -> None:
        await _talk(websocket, find)

    return FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        routes=[
            Route("/softphone", given(front.page, "text/html")),
            Route("/softphone/softphone.js", given(front.module, "text/javascript")),
            Route("/softphone/page.js", given(front.page_script, "text/javascript")),
            WebSocketRoute("/softphone/line", talk),
        ],
    )


class SocketChannel:
    """A way to a page: its socket. What is sent is written by a task of its own, so whoever sends never waits."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._unsent: deque[str] = deque()
        self._more = asyncio.Event()
        self._code: int | None = None

    def send(self, text: str) -> None:
        if self._code is None:
            self._unsent.append(text)
            if len(self._unsent) > MOST_UNSENT:
                self._code = MALFORMED
            self._more.set()

    def close(self, code: int = 1000) -> None:
        if self._code is None:
            self._code = code
        self._more.set()

    async def run(self) -> None:
        """Write, until it is closed by either side."""
        from starlette.websockets import WebSocketDisconnect

        try:
            while True:
                while self._unsent and self._code != MALFORMED:
                    await self._websocket.send_text(self._unsent.popleft())
                if self._code is not None:
                    await self._websocket.close(self._code)
                    return
                self._more.clear()
                await self._more.wait()
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # it is closed; whoever reads it is told


async def _talk(websocket: Any, find: Find) -> None:
    """One socket, from its opening to its end."""
    if not may_connect(websocket.headers):
        await websocket.close()  # which refuses it: 403
        return
    await websocket.accept()
    channel = SocketChannel(websocket)
    writing = asyncio.create_task(channel.run(), name="softphone's socket")
    try:
        joined = await _hello(websocket, channel, find)
        if joined is not None:
            await _listen(websocket, channel, *joined)
    finally:
        channel.close()
        await asyncio.wait((writing,), timeout=1)
        writing.cancel()


async def _hello(websocket: Any, channel: SocketChannel, find: Find) -> tuple[Softphone, Handset] | None:
    """Let a page in that proves itself."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            text, _ = await _next(websocket)
    except TimeoutError:
        text = None
    known = None if text is None else read(text)
    if known is None or known[0] != "hello":
        channel.close(REFUSED)
        return None
    hello = known[1]
    phone, number = find(websocket.query_params.get("phone", "")), word(hello, "page")
    if phone is None or not number or not phone.admits(word(hello, "token")):
        channel.close(REFUSED)
        return None
    channel.send('{"event":"welcome"}')
    handset = phone.join(number, channel, control=hello.get("control") is True, audio=True)
    if handset is None:
        channel.close(CROWDED)
        return None
    return phone, handset


async def _listen(websocket: Any, channel: SocketChannel, phone: Softphone, handset: Handset) -> None:
    reason = LOST
    try:
        while True:
            text, code = await _next(websocket)
            if text is None:
                reason = GONE.get(code, LOST)
                return
            if not phone.take(handset, channel, text):
                reason = GONE[MALFORMED]
                channel.close(MALFORMED)
                return
    finally:
        phone.leave(handset, channel, reason)


async def _next(websocket: Any) -> tuple[str | None, int]:
    """The next text; None and the code when it is closed, or sends what is none."""
    message = await websocket.receive()
    if message["type"] != "websocket.receive":
        return None, int(message.get("code") or 1006)
    text = message.get("text")
    return (text, 0) if isinstance(text, str) else (None, MALFORMED)
