"""The door of the webhooks: a request comes in when it is small, in time, a form, and signed for our public address.

The address is that of the tunnel, never what the request says of itself: a Host header is anybody's to write.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from patter_nb.carriers.twilio.signature import is_signed
from patter_nb.carriers.twilio.webhooks import form_pairs

BODY_BYTES = 65_536
"""Longest form taken. Twilio's have some 2,000; a transfer's summary and a speech result may add a few thousand."""
BODY_SECONDS = 10.0
"""How long a body may take to arrive."""
SIGNATURE = "x-twilio-signature"
FORM = "application/x-www-form-urlencoded"

Form = dict[str, str]


class Refused(Exception):  # noqa: N818 (an answer, not an error of ours)
    """A request that does not come in: the HTTP status it gets, and why, in a few words for whoever debugs the carrier's side."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Door:
    """`secret()` gives the token that signs, `origin()` the public address ("https://host"; "" while there is none)."""

    def __init__(self, secret: Callable[[], str], origin: Callable[[], str]) -> None:
        self._secret = secret
        self._origin = origin

    async def form(self, request: Any) -> Form:
        """The fields of a signed request; `Refused` or `CarrierError` for any other. Of fields of one name the last counts."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise Refused(415, "the body is no form")
        given = request.headers.getlist(SIGNATURE)
        if len(given) != 1:
            raise Refused(403, "there is no signature" if not given else "there are two signatures")
        body = await _body(request)
        pairs = form_pairs(body)
        origin, query = self._origin(), request.url.query
        url = f"{origin}{request.scope['raw_path'].decode('latin-1')}{f'?{query}' if query else ''}"
        if not origin or not is_signed(self._secret(), url, pairs, given[0]):
            raise Refused(403, "the signature is not that of this account, or of this address")
        return dict(pairs)


async def _body(request: Any) -> bytes:
    """The body, as far as it is small and comes in time."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > BODY_BYTES:
        raise Refused(413, "the body is too long")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS), contextlib.aclosing(request.stream()) as stream:
            async for part in stream:
                parts.append(part)
                size += len(part)
                if size > BODY_BYTES:
                    raise Refused(413, "the body is too long")
    except TimeoutError:
        raise Refused(408, "the body did not come") from None
    return b"".join(parts)
