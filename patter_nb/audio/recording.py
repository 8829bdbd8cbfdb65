"""The stereo recording of a call: the caller on the left, the agent on the right as it was heard."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples, require_mono
from patter_nb.audio.wav import wav_bytes, write_wav
from patter_nb.errors import ConfigError

JITTER_SECONDS = 0.04
"""Audio that claims to begin this close to the end of what is there continues it: two frames of a carrier's jitter."""
PLAYER_SECONDS = 300.0
"""How much of a recording its player holds: five minutes are 6.4 MB of a notebook."""
_LONGEST_SECONDS = 6 * 3600.0
"""An instant later than this is a mistaken clock, not a call."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What was said on the line, by both sides."""

    samples: NDArray[np.int16]
    """Shape (n, 2): caller, agent."""
    hz: int

    @property
    def seconds(self) -> float:
        """The length."""
        return len(self.samples) / self.hz

    @property
    def caller(self) -> Samples:
        """The caller alone: shape (n,)."""
        return self.samples[:, 0]

    @property
    def agent(self) -> Samples:
        """The agent alone, as heard: shape (n,)."""
        return self.samples[:, 1]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a stereo 16-bit WAV and return its path. An `OSError` names the path; what stood there before stays."""
        return write_wav(path, self.samples, self.hz)

    def __repr__(self) -> str:
        return f"Recording({self.seconds:.1f} s, {self.hz} Hz, caller left, agent right)"

    def _repr_html_(self) -> str:
        """A player. µ-law, because that is what the line carried and half the size."""
        audio = wav_bytes(self.samples[: int(PLAYER_SECONDS * self.hz)], self.hz, mulaw=True)
        source = f"data:audio/wav;base64,{base64.b64encode(audio).decode()}"
        label = f"Recording of the call, {self.seconds:.0f} seconds"
        player = f'<audio controls preload="metadata" aria-label="{label}" src="{source}"></audio>'
        if self.seconds <= PLAYER_SECONDS:
            return player
        return f"{player}<p>The first {PLAYER_SECONDS / 60:.0f} of {self.seconds / 60:.0f} minutes; save() writes all of it.</p>"


class _Track:
    """One side of the call, laid out on the call's clock. Bytes, because they grow in place."""

    def __init__(self, hz: int) -> None:
        self._hz = hz
        self._audio = bytearray()

    def place(self, samples: Samples, at: float) -> None:
        require_mono(samples)
        gap = self._position(at) - len(self) if len(samples) else 0
        if gap >= JITTER_SECONDS * self._hz:
            self._audio.extend(bytes(2 * gap))
        self._audio.extend(samples.tobytes())

    def _position(self, at: float) -> int:
        if not isfinite(at) or at > _LONGEST_SECONDS:
            raise ConfigError(f"at must be seconds of the call's clock, at most {_LONGEST_SECONDS:.0f}, not {at!r}")
        return max(0, round(at * self._hz))

    def __len__(self) -> int:
        return len(self._audio) // 2

    def between(self, first: int, last: int) -> Samples:
        """Some of it; shorter than asked for where there is no more."""
        return np.frombuffer(bytes(self._audio[2 * first : 2 * last]), np.int16)

    def samples(self) -> Samples:
        """All of it at one moment; the call may go on in another thread meanwhile."""
        return np.frombuffer(bytes(self._audio), np.int16)


class StereoRecorder:
    """Collects both sides of a call. Instants are seconds of the call's clock; what lies before 0.0 is placed there.

    A stream is joined by its count of samples: audio that begins within 40 ms of the end of what is there continues it, later
    audio leaves the gap open, and audio that claims a time already filled comes after what is there, as on a line.
    """

    def __init__(self, hz: int = 8000) -> None:
        self.hz = hz
        self._caller = _Track(hz)
        self._agent = _Track(hz)

    def caller(self, samples: Samples, at: float) -> None:
        """The caller said this; its first sample was heard at `at`."""
        self._caller.place(samples, at)

    def agent(self, samples: Samples, at: float) -> None:
        """The agent's audio, played to the caller from `at` on."""
        self._agent.place(samples, at)

    def recording(self) -> Recording:
        """All of it so far; both sides as long as the longer one."""
        sides = (self._caller.samples(), self._agent.samples())
        return self._stereo(sides, max(map(len, sides)))

    def between(self, since: float, until: float) -> Recording:
        """The stretch between two instants as it is known now: silence where nothing is yet. It costs what it is long."""
        first, last = max(0, round(since * self.hz)), max(0, round(until * self.hz))
        sides = (self._caller.between(first, last), self._agent.between(first, last))
        return self._stereo(sides, max(0, last - first))

    def _stereo(self, sides: tuple[Samples, Samples], size: int) -> Recording:
        stereo = np.zeros((size, 2), np.int16)
        for side, samples in enumerate(sides):
            stereo[: len(samples), side] = samples
        return Recording(stereo, self.hz)
