"""The carrier's recorder: what was spoken and heard on a line, piece by piece, and WAV files of it."""

from __future__ import annotations

import io
import uuid
import wave
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples

HZ = 8000
_BLOCK = HZ // 100
_AUDIBLE = 32768 * 10 ** (-50 / 20)


class Tape:
    """The whole of a line from its answer: the person on the left, what they heard on the right."""

    def __init__(self) -> None:
        self._spoken: list[Samples] = []
        self._heard: list[Samples] = []
        self.size = 0

    def add(self, spoken: Samples, heard: Samples) -> None:
        size = max(len(spoken), len(heard))
        for track, piece in ((self._spoken, spoken), (self._heard, heard)):
            track.append(np.concatenate((piece, np.zeros(size - len(piece), np.int16))))
        self.size += size

    @property
    def heard(self) -> Samples:
        """What the person heard: int16, 8 kHz, shape (n,)."""
        return _joined(self._heard)

    @property
    def stereo(self) -> NDArray[np.int16]:
        """Person left, what they heard right: int16, shape (n, 2)."""
        return np.stack((_joined(self._spoken), self.heard), axis=1)


def silences(heard: Samples, least_ms: int = 20) -> list[tuple[float, float]]:
    """The gaps in what was heard: (start, length) in milliseconds of each silence from `least_ms` on that sound follows.

    Silence is a 10 ms block below -50 dBFS; what comes before the first sound is none.
    """
    blocks = heard[: len(heard) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).astype(np.float64)
    audible = np.flatnonzero(np.sqrt(np.mean(np.square(blocks), axis=1)) >= _AUDIBLE)
    gaps = np.diff(audible) - 1
    return [(float(at + 1) * 10, float(gap) * 10) for at, gap in zip(audible[:-1], gaps, strict=True) if gap * 10 >= least_ms]


def _joined(track: list[Samples]) -> Samples:
    return np.concatenate(track) if track else np.zeros(0, np.int16)


@dataclass
class CallRecording:
    """One recording of a line. It begins with sample `start` of the tape and ends with the call."""

    call_sid: str
    start: int
    channels: int
    callback: str
    callback_method: str = "POST"
    sid: str = field(default_factory=lambda: f"RE{uuid.uuid4().hex}")
    status: str = "in-progress"
    samples: NDArray[np.int16] = field(default_factory=lambda: np.zeros((0, 2), np.int16), repr=False)

    def finish(self, tape: Tape) -> None:
        stereo = tape.stereo[self.start :]
        if self.channels == 1:
            mixed = stereo.astype(np.int32).sum(axis=1, keepdims=True)
            stereo = mixed.clip(-32768, 32767).astype(np.int16)
        self.samples, self.status = stereo, "completed"

    @property
    def seconds(self) -> int:
        return ceil(len(self.samples) / HZ)

    def wav(self) -> bytes:
        """16-bit PCM at 8 kHz."""
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(self.channels)
            writer.setsampwidth(2)
            writer.setframerate(HZ)
            writer.writeframes(self.samples.astype("<i2").tobytes())
        return file.getvalue()
