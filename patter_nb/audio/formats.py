"""The forms audio takes on a phone line: an encoding and a rate. Always mono."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Encoding = Literal["mulaw", "pcm_s16le"]

FRAME_SECONDS = 0.02
"""The length of a frame: 20 ms, the packet of telephone media streams."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How bytes of audio are to be read: one byte a sample for µ-law, two for signed 16-bit little-endian."""

    encoding: Encoding
    hz: int

    @property
    def sample_bytes(self) -> int:
        return 1 if self.encoding == "mulaw" else 2

    @property
    def frame_bytes(self) -> int:
        """Bytes of one 20 ms frame, rounded down to whole samples (22,050 Hz has 441)."""
        return int(self.hz * FRAME_SECONDS) * self.sample_bytes

    def seconds(self, size: int) -> float:
        """The duration of `size` bytes."""
        return size / (self.sample_bytes * self.hz)


MULAW_8K = AudioFormat("mulaw", 8000)
PCM_8K = AudioFormat("pcm_s16le", 8000)
PCM_16K = AudioFormat("pcm_s16le", 16000)
PCM_22K = AudioFormat("pcm_s16le", 22050)
PCM_24K = AudioFormat("pcm_s16le", 24000)
