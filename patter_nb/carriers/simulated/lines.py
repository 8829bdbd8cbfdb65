"""What a simulated caller says, and how a telephone makes it sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from patter_nb.audio.band import telephone_band, white_noise
from patter_nb.audio.resample import Resampler
from patter_nb.audio.samples import Samples, require_mono
from patter_nb.carriers.simulated.hearing import HZ, speech_bounds
from patter_nb.errors import ConfigError

KEY_SAMPLES = HZ // 5
"""From one key press to the next: 200 ms. The press is a message; the line stays silent, as with keys signalled out of band."""

_KEYS = frozenset("0123456789*#ABCD")
_NOMINAL_RMS = 32768 * 10 ** (-26 / 20)
"""Level of speech that noise is put under when no line holds any: -26 dBFS, the nominal level of ITU-T P.56 speech files."""
_NOISE_SECONDS = 20
"""Length of the noise before it repeats: whole frames."""


@dataclass(frozen=True, slots=True, eq=False)
class SpokenLine:
    """One line of a caller: int16 `samples`, shape (n,), at `hz`, said and then `keys` pressed, one every 200 ms.

    Its first sample is sent `wait_seconds` after the agent fell silent, or `interrupt_after_seconds` after the first audible
    sample of the agent's next reply. `samples` may be empty where `keys` are given.
    """

    text: str
    samples: Samples = field(repr=False)
    hz: int
    wait_seconds: float = 0.4
    interrupt_after_seconds: float | None = None
    keys: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        require_mono(self.samples)
        if not len(self.samples) and not self.keys:
            raise ConfigError(f"the line {self.text!r} has no samples: give it audio to say or keys to press")
        for name in ("wait_seconds", "interrupt_after_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 <= seconds <= 600:
                raise ConfigError(f"{name} of the line {self.text!r} must be from 0 to 600 seconds, not {seconds!r}")
        if not _KEYS.issuperset(self.keys):
            raise ConfigError(f"keys of the line {self.text!r} must be of 0-9, *, #, A-D; {len(self.keys)} characters were given")


@dataclass(frozen=True, slots=True)
class NoiseSpec:
    """White noise of the telephone's band on the caller's line, from the first frame to the last and as loud in every line.

    `snr_db` is how far it lies below the speech of all lines together (RMS over their 10 ms blocks of speech).
    """

    snr_db: float

    def __post_init__(self) -> None:
        if not -20 <= self.snr_db <= 80:
            raise ConfigError(f"snr_db must be from -20 to 80 dB, not {self.snr_db!r}")


@dataclass(frozen=True, slots=True, eq=False)
class LineAudio:
    """A line as the telephone carries it: 8 kHz, 300-3400 Hz, without noise."""

    line: SpokenLine
    samples: Samples
    speech: tuple[int, int] | None
    """The first sample of speech and the one after its last; None when there is no speech."""

    @property
    def size(self) -> int:
        """Samples from the line's start to its end, keys included."""
        return len(self.samples) + len(self.line.keys) * KEY_SAMPLES


def on_the_telephone(line: SpokenLine) -> LineAudio:
    """The line at 8 kHz in the telephone's band."""
    resampler = Resampler(line.hz, HZ)
    narrow = np.concatenate((resampler.feed(line.samples), resampler.flush()))
    samples = telephone_band(narrow, HZ)
    return LineAudio(line, samples, speech_bounds(samples))


def line_noise(lines: Sequence[LineAudio], noise: NoiseSpec, seed: int) -> Samples:
    """The noise of the whole call, to be repeated: int16, shape (n,)."""
    spoken = [line.samples[slice(*line.speech)].astype(np.float64) for line in lines if line.speech]
    level = _rms_of_speech(np.concatenate(spoken)) if spoken else _NOMINAL_RMS
    return white_noise(seed, _NOISE_SECONDS * HZ, HZ, level * 10 ** (-noise.snr_db / 20))


def _rms_of_speech(spoken: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Over 10 ms blocks of at least -40 dB relative to the loudest, so that pauses do not count."""
    size = HZ // 100
    whole = spoken[: max(size, len(spoken) // size * size)]
    energy = np.mean(np.square(whole).reshape(-1, min(size, len(whole))), axis=1)
    return float(np.sqrt(energy[energy >= energy.max() * 1e-4].mean()))
