"""What the carrier sends to public addresses: signed webhooks and media sockets, all of it brought to ports of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from patter_nb.errors import ConfigError
from patter_nb.testing.twilio.signing import sign

if TYPE_CHECKING:
    import httpx
    from websockets.asyncio.client import ClientConnection

WEBHOOK_SECONDS = 15.0
"""How long Twilio waits for the answer to a webhook."""
HANDSHAKE_SECONDS = 5.0
CLOSE_SECONDS = 1.0

LOOPBACK = "127.0.0.1"
WEBHOOK_AGENT, MEDIA_AGENT = "TwilioProxy/1.1", "Twilio.TmeWs/1.0"
"""How Twilio's own clients name themselves."""


@dataclass(frozen=True, slots=True)
class Posted:
    """One webhook: what was sent and what came back. `status` is None when nothing did; `error` says why."""

    kind: str
    """voice, status, amd, recording or redirect."""
    url: str
    form: Mapping[str, str] = field(repr=False)
    status: int | None
    body: str = field(repr=False)
    content_type: str
    signature: str = field(repr=False)
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Posts:
    """Sends what the carrier sends. Lives on one loop."""

    def __init__(self, auth_token: Callable[[], str], keep: Callable[[Posted], None]) -> None:
        self.hosts: dict[str, int] = {}
        """The port behind each public name."""
        self._auth_token = auth_token
        self._keep = keep
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def port_of(self, url: str) -> int:
        """The port behind a public address. `ConfigError` where there is none."""
        host = urlsplit(url).hostname or ""
        if host not in self.hosts:
            raise ConfigError(f"nothing on this machine answers for {host or url!r}: open the simulator's tunnel, or route() it.")
        return self.hosts[host]

    async def post(self, kind: str, url: str, form: Mapping[str, str], method: str = "POST") -> Posted:
        """Send a webhook, signed over its public address, and keep it."""
        full = url
        if method == "GET":
            full = f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(form)}"
        signature = sign(self._auth_token(), full, form.items() if method == "POST" else ())
        status, body, content_type, error = await self._send(full, form, method, signature)
        posted = Posted(kind, full, dict(form), status, body, content_type, signature, error)
        self._keep(posted)
        return posted

    async def _send(self, url: str, form: Mapping[str, str], method: str, signature: str) -> tuple[int | None, str, str, str]:
        import httpx

        try:
            parts = urlsplit(url)
            target = f"http://{LOOPBACK}:{self.port_of(url)}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            if self._client is None:
                self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False)
            answer = await self._client.request(
                method,
                target,
                content=urlencode(form) if method == "POST" else None,
                headers={**_webhook_headers(method), "Host": parts.netloc, "X-Twilio-Signature": signature},
                timeout=WEBHOOK_SECONDS,
            )
        except (httpx.HTTPError, ConfigError) as failure:
            return None, "", "", f"{type(failure).__name__}: {failure}"
        return answer.status_code, answer.text, answer.headers.get("content-type", ""), ""

    async def media(self, url: str) -> MediaSocket:
        """Open the socket of a media stream. `OSError` where it cannot be opened, with the reason."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        try:
            socket = await connect(
                url.replace("wss://", "ws://", 1),
                host=LOOPBACK,
                port=self.port_of(url),
                additional_headers={"X-Twilio-Signature": sign(self._auth_token(), url)},
                user_agent_header=MEDIA_AGENT,
                compression=None,
                proxy=None,
                open_timeout=HANDSHAKE_SECONDS,
                close_timeout=CLOSE_SECONDS,
                max_size=2**24,
            )
        except (WebSocketException, ConfigError, TimeoutError) as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        return MediaSocket(socket)


def _webhook_headers(method: str) -> dict[str, str]:
    headers = {
        "User-Agent": WEBHOOK_AGENT,
        "Accept": "*/*",
        "X-Home-Region": "us1",
        "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
        "X-Forwarded-Proto": "https",
    }
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    return headers


class MediaSocket:
    """The carrier's end of a media stream: a `carriers.base.Connection`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.binary = False
        """Whether a binary message came, which ends the stream."""

    @property
    def close_code(self) -> int | None:
        return self._socket.close_code

    async def receive(self) -> str | None:
        from websockets.exceptions import ConnectionClosed

        try:
            message: Any = await self._socket.recv()
        except ConnectionClosed:
            return None
        if isinstance(message, bytes):
            self.binary = True
            return None
        return str(message)

    async def send(self, text: str) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(text)

    async def close(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await self._socket.close()
