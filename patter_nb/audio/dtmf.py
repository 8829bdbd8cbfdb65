"""The tones of a telephone's keys: frequencies after ITU-T Q.23, duration and level within Q.24.

A key is a low and a high tone at once; Q.24 asks receivers for at least 40 ms of tone and of pause, and for tones from -3 to -24
dBm; ours are 100 ms long at about -10 dB below full scale each.
"""

from __future__ import annotations

import numpy as np

from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError, ConfigTypeError

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"
"""Row by row."""

PAUSE = "w"
PAUSE_MS = 500
"""As in Twilio's `sendDigits`."""

MOST_KEYS = 64
_LEVEL = 0.3
_FADE_MS = 5


def check_keys(keys: object) -> str:
    """The keys in capitals, "w" for a pause. `ConfigError` for anything that is on no telephone."""
    if not isinstance(keys, str):
        raise ConfigTypeError(f"digits is {type(keys).__name__} {keys!r}; it must be a string of keys, such as '12#'.")
    plain = "".join(PAUSE if key in "wW" else key.upper() for key in keys)
    if not plain or len(plain) > MOST_KEYS:
        raise ConfigError(f"digits has {len(plain)} keys; give 1 to {MOST_KEYS}.")
    if wrong := [key for key in plain if key not in KEYS and key != PAUSE]:
        raise ConfigError(f"digits holds {wrong[0]!r}; the keys are 0-9, *, #, A-D, and w for a pause of half a second.")
    return plain


def frequencies(key: str) -> tuple[int, int]:
    """The two frequencies of a key, in Hz."""
    row, column = divmod(KEYS.index(key), 4)
    return LOW_HZ[row], HIGH_HZ[column]


def dtmf_tones(keys: str, hz: int, *, tone_ms: int = 100, gap_ms: int = 100) -> Samples:
    """The sound of these keys one after the other, `gap_ms` of silence after each: int16, shape (n,), at `hz`."""
    pause, gap = np.zeros(hz * PAUSE_MS // 1000), np.zeros(hz * gap_ms // 1000)
    pieces = [pause if key == PAUSE else np.concatenate((_tone(key, hz, tone_ms), gap)) for key in check_keys(keys)]
    return np.round(np.concatenate(pieces) * 32767).astype(np.int16)


def _tone(key: str, hz: int, tone_ms: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    at = np.arange(hz * tone_ms // 1000) / hz
    sound = sum(_LEVEL * np.sin(2 * np.pi * frequency * at) for frequency in frequencies(key))
    fade = np.minimum(1.0, np.minimum(np.arange(len(at)), np.arange(len(at))[::-1]) / max(1, hz * _FADE_MS // 1000))
    return np.asarray(sound * fade, dtype=np.float64)
