"""A public host name, as a user writes it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from patter_nb.errors import ConfigError, ConfigTypeError, brief
from patter_nb.web.address import is_public

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_AT_HOME = ("localhost", "local", "internal", "lan", "home.arpa")
"""What such a name ends in is known within one network only."""


def public_host(given: object, field: str) -> str:
    """The host that `given` names, in lower case, without a scheme: "calls.example.com", with ":8443" where a port is given.

    A URL will do when it names nothing but a host. `ConfigError` with one sentence for what no carrier could reach.
    """
    if not isinstance(given, str):
        raise ConfigTypeError(f'{field} is {brief(given)}; it must be a host name, such as "calls.example.com".')
    text = given.strip()
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() not in ("http", "https", "ws", "wss"):
        raise ConfigError(f"{field} begins with {brief(scheme)}://; give the host name alone, or a URL with https://.")
    try:
        parts = urlsplit(f"//{rest if separator else text}")
        name, port, named = parts.hostname or "", parts.port, parts.username is not None or parts.password is not None
    except ValueError:
        raise ConfigError(f'{field} is {brief(given)}, which cannot be read; give a host name: "calls.example.com".') from None
    if named:
        raise ConfigError(f"{field} holds a user name or a password; give the host name alone.")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ConfigError(f"{field} is {brief(given)}; give the host name alone: the paths below it are ours.")
    name = _reachable(name.removesuffix("."), field, given)
    return name if port in (None, 443) else f"{name}:{port}"


def _reachable(name: str, field: str, given: object) -> str:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        address = None
    if address is not None:
        if not is_public(address):
            raise ConfigError(f"{field} is {brief(given)}, which no carrier can reach: give a public host name, or tunnel=True.")
        return f"[{address}]" if address.version == 6 else str(address)
    if name and name.endswith(_AT_HOME) and (name in _AT_HOME or name.endswith(tuple(f".{end}" for end in _AT_HOME))):
        raise ConfigError(f"{field} is {brief(given)}, which no carrier can reach: give a public host name, or tunnel=True.")
    try:
        plain = name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        plain = ""
    if not _NAME.fullmatch(plain) or plain.rpartition(".")[2].isdigit():
        raise ConfigError(f'{field} is {brief(given)}, which is no public host name; one looks like "calls.example.com".')
    return plain
