"""An app behind the simulated carrier that shares nothing with ours: webhooks by the standard library, media by `websockets`.

It does what Twilio's documented examples do: answers with TwiML, reads `start`, plays `media` back, asks for a `mark`, clears.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from patter_nb.audio import g711
from patter_nb.testing import TwilioSimulator

SECONDS = 10.0
HTTP, MEDIA = "app.example.com", "media.example.com"
HZ = 8000
OTHER = "+15557654321"
EVENTS = ("initiated", "ringing", "answered", "completed")


def tone(seconds: float, hz: float = 440.0) -> np.ndarray:
    return (8000 * np.cos(2 * np.pi * hz * np.arange(round(seconds * HZ)) / HZ)).astype(np.int16)


def stream_twiml(path: str = "/media", after: str = "", **parameters: str) -> str:
    inner = "".join(f'<Parameter name="{name}" value="{value}"/>' for name, value in parameters.items())
    return f'<Response><Connect><Stream url="wss://{MEDIA}{path}">{inner}</Stream></Connect>{after}</Response>'


@dataclass
class Webhook:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    pairs: list[tuple[str, str]]

    @property
    def form(self) -> dict[str, str]:
        return dict(self.pairs)

    @property
    def url(self) -> str:
        return f"https://{self.headers['host']}{self.path}"


@dataclass
class Stream:
    """One media stream as the app sees it."""

    socket: ServerConnection
    messages: list[dict[str, Any]] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    @property
    def headers(self) -> Any:
        return self.socket.request.headers

    @property
    def path(self) -> str:
        return self.socket.request.path

    @property
    def start(self) -> dict[str, Any]:
        return next(message["start"] for message in self.messages if message["event"] == "start")

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]

    async def read(self) -> dict[str, Any] | None:
        try:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), SECONDS))
        except ConnectionClosed:
            self.closed = True
            return None
        self.messages.append(message)
        self.more.set()
        return message

    async def read_until(self, event: str) -> dict[str, Any] | None:
        while (message := await self.read()) is not None:
            if message["event"] == event:
                return message
        return None

    async def drain(self) -> None:
        while await self.read() is not None:
            pass

    async def send(self, event: str, **body: Any) -> None:
        await self.socket.send(json.dumps({"event": event, "streamSid": self.start["streamSid"], **body}))

    async def play(self, samples: np.ndarray, mark: str = "") -> None:
        await self.send("media", media={"payload": base64.b64encode(g711.encode(samples)).decode()})
        if mark:
            await self.send("mark", mark={"name": mark})


Behaviour = Callable[[Stream], Awaitable[None]]


async def listen(stream: Stream) -> None:
    """Read everything to the end."""
    await stream.drain()


@dataclass
class App:
    """`answers`: (status, body, content type) by path. `behave`: what happens on a media socket after its start message."""

    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    webhooks: list[Webhook] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    behave: Behaviour = listen
    http_port: int = 0
    media_port: int = 0

    def answer(self, path: str, body: str, status: int = 200, content_type: str = "text/xml") -> str:
        """Answer so under this path. Gives its public address."""
        self.answers[path] = (status, body, content_type)
        return f"https://{HTTP}{path}"

    def at(self, path: str) -> list[Webhook]:
        return [webhook for webhook in self.webhooks if urlsplit(webhook.path).path == path]

    async def media(self, socket: ServerConnection) -> None:
        stream = Stream(socket)
        self.streams.append(stream)
        if await stream.read_until("start") is not None:
            await self.behave(stream)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with serve(self.media, "127.0.0.1", 0, close_timeout=1) as server:
            self.media_port = server.sockets[0].getsockname()[1]
            yield


def _handler(app: App) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = body if self.command == "POST" else urlsplit(self.path).query
            app.webhooks.append(Webhook(self.path, headers, parse_qsl(query, keep_blank_values=True)))
            status, text, content_type = app.answers.get(urlsplit(self.path).path, (204, "", "text/plain"))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler


async def place(sim, app, twiml="<Response><Say>Hello</Say></Response>", events=EVENTS, **more):
    """Place a call over REST, with all callbacks, and give its line."""
    form = {
        "To": OTHER,
        "From": sim.number,
        "Twiml": twiml,
        "StatusCallback": app.answer("/status", "", 204),
        "StatusCallbackEvent": list(events),
        **more,
    }
    path = f"{sim.url}/2010-04-01/Accounts/{sim.account_sid}/Calls.json"
    async with httpx.AsyncClient(auth=(sim.account_sid, sim.auth_token), trust_env=False) as rest:
        answer = await rest.post(path, data=form)
    assert answer.status_code == 201, answer.text
    return sim.lines[answer.json()["sid"]]


@pytest.fixture
def app() -> Iterator[App]:
    app = App()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(app)) as server:
        app.http_port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield app
        server.shutdown()
        thread.join(SECONDS)


@pytest.fixture
def carried(app: App) -> Callable[..., Any]:
    """Runs `scenario(simulator, app)` with both up: `carried(scenario, speed=10)`."""

    def run(scenario: Callable[[TwilioSimulator, App], Awaitable[Any]], **settings: Any) -> Any:
        async def main() -> Any:
            async with (
                asyncio.timeout(30),
                app.listening(),
                TwilioSimulator(**{"speed": 10.0, "synthetic": True, "price_after_seconds": 0.1, **settings}) as sim,
            ):
                sim.route(HTTP, app.http_port)
                sim.route(MEDIA, app.media_port)
                return await scenario(sim, app)

        return asyncio.run(main())

    return run
