"""What Twilio refuses, each in one sentence with what to do about it, after its "Error and Warning Dictionary".

Twilio's own sentence is repeated only where it is not known here, its numbers masked: it names who was to be called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patter_nb.carriers.twilio.numbers import masked
from patter_nb.errors import CarrierError, brief

_VERIFY = "verify it in Twilio's console under Phone Numbers, Verified Caller IDs, or upgrade the account"
_WRITE = "write it in international form, such as +15550001234"

NOT_IN_PROGRESS = 21220
"""The call is in no state in which this can be done with it."""

REMEDIES: dict[int, str] = {
    10001: "the account is not active: see Billing in Twilio's console",
    10004: "the account has as many calls as it may have at once: wait until one has ended",
    20003: (
        "the keys are not accepted: compare TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or TWILIO_API_KEY and TWILIO_API_SECRET) "
        "with Twilio's console, and see there that the account is not suspended"
    ),
    20005: "the account is not active: see Billing in Twilio's console",
    20008: "test credentials cannot do this: take the live Account SID and Auth Token from Twilio's console",
    20404: "this account has no such thing: see that TWILIO_ACCOUNT_SID is the account that owns the number and placed the call",
    20429: "it was asked too often: wait a minute and place fewer calls at once",
    21203: "international calls are not enabled: allow them in Twilio's console under Voice, Settings, Geo permissions",
    21205: "a webhook's URL is not accepted: see that the public host is a full name without an underscore",
    21210: (
        "phone_number= neither belongs to this account nor is verified: take a number of the account, or verify it in Twilio's "
        "console under Phone Numbers, Verified Caller IDs"
    ),
    21211: f"the number to call is not valid: {_WRITE}",
    21212: f"phone_number= is not valid for calls: take a number of this account that has the capability Voice, and {_WRITE}",
    21214: "the number to call cannot be reached: see that it is complete and in service",
    21215: (
        "the account may not call that country: allow it in Twilio's console under Voice, Settings, Geo permissions, and wait "
        "some minutes"
    ),
    21216: "the account may not call that number, which Twilio has blocked: ask Twilio's support",
    21217: f"the number to call is not valid: {_WRITE}",
    21219: f"a trial account calls verified numbers only: {_VERIFY}",
    NOT_IN_PROGRESS: "the call is not in progress, so nothing can be done with it",
    21401: f"the number is not valid: {_WRITE}",
    21608: f"a trial account reaches verified numbers only: {_VERIFY}",
}
"""By Twilio's code: what is wrong, and the remedy."""

_BY_STATUS: dict[int, str] = {
    401: REMEDIES[20003],
    403: "the keys may not do this: take the account's main Auth Token, or an API key of the type Main or Standard",
    404: REMEDIES[20404],
    429: REMEDIES[20429],
}
_MOST_CHARACTERS = 300


class TwilioError(CarrierError):
    """Twilio refused a request. `code` is its own number for the reason, 0 when it gave none; the others are HTTP's."""

    def __init__(self, message: str, *, code: int = 0, status: int = 0, retry_after: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        # Without this an error with keyword arguments survives neither a process pool nor copy.copy().
        return _twilio_error, (str(self), self.code, self.status, self.retry_after)


def _twilio_error(message: str, code: int, status: int, retry_after: str) -> TwilioError:
    return TwilioError(message, code=code, status=status, retry_after=retry_after)


def refusal(what: str, status: int, answer: object, *, retry_after: str = "") -> TwilioError:
    """The error for an answer that is none of success. `what` was to be done: "place the call"."""
    told = answer if isinstance(answer, dict) else {}
    code = told.get("code")
    code = code if isinstance(code, int) and not isinstance(code, bool) else 0
    return TwilioError(_sentence(what, code, status, told), code=code, status=status, retry_after=retry_after)


def _sentence(what: str, code: int, status: int, told: Mapping[str, object]) -> str:
    named = f"Twilio's error {code}" if code else f"HTTP {status}"
    if remedy := REMEDIES.get(code) or _BY_STATUS.get(status):
        return f"Twilio does not {what}: {remedy} ({named})."
    if status >= 500:
        return f"Twilio does not {what}, for it has trouble itself: try again later ({named})."
    said = _line(told.get("message"))
    more = f" See https://www.twilio.com/docs/api/errors/{code}." if code else ""
    return f"Twilio does not {what} ({named}){': ' + said if said else ''}.{more}"


def _line(text: object) -> str:
    """One line of what Twilio says, shortened, without numbers and keys."""
    return masked(brief(" ".join(text[:1000].split()), _MOST_CHARACTERS)) if isinstance(text, str) and text else ""
