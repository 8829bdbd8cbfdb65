"""Rendered speech kept for the next time the same is to be said."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from patter_nb.audio.formats import AudioFormat

CACHE_BYTES = 16 * 1024 * 1024
"""Half an hour of telephone audio."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """All that one rendering depends on."""

    text: str
    path: str
    pitch: float
    speed: float
    format: AudioFormat


class SpeechCache:
    """The latest renderings, up to `limit` bytes in all. Safe to use from any thread."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[Spoken, tuple[bytes, ...]] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes of audio held."""
        return self._size

    def get(self, key: Spoken) -> tuple[bytes, ...] | None:
        """The chunks of this rendering; None where it is not there."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Spoken, chunks: tuple[bytes, ...]) -> None:
        """Keep a complete rendering; not one larger than an eighth of the limit, which would push out many short ones."""
        size = sum(map(len, chunks))
        if size > self._limit // 8:
            return
        with self._lock:
            self._size += size - sum(map(len, self._kept.pop(key, ())))
            self._kept[key] = chunks
            while self._size > self._limit:
                _, dropped = self._kept.popitem(last=False)
                self._size -= sum(map(len, dropped))
