"""A Twilio account on loopback: the part of its REST API that looks at an account and points its numbers somewhere."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from patter_nb.carriers.twilio.settings import Twilio
from patter_nb.server.listening import serve

SID = "AC" + "0a" * 16
TOKEN = "70" * 16
SHOP = "https://shop.example/voice"
NUMBER = "+15550001234"
OTHER = "+15550009876"


class Account:
    """What the account has, what was asked of it, and what it refuses: `refuses[(method, part of the path)] = (status, code)`."""

    def __init__(self) -> None:
        self.status, self.type = "active", "Full"
        self.balance = "12.34"
        self.verified: list[str] = []
        self.numbers: dict[str, dict[str, Any]] = {}
        self.refuses: dict[tuple[str, str], tuple[int, int]] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.waits: asyncio.Event | None = None
        self.carrier = Twilio()
        self.add(NUMBER)

    def add(self, number: str, **fields: Any) -> dict[str, Any]:
        usual = {
            "sid": f"PN{len(self.numbers):032x}",
            "phone_number": number,
            "voice_url": SHOP,
            "voice_method": "GET",
            "status_callback": "",
            "status_callback_method": "POST",
            "voice_application_sid": "",
            "trunk_sid": None,
            "capabilities": {"voice": True, "sms": True},
        }
        self.numbers[number] = {**usual, **fields}
        return self.numbers[number]

    @property
    def number(self) -> dict[str, Any]:
        return self.numbers[NUMBER]

    @property
    def changes(self) -> list[dict[str, str]]:
        """What was posted to numbers."""
        return [form for method, _, form in self.asked if method == "POST"]

    def answer(self, method: str, path: str, form: dict[str, str]) -> tuple[int, Any]:
        for (refused, part), (status, code) in self.refuses.items():
            if refused == method and part in path:
                return status, {"code": code, "message": "refused", "status": status}
        rest = path.removeprefix(f"/2010-04-01/Accounts/{SID}").removesuffix(".json")
        if rest == "":
            return 200, {"sid": SID, "status": self.status, "type": self.type}
        if rest == "/Balance":
            return 200, {"balance": self.balance, "currency": "USD"}
        if rest == "/OutgoingCallerIds":
            return 200, {"outgoing_caller_ids": [{"phone_number": number} for number in self.verified]}
        if rest == "/IncomingPhoneNumbers":
            wanted = self.numbers.get(form["PhoneNumber"])
            return 200, {"incoming_phone_numbers": [wanted] if wanted else []}
        found = next((each for each in self.numbers.values() if rest == f"/IncomingPhoneNumbers/{each['sid']}"), None)
        if found is None:
            return 404, {"code": 20404, "message": "not found", "status": 404}
        names = {"VoiceUrl": "voice_url", "VoiceMethod": "voice_method", "StatusCallback": "status_callback"}
        names["StatusCallbackMethod"] = "status_callback_method"
        found |= {names[name]: value for name, value in form.items()}
        return 200, found

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        raw = body.decode() or scope["query_string"].decode()
        form = {name: values[0] for name, values in parse_qs(raw, keep_blank_values=True).items()}
        basic = base64.b64encode(f"{SID}:{TOKEN}".encode())
        if (b"authorization", b"Basic " + basic) not in scope["headers"]:
            status, answer = 401, {"code": 20003, "message": "Authenticate", "status": 401}
        else:
            self.asked.append((scope["method"], scope["path"], form))
            if self.waits is not None:
                await self.waits.wait()
            status, answer = self.answer(scope["method"], scope["path"], form)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


@asynccontextmanager
async def account() -> AsyncIterator[Account]:
    """An account that answers on a free port; `account.carrier` speaks to it."""
    made = Account()
    server = serve(made, loop=asyncio.get_running_loop())
    made.carrier = Twilio(account_sid=SID, auth_token=TOKEN, base_url=server.url)
    try:
        yield made
    finally:
        await server.stop()
