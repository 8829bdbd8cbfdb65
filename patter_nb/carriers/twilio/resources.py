"""What Twilio's REST API knows of calls, numbers and accounts, as far as it is used here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patter_nb.carriers.twilio.numbers import is_sid, masked
from patter_nb.errors import CarrierError

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dial:
    """A call to be placed. Its audio goes where `twiml` says, and what becomes of it is told to `status_url`.

    With `machine_detection` and an `amd_url` Twilio listens beside the call, which does not wait, and tells that URL who
    answered, a machine when its greeting is over. It may ring some five seconds longer than `ring_timeout_seconds`.
    """

    to: str
    from_number: str
    twiml: str
    status_url: str
    amd_url: str | None = None
    ring_timeout_seconds: int = 25
    machine_detection: bool = True

    def __repr__(self) -> str:
        return f"Dial(to={masked(self.to)!r}, from_number={masked(self.from_number)!r})"


@dataclass(frozen=True, slots=True)
class CallResource:
    """A call as Twilio sees it. The price is known some time after its end, and `price_usd` only where it is in US dollars."""

    sid: str
    status: str
    direction: str
    duration_seconds: float | None
    price_usd: float | None
    price_unit: str


@dataclass(frozen=True, slots=True)
class NumberResource:
    """A number of the account, and where its calls go. An application or a trunk, where there is one, beats the URL."""

    sid: str
    phone_number: str
    voice_url: str
    voice_method: str
    status_url: str
    status_method: str
    application_sid: str
    trunk_sid: str
    voice: bool

    def __repr__(self) -> str:
        return f"NumberResource({self.sid!r}, {masked(self.phone_number)!r}, voice_url={self.voice_url!r})"


@dataclass(frozen=True, slots=True)
class AccountResource:
    """The account. `type`: "Trial" (it calls verified numbers only) or "Full". `status`: "active", "suspended" or "closed"."""

    status: str
    type: str


@dataclass(frozen=True, slots=True)
class BalanceResource:
    """What the account has left."""

    amount: float
    currency: str


def call_resource(found: Json) -> CallResource:
    unit = _text(found, "price_unit").upper()
    price = _number(found, "price")
    usd = abs(price) if price is not None and unit == "USD" else None
    return CallResource(
        named(found, "CA"), _text(found, "status"), _text(found, "direction"), _number(found, "duration"), usd, unit
    )


def number_resource(found: Json) -> NumberResource:
    able = found.get("capabilities")
    return NumberResource(
        sid=named(found, "PN"),
        phone_number=_text(found, "phone_number"),
        voice_url=_text(found, "voice_url"),
        voice_method=_text(found, "voice_method") or "POST",
        status_url=_text(found, "status_callback"),
        status_method=_text(found, "status_callback_method") or "POST",
        application_sid=_text(found, "voice_application_sid"),
        trunk_sid=_text(found, "trunk_sid"),
        voice=isinstance(able, Mapping) and able.get("voice") is True,
    )


def account_resource(found: Json) -> AccountResource:
    return AccountResource(_text(found, "status"), _text(found, "type"))


def balance_resource(found: Json) -> BalanceResource:
    amount = _number(found, "balance")
    if amount is None:
        raise CarrierError("Twilio's answer names no balance.")
    return BalanceResource(amount, _text(found, "currency").upper())


def named(found: Json, kind: str) -> str:
    """The SID of what came back."""
    sid = found.get("sid")
    if not isinstance(sid, str) or not is_sid(sid, kind):
        raise CarrierError(f"Twilio's answer names no {kind}... that it is about.")
    return sid


def _text(found: Json, name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _number(found: Json, name: str) -> float | None:
    """A number, which Twilio writes as a string; None while it is not known."""
    value = found.get(name)
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise CarrierError(f"Twilio's answer has no number for {name}.") from None
