"""Where a URL really leads, checked before anything is sent there.

A name is resolved once, every address it has must be one of the public internet, and the connection is made to the address that
was checked: a name that answers differently the second time (rebinding) gains nothing. What is public is decided by the
registries of IANA for special-purpose addresses: `ipaddress` knows those of its day, and `_REFUSED` adds what its older versions
lack.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from patter_nb.errors import HIDDEN, ConfigError, looks_random, scrub

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a host."""

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
RESOLVING_SECONDS = 5.0

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER = "(?:0[xX][0-9A-Fa-f]*|[0-9]+)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}")
"""One to four numbers, decimal, octal or hexadecimal: what `inet_aton` and with it most programs take for an IPv4 address."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#\s]*@)?([^?#\s]*)(?:[?#]\S*)?")

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given to the public IPv6 internet so far."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a network without IPv4 writes them (RFC 6052): as public as the address within."""

_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments (RFC 6890); one cloud keeps its metadata at 192.0.0.192
            "192.88.99.0/24",  # relays of 6to4, withdrawn (RFC 7526)
            "168.63.129.16/32",  # the host of an Azure machine, a public address that never leaves it
            "2001::/23",  # protocol assignments (RFC 2928), Teredo among them
            "2002::/16",  # 6to4 (RFC 3056): an IPv4 address of anyone's choice within
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)

_HOME = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
"""This machine, whatever a resolver says (RFC 6761). Its IPv4 address, on which most servers under development listen."""


class AddressError(ConfigError):
    """A URL leads where nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked, and the one address to connect to."""

    url: str
    scheme: str
    host: str
    port: int
    address: str


def check_form(url: object, *, schemes: Sequence[str] = ("http", "https")) -> None:
    """Whether `url` could be used at all, without asking where it leads; `AddressError` with one sentence when not."""
    _parts(url, schemes)


def shown_url(text: str) -> str:
    """A URL as it may be shown and kept: without user name, password, query and fragment, where credentials stand, and without
    what looks like a token in its path, as webhooks of chats have one.

    Eight hex digits stand for what was taken away and differ when it does: in the path "•••" and the digits; for the rest
    "?•••#" and the digits at the end. A text that is not a URL as a whole comes back as it is.
    """
    found = _URL.fullmatch(text.strip())
    if found is None:
        return text
    scheme, rest = found.groups()
    host, *path = rest.split("/")
    bare = "/".join([scheme + host, *(f"{HIDDEN}{_digits(each)}" if looks_random(each) else each for each in path)])
    shown = scrub(bare)
    return shown if f"{scheme}{rest}" == text and shown == bare else f"{shown}?{HIDDEN}#{_digits(text)}"


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def checked(
    url: str,
    *,
    allow_private: bool = False,
    schemes: Sequence[str] = ("http", "https"),
    resolver: Resolve = resolve,
) -> Target:
    """Check where `url` leads. `AddressError` with one sentence when nothing may be sent there.

    `allow_private`: also to this machine and its networks, for development.
    """
    scheme, host, port = _parts(url, schemes)
    literal = _literal(host)
    if literal is not None:
        addresses: list[Address] = [literal]
    elif host in _HOME:
        addresses = [ipaddress.IPv4Address("127.0.0.1")]
    else:
        addresses = await _resolved(host, port, resolver)
    inside = [address for address in addresses if not is_public(address)]
    if inside and not allow_private:
        remedy = "set allow_private=True for a server of your own"
        raise AddressError(f"The host {_shown(host)} leads to {inside[0]}, which is not on the public internet: {remedy}.")
    return Target(url, scheme, host, port, str(addresses[0]))


def is_public(address: Address) -> bool:
    """Whether anyone on the internet could reach it; an IPv4 address within one of IPv6 counts as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL_UNICAST:
            return False
    refused = any(address in network for network in _REFUSED if network.version == address.version)
    return address.is_global and not address.is_multicast and not address.is_reserved and not refused


def _parts(url: object, schemes: Sequence[str]) -> tuple[str, str, int]:
    """Scheme, host in its plain form, and port. What is wrong is told without the URL, which may hold credentials."""
    begins = " or ".join(f"{scheme}://" for scheme in schemes)
    if not isinstance(url, str):
        raise AddressError(f"A URL is {type(url).__name__}; it must be a string that begins with {begins}.")
    if not url.isprintable() or " " in url or "\\" in url:
        raise AddressError("A URL holds a space, a backslash or a control character; write it without, or encoded as in %20.")
    try:
        parts = urlsplit(url)
        host, secrets = parts.hostname, parts.username is not None or parts.password is not None
    except ValueError:
        raise AddressError("A URL cannot be read: its host is malformed.") from None
    if parts.scheme not in schemes or not url[len(parts.scheme) :].startswith("://"):
        raise AddressError(f"A URL must begin with {begins}.")
    if secrets:
        raise AddressError("A URL holds a user name or a password; put credentials into headers.")
    if not host:
        raise AddressError("A URL names no host.")
    return parts.scheme, _plain(host), _port(parts, DEFAULT_PORTS[parts.scheme])


def _port(parts: SplitResult, default: int) -> int:
    try:
        port = default if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        raise AddressError("The port of a URL must be a number from 1 to 65535.")
    return port


def _plain(host: str) -> str:
    """The host in lower case and ASCII, without a trailing dot; what is no name or address is refused."""
    if ":" in host:
        return host
    try:
        plain = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        plain = ""
    if not _NAME.fullmatch(plain):
        raise AddressError(f"A URL names the host {_shown(host)}, which is no name of a host.")
    return plain


def _literal(host: str) -> Address | None:
    """The address that the host is, in any spelling that some program takes for one; None for a name."""
    try:
        if _NUMBERS.fullmatch(host):
            return ipaddress.IPv4Address(socket.inet_aton(host))
        if "%" not in host:  # a zone means something on this machine only
            return ipaddress.IPv6Address(host) if ":" in host else None
    except (ValueError, OSError):
        pass
    raise AddressError(f"A URL names the host {_shown(host)}, which is no address.")


async def _resolved(host: str, port: int, resolver: Resolve) -> list[Address]:
    try:
        async with asyncio.timeout(RESOLVING_SECONDS):
            found = [ipaddress.ip_address(each.partition("%")[0]) for each in await resolver(host, port)]
    except (OSError, ValueError, UnicodeError, TimeoutError) as error:
        raise AddressError(f"The host {_shown(host)} cannot be found ({type(error).__name__}).") from error
    if not found:
        raise AddressError(f"The host {_shown(host)} has no address.")
    return found


def _shown(host: str) -> str:
    return repr(host if len(host) <= 80 else f"{host[:80]}…")
