"""The audio of one turn, cut out of a call's recording when somebody wants to hear it: from memory, or from the file on disk."""

from __future__ import annotations

import base64
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.wav import wav_bytes
from patter_nb.turns.facts import TurnFacts

if TYPE_CHECKING:
    from patter_nb.audio.recording import Recording

AROUND_SECONDS = 0.3
"""What is heard before and after the turn."""
LONGEST_SECONDS = 180.0
"""Of a turn that is longer the beginning is played: three minutes are 3.8 MB of a page."""
PEAKS = 240
"""Points of the drawing of a clip."""

_ENDS = ("finished_at", "cleared_at", "barge_in_at", "audible_at", "played_at", "speech_ended_at")

Stereo = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of a recording."""

    started_at: float
    """Where it begins, in seconds of the call's clock."""
    samples: Stereo
    hz: int

    def told(self) -> dict[str, Any]:
        """As a page plays and draws it: caller left, agent right."""
        audio = base64.b64encode(wav_bytes(self.samples, self.hz, mulaw=True)).decode()
        return {
            "url": f"data:audio/wav;base64,{audio}",
            "started_at": self.started_at,
            "seconds": len(self.samples) / self.hz,
            "caller": peaks(self.samples[:, 0]),
            "agent": peaks(self.samples[:, 1]),
        }


@dataclass(frozen=True, slots=True)
class Silent:
    """Why there is nothing to hear."""

    state: str
    """"not recorded", "gone" or "unreadable"."""
    reason: str


def interval(facts: TurnFacts) -> tuple[float, float] | None:
    """Where the turn lies in the recording, with a little before and after it; None where nothing of it was timed."""
    known = facts.instants
    if not known:
        return None
    start = known.get("speech_started_at", known.get("played_at", min(known.values())))
    ends = [known[name] for name in _ENDS if name in known] or [max(known.values())]
    return max(0.0, start - AROUND_SECONDS), max(*ends, start) + AROUND_SECONDS


def cut(recording: Recording, start: float, end: float) -> Clip | Silent:
    """A piece of a recording in memory."""
    first, last = _range(start, end, recording.hz)
    piece = recording.samples[first:last]
    return Clip(first / recording.hz, piece, recording.hz) if len(piece) else _past_end()


def cut_file(path: str, start: float, end: float) -> Clip | Silent:
    """A piece of a recording on disk; nothing else of the file is read."""
    name = Path(path).name
    try:
        with wave.open(path, "rb") as file:
            hz, total = file.getframerate(), file.getnframes()
            if (file.getnchannels(), file.getsampwidth()) != (2, 2):
                return Silent("unreadable", f"{name} is no stereo recording of 16 bits.")
            first, last = _range(start, end, hz)
            if first >= total:
                return _past_end()
            file.setpos(first)
            samples = np.frombuffer(file.readframes(last - first), "<i2").reshape(-1, 2).astype(np.int16)
    except FileNotFoundError:
        return Silent("gone", f"The recording is gone: there is no file {name} in {Path(path).parent} any more.")
    except (OSError, EOFError, ValueError, wave.Error) as error:
        return Silent("unreadable", f"{name} cannot be read: {error or type(error).__name__}")
    return Clip(first / hz, samples, hz)


def peaks(samples: NDArray[np.int16]) -> list[float]:
    """How loud it is, from 0 to 1, in at most `PEAKS` steps of one length."""
    if not len(samples):
        return []
    step = -(-len(samples) // PEAKS)
    padded = np.zeros(-(-len(samples) // step) * step)
    padded[: len(samples)] = np.abs(samples.astype(np.float64)) / 32768
    return [round(float(peak), 3) for peak in padded.reshape(-1, step).max(axis=1)]


def _range(start: float, end: float, hz: int) -> tuple[int, int]:
    return round(start * hz), round(min(end, start + LONGEST_SECONDS) * hz)


def _past_end() -> Silent:
    return Silent("not recorded", "The recording does not reach as far as this turn.")
