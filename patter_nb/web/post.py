"""One POST of JSON to a checked address, and as much of the answer as is wanted."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from patter_nb.errors import PatterError
from patter_nb.web.address import DEFAULT_PORTS, AddressError, Target, checked

if TYPE_CHECKING:
    import httpx

MIB = 1024 * 1024

MOST_BYTES = MIB
"""The longest answer that is read unless more is asked for."""


class WebError(PatterError):
    """The other side could not be asked, or answered what cannot be used. `retryable`: asking again may help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `body` is as it was sent, not longer than was wanted."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON; `WebError` when it is none."""
        try:
            return json.loads(self.body, parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            raise WebError(f"The answer is not JSON: {error}.") from error


@cache
def tls() -> ssl.SSLContext:
    """Whom to trust, made once per process: reading the certificates takes tens of milliseconds."""
    import httpx

    return httpx.create_ssl_context()


async def post_json(
    target: Target | str,
    payload: Any,
    *,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
    most_bytes: int = MOST_BYTES,
    allow_private: bool = False,
) -> Reply:
    """POST `payload` and read the answer, all within `timeout_seconds`; a URL is checked first (see `web.address`).

    Redirects are not followed, and proxies of the environment are not used. `AddressError` for a place where nothing may be sent
    (`allow_private` is for URLs; a `Target` was checked already); `WebError` for everything that goes wrong on the way.
    """
    try:
        body = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WebError(f"What was to be sent is not JSON: {error}.") from error
    try:
        async with asyncio.timeout(timeout_seconds):
            if isinstance(target, str):
                target = await checked(target, allow_private=allow_private)
            return await _post(target, body, headers or {}, most_bytes)
    except TimeoutError as error:
        host = target.host if isinstance(target, Target) else "the host"
        raise WebError(f"{host} did not answer within {timeout_seconds:g} s.", retryable=True) from error


async def _post(target: Target, body: bytes, headers: Mapping[str, str], most_bytes: int) -> Reply:
    trusted = await asyncio.to_thread(tls)  # the first time it would hold up the loop
    import httpx

    transport = httpx.AsyncHTTPTransport(verify=trusted, trust_env=False)
    async with httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as client:
        try:
            request = client.build_request("POST", _dialled(target), content=body, headers=_headers(target, headers))
            request.extensions["sni_hostname"] = target.host
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                return Reply(response.status_code, await _bounded(response, most_bytes))
            finally:
                await response.aclose()
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            # The cause is left out: it would show the header.
            raise WebError(f"A header for {target.host} cannot be sent: it has characters that HTTP forbids.") from None
        except httpx.HTTPError as error:
            raise WebError(f"{target.host} cannot be asked: {_said(error)}.", retryable=True) from error


def _dialled(target: Target) -> httpx.URL:
    """The URL with the address in the place of the host: what is connected to is what was checked."""
    import httpx

    try:
        return httpx.URL(target.url).copy_with(host=target.address, port=target.port, fragment=None)
    except httpx.InvalidURL as error:
        raise AddressError(f"The URL of {target.host} cannot be used: {error}.") from error


def _headers(target: Target, more: Mapping[str, str]) -> httpx.Headers:
    import httpx

    headers = httpx.Headers({"content-type": "application/json", "accept": "application/json"})
    headers.update(more)
    headers["accept-encoding"] = "identity"  # a packed answer has no bound before it is unpacked
    host = f"[{target.host}]" if ":" in target.host else target.host
    headers["host"] = host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"
    return headers


async def _bounded(response: httpx.Response, most_bytes: int) -> bytes:
    """The body; `WebError` as soon as it is longer than wanted."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise WebError("The answer is packed, which was not asked for.")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > most_bytes:
            raise WebError(f"The answer is longer than {_size(most_bytes)}.")
    return bytes(body)


def _said(error: Exception) -> str:
    """What the error says, without the full stop that ends it."""
    return str(error).rstrip(".") or type(error).__name__


def _size(number: int) -> str:
    """So many bytes. The longest usual answer has seven digits, which would be taken for a number of somebody's."""
    return f"{number // MIB} MiB" if number % MIB == 0 else f"{number} bytes"


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
