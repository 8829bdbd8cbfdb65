"""The Twilio account that calls go through: its keys, looked up when they are needed."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from patter_nb.carriers.twilio.numbers import is_sid
from patter_nb.errors import ConfigError, ConfigTypeError, brief
from patter_nb.keys import find, missing

BASE_URL = "https://api.twilio.com"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys of an account, complete for its REST API."""

    account_sid: str
    auth_token: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    api_secret: str = field(default="", repr=False)

    @property
    def basic(self) -> tuple[str, str]:
        """User and password of each request: the API key where there is one, else the account."""
        return (self.api_key, self.api_secret) if self.api_key else (self.account_sid, self.auth_token)


@dataclass(frozen=True, slots=True)
class Twilio:
    """A Twilio account. What is left out is taken from TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_API_KEY and
    TWILIO_API_SECRET, at the prompt of `patter_nb.keys()`, in the environment or in `.env` beside the notebook.

    An API key (`SK...` and its secret) may do what is asked of Twilio in the place of the auth token. The token is needed all the
    same: with it Twilio signs what it sends, calls that come in and what becomes of those that are placed.
    """

    kind: ClassVar[str] = "twilio"

    account_sid: str = ""
    auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    base_url: str = BASE_URL

    def __post_init__(self) -> None:
        for name in ("account_sid", "auth_token", "api_key", "api_secret", "base_url"):
            if not isinstance(given := getattr(self, name), str):
                raise ConfigTypeError(f"Twilio({name}=...) takes a string; a {type(given).__name__} was given.")
        if not _may_carry_keys(self.base_url):
            raise ConfigError(
                f"Twilio(base_url=...) takes https://host, or http:// on this machine, since the keys are sent there; "
                f"given: {brief(self.base_url)}."
            )

    def credentials(self) -> Credentials:
        """The keys of the REST API; `ConfigError` when one is missing or is of another kind."""
        account_sid = self.account_sid.strip() or find("TWILIO_ACCOUNT_SID")
        auth_token = self.auth_token.strip() or find("TWILIO_AUTH_TOKEN")
        api_key = self.api_key.strip() or find("TWILIO_API_KEY")
        api_secret = self.api_secret.strip() or find("TWILIO_API_SECRET")
        if not account_sid:
            both = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
            raise missing(both[:1] if auth_token or api_key else both, "Twilio")
        if not is_sid(account_sid, "AC"):
            raise ConfigError(
                "TWILIO_ACCOUNT_SID (account_sid=) is not the SID of an account: copy the one that begins with AC, of 34 letters "
                "and digits, from the first page of Twilio's console."
            )
        if api_key and not is_sid(api_key, "SK"):
            raise ConfigError(
                "TWILIO_API_KEY (api_key=) is not the SID of an API key: it begins with SK and has 34 letters and digits; its "
                "secret is TWILIO_API_SECRET (api_secret=)."
            )
        if api_key and not api_secret:
            raise missing("TWILIO_API_SECRET", "The API key of Twilio")
        if not api_key and not auth_token:
            raise missing("TWILIO_AUTH_TOKEN", "Twilio")
        return Credentials(account_sid, auth_token, api_key, api_secret)

    def signing_token(self) -> str:
        """The auth token, with which Twilio signs its webhooks; `ConfigError` when it is nowhere."""
        token = self.auth_token.strip() or find("TWILIO_AUTH_TOKEN")
        if not token:
            raise missing("TWILIO_AUTH_TOKEN", "Checking that a webhook comes from Twilio")
        return token


def _may_carry_keys(url: str) -> bool:
    """Whether requests with the keys may go there: encrypted, or no further than this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
