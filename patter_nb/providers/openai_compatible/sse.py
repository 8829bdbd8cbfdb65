"""Server-sent events out of bytes as they come, by the rules of the HTML standard (section 9.2.6).

Lines end with CR, LF or both and with nothing else: a line separator (U+2028) within a model's text is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_EVENT = 1024 * 1024
"""Bytes. A server that sends more without a line's end sends no events."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_LINE_BYTES = frozenset(b"\r\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TooLongError(ValueError):
    """An event is longer than `LONGEST_EVENT`."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `kind` is "message" unless the server named it."""

    kind: str
    data: str


class Decoder:
    """Takes the bytes of one response, gives the events that are complete. `TooLongError` for one that does not end."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._began = False
        self._kind = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, received: bytes) -> Iterator[ServerEvent]:
        """The events that end within these bytes."""
        ends_line = self._rest.endswith(b"\r") or not _LINE_BYTES.isdisjoint(received)
        self._rest += received
        if not self._began:
            if len(self._rest) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(self._rest):
                return
            self._began, self._rest = True, self._rest.removeprefix(_BYTE_ORDER_MARK)
        if ends_line:
            held = b"\r" if self._rest.endswith(b"\r") else b""  # its LF may be the next byte to come
            *lines, rest = _LINE_END.split(bytes(self._rest.removesuffix(held)))
            self._rest = bytearray(rest + held)
            for line in lines:
                yield from self._line(line)
        if len(self._rest) + self._size > LONGEST_EVENT:
            raise TooLongError(f"an event of more than {LONGEST_EVENT} bytes")

    def end(self) -> Iterator[ServerEvent]:
        """What was left open when the response ended: servers forget the empty line after their last event."""
        yield from self._line(bytes(self._rest.removesuffix(b"\r")))
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[ServerEvent]:
        if not line:
            if self._data:
                yield ServerEvent(self._kind or "message", "\n".join(self._data))
            self._kind, self._data, self._size = "", [], 0
            return
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            self._data.append(text)
            self._size += len(value)
        elif name == b"event":
            self._kind = text
