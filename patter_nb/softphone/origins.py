"""Whose pages may open a socket to us. Browsers let any page open one, and say which page it is."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit


def may_connect(headers: Mapping[str, str]) -> bool:
    """Whether the page of this origin may open a socket: one from this machine, on whatever port, or of the very host that was
    asked, which is how a proxy of the notebook's server passes it on.

    A page whose name was made to point to this machine passes that, too; it does not know the token.
    """
    origin = headers.get("origin", "")
    try:
        parts = urlsplit(origin)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False  # no page of the web, or one that does not say who it is
    return is_loopback(host) or parts.netloc.lower() == headers.get("host", "").lower()


def may_ask(headers: Mapping[str, str]) -> bool:
    """Whether a page is given to whoever asks for it under this name: one of this machine, or through a proxy."""
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return False
    return (host is not None and is_loopback(host)) or "x-forwarded-context" in headers or "x-proxycontextpath" in headers


def is_loopback(host: str) -> bool:
    """Whether this name is this machine, wherever it is asked."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
