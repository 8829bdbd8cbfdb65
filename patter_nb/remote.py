"""Answers to a caller from somewhere else: `on_message` as a web address."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from patter_nb.errors import ConfigError, ConfigTypeError, PatterError

SCHEMES = ("http", "https", "ws", "wss")
MOST_BYTES = 64 * 1024
"""The longest answer, or message of a socket."""

SIGNATURE = "X-Patter-Signature"


class RemoteError(PatterError):
    """Whoever was asked did not answer as they must."""


@dataclass(frozen=True)
class RemoteMessage:
    """Where `on_message` is answered.

    http(s): a POST of `{"text", "call_id", "caller", "callee", "history"}`; the answer is `{"text": "..."}` or plain text.
    ws(s): that object is sent once the socket is open, and `{"text": "..."}` or plain text comes in as many messages as it
    takes, until `{"done": true}` or the socket closes. With `secret` the header `X-Patter-Signature` holds the HMAC-SHA256 of
    what is sent, in hex; for a socket it is sent with its opening. Only addresses of the public internet are asked unless
    `allow_private=True`.
    """

    url: str
    secret: str = field(default="", repr=False, kw_only=True)
    allow_private: bool = field(default=False, kw_only=True)
    timeout_seconds: float = field(default=30.0, kw_only=True)
    """For the answer, or for the next message of a socket."""

    def __post_init__(self) -> None:
        if not isinstance(self.url, str):
            raise ConfigTypeError(f"url of on_message is {type(self.url).__name__}; it must be a string.")
        if urlsplit(self.url).scheme not in SCHEMES:
            raise ConfigError(f"url of on_message must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)}.")

    async def replies(self, payload: dict[str, Any]) -> AsyncIterator[str]:
        """The pieces of the answer to a message. `RemoteError`, `WebError` or `AddressError` when there is none."""
        body = json.dumps(payload, ensure_ascii=False)
        if urlsplit(self.url).scheme in ("ws", "wss"):
            async for piece in self._socket(body):
                yield piece
        else:
            yield await self._post(payload, body)

    def _signed(self, body: str) -> dict[str, str]:
        if not self.secret:
            return {}
        return {SIGNATURE: hmac.new(self.secret.encode(), body.encode(), hashlib.sha256).hexdigest()}

    async def _post(self, payload: dict[str, Any], body: str) -> str:
        from patter_nb.web.address import checked
        from patter_nb.web.post import post_json

        target = await checked(self.url, allow_private=self.allow_private)
        signed, seconds = self._signed(body), self.timeout_seconds
        reply = await post_json(target, payload, headers=signed, timeout_seconds=seconds, most_bytes=MOST_BYTES)
        if reply.status >= 300:
            raise RemoteError(f"on_message: {target.host} answered with status {reply.status}.")
        return _text(reply.body.decode("utf-8", "replace"))[0]

    async def _socket(self, body: str) -> AsyncIterator[str]:
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, InvalidHandshake

        from patter_nb.web.address import checked
        from patter_nb.web.post import tls

        target = await checked(self.url, allow_private=self.allow_private, schemes=SCHEMES)
        secured: dict[str, Any] = {"ssl": tls(), "server_hostname": target.host} if target.scheme == "wss" else {}
        opening = connect(
            self.url,
            host=target.address,
            port=target.port,
            additional_headers=self._signed(body),
            max_size=MOST_BYTES,
            open_timeout=self.timeout_seconds,
            proxy=None,
            **secured,
        )
        try:
            async with opening as socket:
                await socket.send(body)
                async for piece in _pieces(socket, self.timeout_seconds, target.host):
                    yield piece
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
            raise RemoteError(f"on_message: {target.host} cannot be asked ({type(error).__name__}: {error}).") from error


async def _pieces(socket: Any, seconds: float, host: str) -> AsyncIterator[str]:
    from websockets.exceptions import ConnectionClosedOK

    while True:
        try:
            async with asyncio.timeout(seconds):
                message = await socket.recv()
        except ConnectionClosedOK:
            return
        except TimeoutError:
            raise RemoteError(f"on_message: {host} sent nothing for {seconds:g} s.") from None
        text, done = _text(message if isinstance(message, str) else message.decode("utf-8", "replace"))
        if text:
            yield text
        if done:
            return


def _text(told: str) -> tuple[str, bool]:
    """The text of an answer, and whether it says that it was the last one."""
    try:
        given = json.loads(told)
    except ValueError:
        return told, False
    if not isinstance(given, dict):
        return told, False
    text = given.get("text", "")
    if not isinstance(text, str):
        raise RemoteError(f"on_message: the answer's text is {type(text).__name__}; it must be a string.")
    return text, bool(given.get("done"))
