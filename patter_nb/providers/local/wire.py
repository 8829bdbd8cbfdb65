"""Frames between this process and the worker: a length, a JSON header, a length, bytes.

Both lengths are unsigned, 32 bits, in network order. The header says what the bytes are. Frames larger than the limits end the
connection, so that neither side can be made to hold what it did not ask for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from patter_nb.errors import ProviderError

_LENGTHS = struct.Struct("!II")
MAX_HEADER_BYTES = 256 * 1024
"""Room for the longest text of one segment."""
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""A minute of 16-bit audio at 24 kHz is 2.9 MB; a request carries half of that at most."""


class Frame(NamedTuple):
    """One message."""

    header: dict[str, Any]
    payload: bytes = b""


def pack(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """The bytes of one frame; `ProviderError` when it is larger than a frame may be."""
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > MAX_HEADER_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise ProviderError(
            f"A request to the on-device models is too large ({len(text)} + {len(payload)} bytes): send it in parts.",
            provider="local",
        )
    return _LENGTHS.pack(len(text), len(payload)) + text + payload


class Unpacker:
    """Puts frames together from bytes as they arrive."""

    def __init__(self, *, max_header: int = MAX_HEADER_BYTES, max_payload: int = MAX_PAYLOAD_BYTES) -> None:
        self._limits = (max_header, max_payload)
        self._kept = bytearray()

    def trust(self) -> None:
        """Let frames be as large as frames may be, from the next one on."""
        self._limits = (MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES)

    def feed(self, received: bytes) -> Iterator[Frame]:
        """The frames that `received` completes, one at a time; `ValueError` for what can be no frame."""
        self._kept += received
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if len(self._kept) < _LENGTHS.size:
            return None
        header_size, payload_size = _LENGTHS.unpack_from(self._kept)
        if header_size > self._limits[0] or payload_size > self._limits[1]:
            raise ValueError(f"a frame of {header_size} + {payload_size} bytes is larger than the limits {self._limits}")
        start, end = _LENGTHS.size + header_size, _LENGTHS.size + header_size + payload_size
        if len(self._kept) < end:
            return None
        header = json.loads(bytes(self._kept[_LENGTHS.size : start]))
        if not isinstance(header, dict):
            raise ValueError("a frame's header must be a JSON object")
        payload = bytes(self._kept[start:end])
        del self._kept[:end]
        return Frame(header, payload)
