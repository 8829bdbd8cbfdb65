"""What comes over the wire to the carrier's port, byte by byte, and what a Twilio account signs. Shares no code with ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

HOST = "bench.example.com"
ORIGIN = f"https://{HOST}"
TOKEN = "0123456789abcdef" * 2
ACCOUNT = "AC" + "0a" * 16
NUMBER = "+15550001234"
CALLER = "+15557654321"
ANSWER = "/webhooks/twilio/answer"
FORM = "application/x-www-form-urlencoded"
WAIT_SECONDS = 15.0

Pairs = list[tuple[str, str]]


def sid(kind: str, number: int) -> str:
    return f"{kind}{number:032x}"


def signed(url: str, pairs: Iterable[tuple[str, str]], token: str = TOKEN) -> str:
    """What Twilio puts into X-Twilio-Signature."""
    text = url + "".join(name + value for name, value in sorted(pairs))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def calling(call_sid: str, **more: str) -> Pairs:
    """The form of a call that comes in."""
    form = {
        "CallSid": call_sid, "AccountSid": ACCOUNT, "From": CALLER, "To": NUMBER, "CallStatus": "ringing",
        "Direction": "inbound", "ApiVersion": "2010-04-01", **more,
    }  # fmt: skip
    return list(form.items())


def post(
    target: str = ANSWER,
    pairs: Pairs | bytes = b"",
    *,
    headers: Iterable[tuple[str, str]] | None = None,
    host: str = HOST,
    content_type: str | None = FORM,
    length: int | None = None,
) -> bytes:
    """A request as text. `headers` None: signed as Twilio signs it."""
    body = pairs if isinstance(pairs, bytes) else urlencode(pairs).encode()
    if headers is None:
        assert not isinstance(pairs, bytes)
        headers = [("X-Twilio-Signature", signed(f"{ORIGIN}{target}", pairs))]
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body) if length is None else length}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass
class Answer:
    """What came back. `status` 0: nothing, and the socket was closed."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    closed: bool = False
    """Whether the other side closed the socket after it."""


async def read(reader: asyncio.StreamReader) -> Answer:
    """One answer."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(closed=True)
    closed = headers.get("connection") == "close"
    return Answer(int(first.split()[1]), headers, body.decode("latin-1"), closed)


async def ask(port: int, request: bytes) -> Answer:
    """Open a socket, ask, take the answer, close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await read(reader)
    finally:
        writer.close()


async def closed(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side closes."""
    try:
        return await asyncio.wait_for(reader.read(), WAIT_SECONDS)
    except ConnectionError:
        return b""


def parameters(xml: str) -> dict[str, str]:
    """The parameters of the stream that an answer orders, and its path as "path"."""
    from xml.etree.ElementTree import fromstring

    stream = fromstring(xml).find(".//Stream")
    assert stream is not None, xml
    found = {each.get("name", ""): each.get("value", "") for each in stream}
    return found | {"path": re.sub(rf"^wss://{re.escape(HOST)}", "", stream.get("url", ""))}
