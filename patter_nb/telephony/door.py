"""The door of the webhooks: a request comes in when it is small, in time, a form, and signed for our public address.

The address is that of the tunnel, never what the request says of itself: a Host header is anybody's to write.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from patter_nb.carriers.twilio.signature import HEADER, is_signed
from patter_nb.carriers.twilio.webhooks import form_pairs

BODY_BYTES = 65_536
"""Longest form taken. Twilio's have some 2,000; a transfer's summary and a speech result may add a few thousand."""
BODY_SECONDS = 8.0
"""How long a body may take to arrive. Less than the server's patience, so that whoever is slow is told."""
FORM = "application/x-www-form-urlencoded"

Form = dict[str, str]


class Refused(Exception):  # noqa: N818 (an answer, not an error of ours)
    """A request that does not come in: the HTTP status it gets, and why, in a few words for whoever debugs the carrier's side.

    `unread`: some of its body was not read, so that nothing else can come on its socket.
    """

    def __init__(self, status: int, reason: str, *, unread: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.unread = unread


class Door:
    """`secret()` gives the token that signs, `origin()` the public address ("https://host"; "" while there is none)."""

    def __init__(self, secret: Callable[[], str], origin: Callable[[], str]) -> None:
        self._secret = secret
        self._origin = origin

    async def form(self, request: Any) -> Form:
        """The fields of a signed request; `Refused` or `CarrierError` for any other. Of fields of one name the last counts."""
        body = await _body(request)  # first: a socket whose request was not read is of no more use
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise Refused(415, "the body is no form")
        given = request.headers.getlist(HEADER)
        if len(given) != 1:
            raise Refused(403, "there is no signature" if not given else "there are several signatures")
        pairs = form_pairs(body)
        origin = self._origin()
        url = f"{origin}{_target(request)}"
        if not origin or not is_signed(self._secret(), url, pairs, given[0]):
            raise Refused(403, "the signature is not that of this account, or of this address")
        return dict(pairs)


def _target(request: Any) -> str:
    """Path and query as they came, which is how they were signed."""
    query = request.scope["query_string"]
    target: bytes = request.scope["raw_path"] + (b"?" + query if query else b"")
    return target.decode("latin-1")


async def _body(request: Any) -> bytes:
    """The body, as far as it is small and comes in time."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > BODY_BYTES:
        raise Refused(413, "the body is too long", unread=True)
    from starlette.requests import ClientDisconnect

    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS), contextlib.aclosing(request.stream()) as stream:
            async for part in stream:
                parts.append(part)
                size += len(part)
                if size > BODY_BYTES:
                    raise Refused(413, "the body is too long", unread=True)
    except TimeoutError:
        raise Refused(408, "the body did not come", unread=True) from None
    except ClientDisconnect:
        raise Refused(400, "the body broke off", unread=True) from None
    return b"".join(parts)
