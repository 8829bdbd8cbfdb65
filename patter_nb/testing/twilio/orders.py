"""Requests to place or change a call, read as strictly as a mistake deserves: a parameter that is not known is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from patter_nb.testing.twilio.calling import Detection, Order
from patter_nb.testing.twilio.line import StatusCallback
from patter_nb.testing.twilio.resources import E164, RefusedError

_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
_MOST_TWIML = 4000
"""Characters of TwiML within a request."""
INVALID_PARAMETER = 20001

CREATE = frozenset(
    {
        *("To", "From", "Twiml", "Url", "Method", "Timeout"),
        *("StatusCallback", "StatusCallbackMethod", "StatusCallbackEvent"),
        *("MachineDetection", "MachineDetectionTimeout", "AsyncAmd", "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod"),
    }
)
UPDATE = frozenset({"Twiml", "Url", "Method", "Status"})
RECORD = frozenset(
    {
        *("RecordingChannels", "RecordingTrack"),
        *("RecordingStatusCallback", "RecordingStatusCallbackMethod", "RecordingStatusCallbackEvent"),
    }
)
NUMBER = frozenset({"VoiceUrl", "VoiceMethod", "StatusCallback", "StatusCallbackMethod", "FriendlyName"})


class Given:
    """The parameters of one request. Each is given once, except where a list is asked for."""

    def __init__(self, pairs: Sequence[tuple[str, str]], known: frozenset[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        if unknown := sorted(set(self._values) - known):
            raise RefusedError(INVALID_PARAMETER, f"this simulator does not act on {', '.join(unknown)}")

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def one(self, name: str, default: str = "") -> str:
        values = self._values.get(name, [default])
        if len(values) > 1:
            raise RefusedError(INVALID_PARAMETER, f"{name} was given {len(values)} times")
        return values[0]

    def method(self, name: str) -> str:
        return self.choice(name, ("POST", "GET"), "POST")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        value = self.one(name, default)
        if value not in choices:
            raise RefusedError(INVALID_PARAMETER, f"{name} is {value!r}; it takes {', '.join(choices)}")
        return value

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        value = self.one(name, str(default))
        if not value.isascii() or not value.isdecimal() or not least <= int(value) <= most:
            raise RefusedError(INVALID_PARAMETER, f"{name} is {value!r}; it takes whole seconds from {least} to {most}")
        return int(value)

    def url(self, name: str, code: int) -> str:
        value = self.one(name)
        if value and not _of_the_web(value):
            raise RefusedError(code, f"{name} is not a valid URL")
        return value


def _of_the_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call that was asked for. `notice`: what Twilio logs although it takes the request."""

    to_number: str
    from_number: str
    callback: StatusCallback
    order: Order
    notice: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Rights:
    """Whom the account may call, and as whom."""

    numbers: Mapping[str, object]
    verified: frozenset[str]
    trial: bool
    blocked: tuple[str, ...]


def placed_call(pairs: Sequence[tuple[str, str]], rights: Rights) -> PlacedCall:
    """A request to `Calls.json`, or the refusal."""
    given = Given(pairs, CREATE)
    to_number, from_number = _parties(given, rights)
    twiml, url = given.one("Twiml"), given.url("Url", 21205)
    if bool(twiml) == bool(url):
        raise RefusedError(21205, "either Url or Twiml is required, and not both")
    if len(twiml) > _MOST_TWIML:
        raise RefusedError(INVALID_PARAMETER, f"Twiml has {len(twiml)} characters; it takes {_MOST_TWIML}")
    callback, notice = _callback(given)
    order = Order(twiml, url, given.method("Method"), float(given.whole("Timeout", 60, 1, 600)), _detection(given))
    return PlacedCall(to_number, from_number, callback, order, notice)


def _parties(given: Given, rights: Rights) -> tuple[str, str]:
    to_number, from_number = given.one("To"), given.one("From")
    if not to_number:
        raise RefusedError(21201, "No 'To' number is specified")
    if not E164.fullmatch(to_number):
        raise RefusedError(21211, f"The phone number you are attempting to call, {to_number}, is not valid.")
    if not from_number:
        raise RefusedError(21213, "No 'From' number is specified")
    if not E164.fullmatch(from_number):
        raise RefusedError(21212, f"The source phone number provided, {from_number}, is not valid.")
    if from_number not in rights.numbers and from_number not in rights.verified:
        message = f"The source phone number provided, {from_number}, is not yet verified for your account."
        raise RefusedError(21210, message)
    if to_number.startswith(rights.blocked):
        raise RefusedError(21215, f"Account not authorized to call {to_number}. International permissions are missing.")
    if rights.trial and to_number not in rights.verified and to_number not in rights.numbers:
        message = f"The number {to_number} is unverified. Trial accounts may only make calls to verified numbers."
        raise RefusedError(21219, message)
    return to_number, from_number


def _callback(given: Given) -> tuple[StatusCallback, tuple[int, str] | None]:
    """Events that are not known are logged, and nothing is called back then; so is a list within one value."""
    asked = given.all("StatusCallbackEvent") or ["completed"]
    notice = None
    if unknown := set(asked) - _EVENTS:
        notice = (21626, f"StatusCallbackEvent holds {min(unknown)!r}; give each event as a parameter of its own")
        asked = []
    url = given.url("StatusCallback", 21609)
    return StatusCallback(url, given.method("StatusCallbackMethod"), frozenset(asked)), notice


def _detection(given: Given) -> Detection | None:
    mode = given.choice("MachineDetection", ("", "Enable", "DetectMessageEnd"), "")
    is_async = given.choice("AsyncAmd", ("true", "false"), "false") == "true"
    url = given.url("AsyncAmdStatusCallback", 21609)
    method = given.choice("AsyncAmdStatusCallbackMethod", ("POST", "GET"), "POST")
    timeout = given.whole("MachineDetectionTimeout", 30, 3, 59)
    return Detection(mode, url if is_async else "", method, float(timeout), waits=not is_async) if mode else None
