"""Answers to a caller from somewhere else: `on_message` as a web address."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from patter_nb.errors import HIDDEN, ConfigError, ConfigTypeError, PatterError, scrub
from patter_nb.web.address import Target, checked, is_public, shown_url
from patter_nb.web.post import post_json, tls

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

SCHEMES = ("http", "https", "ws", "wss")
MOST_BYTES = 64 * 1024
"""The longest answer, or message of a socket."""

CLOSING_SECONDS = 1.0
"""How long the other side may take to agree that a socket is closed."""

SIGNATURE = "X-Patter-Signature"


class RemoteError(PatterError):
    """Whoever was asked did not answer as they must."""


@dataclass(frozen=True, repr=False)
class RemoteMessage:
    """Where `on_message` is answered.

    http(s): a POST of `{"text", "call_id", "caller", "callee", "history"}`; the answer is `{"text": "..."}`, a JSON string or
    plain text. ws(s): that object is sent once the socket is open, and the same comes back in as many messages as it takes,
    until `{"done": true}` or the socket closes.

    With `secret` the header `X-Patter-Signature` holds the HMAC-SHA256 of the bytes that are sent, in hex. A socket has headers
    only before anything is sent: there its opening holds the signature of the message that follows.

    Only addresses of the public internet are asked, and no redirect is followed, unless `allow_private=True` lets it ask this
    machine and its networks as well.
    """

    url: str
    secret: str = field(default="", kw_only=True)
    allow_private: bool = field(default=False, kw_only=True)
    timeout_seconds: float = field(default=30.0, kw_only=True)
    """For the answer; of a socket for its opening, and for each message."""

    def __post_init__(self) -> None:
        _check_url(self.url, self.allow_private)
        if not isinstance(self.secret, str):
            raise ConfigTypeError(f"secret of on_message is {type(self.secret).__name__}; it must be a string.")
        if not isinstance(self.allow_private, bool):
            raise ConfigTypeError(f"allow_private of on_message is {self.allow_private!r}; it must be True or False.")
        seconds = self.timeout_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ConfigTypeError(f"timeout_seconds of on_message is {seconds!r}; it must be a number of seconds above 0.")
        if not (math.isfinite(seconds) and seconds > 0):
            raise ConfigError(f"timeout_seconds of on_message is {seconds!r}; it must be above 0.")

    async def replies(self, payload: dict[str, Any]) -> AsyncIterator[str]:
        """The pieces of the answer to a message; closing this closes the socket they come through.

        `RemoteError`, `WebError` or `AddressError` when there is no answer.
        """
        target = await checked(self.url, allow_private=self.allow_private, schemes=SCHEMES)
        body = json.dumps(payload, ensure_ascii=False)
        if target.scheme in ("http", "https"):
            reply = await self._post(target, payload, self._signed(body))
            if reply:
                yield reply
            return
        async with aclosing(self._socket(target, body)) as pieces:
            async for piece in pieces:
                yield piece

    def _signed(self, body: str) -> dict[str, str]:
        if not self.secret:
            return {}
        return {SIGNATURE: hmac.new(self.secret.encode(), body.encode(), hashlib.sha256).hexdigest()}

    async def _post(self, target: Target, payload: dict[str, Any], headers: dict[str, str]) -> str:
        seconds = self.timeout_seconds
        reply = await post_json(target, payload, headers=headers, timeout_seconds=seconds, most_bytes=MOST_BYTES)
        if not 200 <= reply.status < 300:
            raise RemoteError(f"on_message: {target.host} answered with status {reply.status}.")
        return _told(reply.body, target.host)[0]

    async def _socket(self, target: Target, body: str) -> AsyncGenerator[str]:
        socket = await self._opened(target, self._signed(body))
        try:
            await socket.send(body)
            done = False
            while not done and (message := await self._message(socket, target.host)) is not None:
                text, done = _told(message, target.host)
                if text:
                    yield text
        finally:
            await _close(socket)

    async def _opened(self, target: Target, headers: dict[str, str]) -> ClientConnection:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        secured: dict[str, Any] = {}
        if target.scheme == "wss":
            secured = {"ssl": await asyncio.to_thread(tls), "server_hostname": target.host}
        # With host and port given, websockets refuses to be sent to another place, which nobody has checked.
        address: dict[str, Any] = {"host": target.address, "port": target.port, "proxy": None}
        seconds = self.timeout_seconds
        limits: dict[str, Any] = {"max_size": MOST_BYTES, "open_timeout": seconds, "close_timeout": CLOSING_SECONDS}
        try:
            return await connect(target.url, additional_headers=headers, **address, **limits, **secured)
        except TimeoutError:
            raise RemoteError(f"on_message: {target.host} did not open a socket within {seconds:g} s.") from None
        except (OSError, WebSocketException, ValueError) as error:
            # ValueError: the place it sends us to. The words are scrubbed: they may hold the URL.
            told = scrub(str(error).replace(target.url, shown_url(target.url)))
            raise RemoteError(f"on_message: {target.host} opened no socket ({told}).") from None

    async def _message(self, socket: ClientConnection, host: str) -> bytes | None:
        """The next message; None when the other side has closed."""
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await socket.recv(decode=False)
        except ConnectionClosedOK:
            return None
        except ConnectionClosed as error:
            raise RemoteError(f"on_message: {host} broke off its answer ({error}).") from None
        except TimeoutError:
            raise RemoteError(f"on_message: {host} sent nothing for {self.timeout_seconds:g} s.") from None

    def __repr__(self) -> str:
        more = [f"secret={HIDDEN!r}"] if self.secret else []
        more += ["allow_private=True"] if self.allow_private else []
        more += [f"timeout_seconds={self.timeout_seconds!r}"] if self.timeout_seconds != 30.0 else []
        return f"RemoteMessage({', '.join([repr(shown_url(self.url)), *more])})"


async def _close(socket: ClientConnection) -> None:
    """Close, also when the reply was cancelled; what the other side thinks of it is no matter."""
    with suppress(OSError):
        await socket.close()


def _told(message: bytes, host: str) -> tuple[str, bool]:
    """The text of an answer, and whether it says that it was the last one."""
    plain = message.decode("utf-8", "replace")
    try:
        given = json.loads(plain)
    except (ValueError, RecursionError):
        return plain, False
    if isinstance(given, str):
        return given, False
    if isinstance(given, int | float) and not isinstance(given, bool):
        return plain, False
    if not isinstance(given, dict) or not given.keys() & {"text", "done"}:
        raise RemoteError(f'on_message: {host} answered {scrub(plain[:80])}; an answer is {{"text": "..."}} or plain text.')
    text = given.get("text", "")
    if not isinstance(text, str):
        raise RemoteError(f"on_message: the text of {host} is {type(text).__name__}; it must be a string.")
    return text, bool(given.get("done"))


def _check_url(url: object, allow_private: bool) -> None:
    """What can be seen to be wrong without asking anyone; the rest shows when a message is to be answered."""
    begins = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    if not isinstance(url, str):
        raise ConfigTypeError(f"url of on_message is {type(url).__name__}; it must be a string that begins with {begins}.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError("url of on_message cannot be read: its host is malformed.") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ConfigError(f"url of on_message must begin with {begins}, and name a host.")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("url of on_message holds a user name or a password; sign with secret= instead.")
    if not allow_private and _is_private(parts):
        host = parts.hostname
        raise ConfigError(f"url of on_message leads to {host}, which is not on the public internet: set allow_private=True for a "
                          f"server of your own, as in RemoteMessage({shown_url(url)!r}, allow_private=True).")  # fmt: skip


def _is_private(parts: SplitResult) -> bool:
    """Whether the host is plainly this machine or one of its networks; a name may still turn out to be."""
    host = parts.hostname or ""
    try:
        return not is_public(ipaddress.ip_address(host))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
