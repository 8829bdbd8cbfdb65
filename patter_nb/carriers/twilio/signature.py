"""The signature by which a webhook shows that it comes from Twilio, after Twilio's page "Webhooks security".

It is an HMAC-SHA1, by the auth token, of the URL that Twilio requested and the sorted fields of the form. The URL is the public
one: a request's own Host header is its sender's word. Twilio writes the URL now with its port and now without, so both hold.
A webhook that Twilio signs with a shared key (X-Twilio-Webhooks-Signature-Settings) does not hold.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import parse_qs

HEADER = "X-Twilio-Signature"

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<host>[^/?#]*?)(?::(?P<port>[0-9]*))?(?P<rest>[/?#].*)?", re.DOTALL)
_PORTS = {"https": "443", "wss": "443", "http": "80", "ws": "80"}


def signature(auth_token: str, url: str, form_pairs: Iterable[tuple[str, str]]) -> str:
    """The signature that Twilio gives a request to `url`: by POST with the fields of its form, by GET with none.

    A field that comes several times counts once for each value. The URL is taken as it is.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form_pairs)))
    digest = hmac.new(auth_token.encode(), signed.encode(errors="surrogatepass"), hashlib.sha1).digest()
    return b64encode(digest).decode()


def is_signed(
    auth_token: str, url: str, form_pairs: Iterable[tuple[str, str]], given: str, *, body: bytes | None = None
) -> bool:
    """Whether `given`, the header of a request to the public `url`, is Twilio's. It never raises, and nothing empty holds.

    `body` is for a request whose body is no form, such as JSON: its hash must then be in the URL, as `bodySHA256`.
    """
    if not auth_token or not given:
        return False
    if body is not None and not _has_hash(url, body):
        return False
    pairs = () if body is not None else tuple(form_pairs)
    holds = False
    for spelling in _spellings(url):  # each is compared, so that the time tells nothing
        expected = signature(auth_token, spelling, pairs)
        holds |= hmac.compare_digest(expected.encode(), given.encode(errors="surrogatepass"))
    return holds


def _spellings(url: str) -> list[str]:
    """The URL as it is, without its port, and with the port that its scheme stands for."""
    found = _URL.fullmatch(url)
    if found is None:
        return [url]
    scheme, host, port, rest = found["scheme"], found["host"], found["port"], found["rest"] or ""
    bare = f"{scheme}://{host}{rest}"
    if port:
        return [url, bare]
    usual = _PORTS.get(scheme.lower())
    return [bare, f"{scheme}://{host}:{usual}{rest}"] if usual else [bare]


def _has_hash(url: str, body: bytes) -> bool:
    query = url.partition("#")[0].partition("?")[2]
    given = parse_qs(query).get("bodySHA256", [""])[0]
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), given.encode(errors="surrogatepass"))
