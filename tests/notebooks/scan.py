"""Reads everything that an executed notebook has put out, as somebody would who looks for keys and phone numbers in it.

It knows nothing of how the package masks: its patterns are its own. Looked at are streams, errors, every representation of every
output, the state of widgets, and within them what is written into pictures and recordings (PNG text chunks, RIFF chunks) and into
`data:` addresses. What is painted (the pixels of a picture) is not read.
"""

from __future__ import annotations

import base64
import binascii
import html
import html.parser
import re
import struct
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

SHAPES = {
    "a key": re.compile(r"\b(?:sk|pk|rk)[-_][\w-]{8,}"),
    "an account of Twilio": re.compile(r"\bAC[0-9a-f]{32}\b"),
    "a bearer token": re.compile(r"(?i)\bbearer\s+[\w.~+/-]{8,}"),
    "a web token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a password in an address": re.compile(r"://[^\s/:@\"']+:[^\s/@\"'•]+@"),
    "a token in an address": re.compile(r"(?i)[?&#;](?:access_)?(?:token|key|api_?key|secret|signature)=[\w%.~+/-]{6,}"),
    "a secret by its name": re.compile(
        r"(?i)\b(?:api_?key|(?:auth|access|refresh|session)_?token|client_?secret|passw(?:or)?d)[\"']?\s*[=:]\s*[\"']?[\w+/-]{6,}"
    ),
    "the way into a softphone": re.compile(r"/softphone\?[^\s\"'<>]*#[\w-]{16,}"),
}

NUMBERS = (
    re.compile(r"\+\d(?:[ ().\-]{0,2}\d){6,14}(?!\d)"),  # E.164, also with the separators people write
    re.compile(r"(?<![\w.\-+])(?:\+?\d{1,3}[ .\-])?\(?\d{3}\)?[ .\-]{1,2}\d{3}[ .\-]\d{4}(?![\w\-])"),  # grouped
    re.compile(r"(?<![\w.\-+])1?[2-9]\d{2}[2-9]\d{6}(?![\w.\-])"),  # as North America dials them; no instant of this century
)
"""No number may be seen, be it real or fictitious: what a notebook shows of one is masked."""

EXAMPLES = frozenset({"+15551234567"})
"""But for these: what the schema of `transfer_call` gives as an example of how to write one."""

SHOWN_ATTRIBUTES = ("title", "alt", "href", "src", "value", "placeholder", "content")


def findings(notebook: Any, secrets: Iterable[str] = ()) -> list[str]:
    """One sentence for each secret and each phone number in the outputs of the notebook; `secrets` are those known by heart."""
    found: list[str] = []
    known = list(secrets)
    for where, text in pieces(notebook):
        spellings = {text, html.unescape(text), urllib.parse.unquote(text)}
        held = (secret for secret in known if any(secret in spelling for spelling in spellings))
        found += [f"{where}: holds the secret {secret[:4]}…" for secret in held]
        for spelling in sorted(spellings):
            found += [f"{where}: {what}: {hit[0][:12]}…" for what, shape in SHAPES.items() if (hit := shape.search(spelling))]
            seen = (hit[0] for number in NUMBERS for hit in number.finditer(spelling) if hit[0] not in EXAMPLES)
            found += [f"{where}: an unmasked number: {number}" for number in seen]
    return list(dict.fromkeys(found))


def pieces(notebook: Any) -> Iterator[tuple[str, str]]:
    """Every text, with where it stands."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            for key, value in output.items():
                if key == "data":
                    for mime, shown in value.items():
                        yield from _shown(f"cell {number}, {mime}", mime, shown)
                else:
                    yield from _plain(f"cell {number}, {key}", value)
        yield from _plain(f"cell {number}, metadata", cell.metadata)
    yield from _plain("metadata", notebook.metadata)


def _shown(where: str, mime: str, shown: Any) -> Iterator[tuple[str, str]]:
    text = "".join(shown) if isinstance(shown, list) and all(isinstance(line, str) for line in shown) else shown
    if not isinstance(text, str):
        yield from _plain(where, text)
    elif mime in ("text/html", "image/svg+xml"):
        yield from _page(where, text)
    elif mime.startswith(("image/", "audio/", "video/")):
        yield from _binary(where, text)
    else:
        yield from _plain(where, text)


def _plain(where: str, value: Any) -> Iterator[tuple[str, str]]:
    """The strings in plain data, keys included; those that look like a page are read as one, too."""
    if isinstance(value, str):
        text = re.sub(r"\x1b\[[0-9;]*m", "", value)
        yield from _page(where, text) if re.search(r"<\w+[\s>]", text) else [(where, text)]
        yield from _inside_addresses(where, text)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield where, f"{key}={inner}" if isinstance(inner, str | int | float) and len(str(inner)) < 500 else str(key)
            yield from _plain(f"{where}, {key}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _plain(where, inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield where, str(value)


class _Reader(html.parser.HTMLParser):
    """What of a page can be read: its text, and attributes with words."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        for name, value in attrs:
            if value and (name in SHOWN_ATTRIBUTES or name.startswith(("aria-", "data-"))) and not value.startswith("data:"):
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self._within in ("script", "style") else self.texts).append(data)


def _page(where: str, text: str) -> Iterator[tuple[str, str]]:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    for read in reader.texts:
        yield where, read
    yield where, "".join(reader.texts)  # a number may be cut by tags
    for script in reader.scripts:
        yield where, script
    yield from _inside_addresses(where, text)


def _inside_addresses(where: str, text: str) -> Iterator[tuple[str, str]]:
    """What `data:` addresses hold."""
    for kind, coded, data in re.findall(r"data:([\w/+.-]*)[\w=;-]*?(;base64)?,([\w+/=%.~-]+)", text):
        if coded:
            yield from _binary(f"{where}, data:{kind}", data)
        else:
            yield f"{where}, data:{kind}", urllib.parse.unquote(data)


def _binary(where: str, coded: str) -> Iterator[tuple[str, str]]:
    """What is written in a picture or a recording, or the text that it is."""
    try:
        data = base64.b64decode(coded, validate=False)
    except binascii.Error:
        yield where, coded
        return
    if data.startswith(b"\x89PNG"):
        yield from ((f"{where}, written in it", text) for text in _png_texts(data))
    elif data.startswith(b"RIFF"):
        yield from ((f"{where}, written in it", text) for text in _riff_texts(data))
    else:
        yield where, data.decode("utf-8", "replace")


def _png_texts(data: bytes) -> Iterator[str]:
    place = 8
    while place + 8 <= len(data):
        (length,), kind = struct.unpack(">I", data[place : place + 4]), data[place + 4 : place + 8]
        body = data[place + 8 : place + 8 + length]
        place += length + 12
        if kind in (b"tEXt", b"eXIf"):
            yield body.replace(b"\0", b" = ").decode("latin-1")
        elif kind == b"zTXt":
            name, _, rest = body.partition(b"\0")
            yield f"{name.decode('latin-1')} = {zlib.decompress(rest[1:]).decode('latin-1')}"
        elif kind == b"iTXt":
            name, _, rest = body.partition(b"\0")
            text = rest[2:].split(b"\0", 2)[-1]
            yield f"{name.decode('latin-1')} = {(zlib.decompress(text) if rest[:1] == bytes([1]) else text).decode()}"


def _riff_texts(data: bytes) -> Iterator[str]:
    place = 12
    while place + 8 <= len(data):
        kind, (length,) = data[place : place + 4], struct.unpack("<I", data[place + 4 : place + 8])
        if kind != b"data":
            yield data[place + 8 : place + 8 + length].decode("latin-1")
        place += 8 + length + length % 2

