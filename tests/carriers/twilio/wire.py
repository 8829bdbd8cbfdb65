"""Requests as they are on the wire, and a Twilio on loopback that answers what it is told to."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tests_of_web_listener import Listener, listening

from patter_nb.carriers.twilio import Twilio, TwilioRest

ACCOUNT = "AC" + "a" * 32
CALL = "CA" + "c" * 32
LEG = "CA" + "d" * 32
RECORDING = "RE" + "e" * 32
NUMBER = "PN" + "f" * 32
KEY = "SK" + "b" * 32
TOKEN = "made-up-token-0123456789abcdef"
SECRET = "made-up-secret-0123456789abcdef"


@dataclass(frozen=True)
class Sent:
    """What counts of a request. Pairs are sorted: their order means nothing to Twilio."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    form: tuple[tuple[str, str], ...]
    keys: tuple[str, str]
    media: str

    @classmethod
    def read(cls, method: str, target: str, headers: dict[str, str], body: str) -> Sent:
        path, _, query = target.partition("?")
        user, _, password = b64decode(headers["authorization"].removeprefix("Basic ")).decode().partition(":")
        media = headers.get("content-type", "") if method == "POST" else ""
        return cls(method, path, pairs(query), pairs(body), (user, password), media)


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))))


def sent(request: bytes) -> Sent:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    return Sent.read(method, target, headers, body.decode())


def answer(status: int = 200, body: object = None, **headers: object) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} Said", f"content-length: {len(content)}", "connection: close"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def call(status: str = "completed", sid: str = CALL, **more: object) -> dict[str, object]:
    return {"sid": sid, "status": status, "direction": "outbound-api", "price": None, "price_unit": "USD", **more}


@asynccontextmanager
async def twilio(*answers: bytes, **keys: str) -> AsyncIterator[tuple[TwilioRest, Listener]]:
    """The client, and what it asked."""
    async with listening(*answers) as listener:
        account = Twilio(base_url=f"http://127.0.0.1:{listener.port}", **(keys or {"account_sid": ACCOUNT, "auth_token": TOKEN}))
        rest = TwilioRest(account, pause_seconds=0.0)
        try:
            yield rest, listener
        finally:
            await rest.close()
