"""What went wrong with a server, as one sentence with a remedy, the server's own words quoted without what looks like a key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patter_nb.errors import HIDDEN, ProviderError, scrub
from patter_nb.providers.openai_compatible.servers import Server

if TYPE_CHECKING:
    import httpx

LONGEST_QUOTE = 300
"""Characters of a server's words that are shown."""

_RETRYABLE = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which the same request may succeed."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Makes the errors of one server and model."""

    server: Server
    provider: str
    """Who is to blame, by the name that rows have."""
    model: str
    secrets: tuple[str, ...]
    """Texts that are never repeated, whoever says them."""

    def error(self, told: str, *, retryable: bool = False) -> ProviderError:
        """`told` goes on after the server's name: "ended its answer too soon"."""
        return ProviderError(f"{self.provider} {self._clean(told)}", provider=self.provider, retryable=retryable)

    def unreachable(self, error: httpx.TransportError, timeout_seconds: float) -> ProviderError:
        """The connection did not come about, or broke."""
        import httpx

        url = self.server.url
        if isinstance(error, httpx.ConnectError):
            reason = f" ({error})" if not self.server.local and str(error) else ""
            return self.error(f"cannot be reached at {url}{reason}: {self.server.remedy}.", retryable=True)
        if isinstance(error, httpx.TimeoutException):
            return self.error(f"at {url} sent nothing for {timeout_seconds:g} s (timeout_seconds).", retryable=True)
        if isinstance(error, httpx.LocalProtocolError):
            # The words are left out: they would show the header.
            return self.error("cannot be asked: a header or its value has characters that HTTP forbids.")
        return self.error(f"at {url} broke the connection ({str(error) or type(error).__name__}).", retryable=True)

    def status(self, status: int, content: bytes) -> ProviderError:
        """It answered with another status than 200, or at least with no stream."""
        if status == 200:
            return self.error(f"sent no stream of events, which was asked for{_quoted(content)}.")
        words = _quoted(content)
        retryable = status in _RETRYABLE or status >= 500
        return self.error(f"{self._refusal(status)} (status {status}){words}{self._remedy(status)}", retryable=retryable)

    def reported(self, data: Mapping[str, Any]) -> ProviderError | None:
        """The error that an event of the stream is, if it is one."""
        told = data.get("error")
        if told is None and data.get("object") == "error":
            told = data
        if not told:
            return None
        code = told.get("code") if isinstance(told, Mapping) else None
        kind = told.get("type") if isinstance(told, Mapping) else None
        passing = code in _RETRYABLE or (isinstance(code, int) and code >= 500) or kind in ("server_error", "overloaded_error")
        return self.error(f"ended its answer with an error{_quoted(json.dumps(data).encode())}.", retryable=passing)

    def _refusal(self, status: int) -> str:
        if 300 <= status < 400:
            return "sends the request elsewhere"
        if status in (401, 403):
            return "refused the API key" if self.secrets else "wants an API key"
        if status == 404:
            return f"does not know the model {self.model!r}, or {self.server.url} is not its base_url"
        if status == 429:
            return "takes no more requests for now"
        return "failed" if status >= 500 else "refused the request"

    def _remedy(self, status: int) -> str:
        if 300 <= status < 400:
            return ": give the address it really has as base_url."
        if status in (401, 403):
            return ": give the right one as the setting api_key."
        if status == 404 and self.server.install:
            return f": try `{self.server.install.format(model=self.model)}`."
        return "."

    def _clean(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return scrub(text)


def _quoted(content: bytes) -> str:
    """What a server said, in its own words, where there are any."""
    text = content.decode("utf-8", "replace")
    words = " ".join(_message(text).split())
    if not words:
        return ""
    return f', saying "{words[:LONGEST_QUOTE]}{"…" if len(words) > LONGEST_QUOTE else ""}"'


def _message(text: str) -> str:
    """The sentence within a JSON error, of the shapes that servers have; else the text, unless it is a page for a browser."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else text
    for name in ("error", "message", "detail"):
        if isinstance(given, Mapping) and given.get(name):
            given = given[name]
    if isinstance(given, Mapping) and given.get("code"):
        return str(given["code"])
    return given if isinstance(given, str) else json.dumps(given)
