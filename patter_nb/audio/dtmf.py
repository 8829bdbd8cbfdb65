"""The tones of a telephone's keys: frequencies after ITU-T Q.23, level and timing within what Q.24 lists for receivers.

A key is a low and a high tone at once. By the tables in Q.24's annex a receiver takes tones and pauses from 40 ms on, at -3 to
-24 dBm each (NTT; other administrations differ by a few dB). Ours are 100 ms long and each 10.5 dB below a sine at full scale:
about -7 dBm0, as G.711 puts full scale at +3.17 dBm0. Both tones together stay below full scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError, ConfigTypeError

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"
"""Row by row: a row has one low frequency, a column one high one."""

PAUSE = "w"
PAUSE_MS = 500
"""As in Twilio's `sendDigits`."""

MOST_KEYS = 32
SHORTEST_MS = 40
"""Of tones and of gaps: a receiver may miss shorter ones (Q.24)."""
LONGEST_MS = 5000

_LEVEL = 0.3
_FADE_MS = 5
"""A tone that begins at once clicks, and a click has every frequency."""


def check_keys(keys: object) -> str:
    """The keys in capitals, "w" for a pause: 1 to 32. `ConfigError` for anything that is on no telephone."""
    if not isinstance(keys, str):
        raise ConfigTypeError(f"digits is {type(keys).__name__} {keys!r}; it must be a string of keys, such as '12#'.")
    plain = "".join(PAUSE if key == PAUSE else key.upper() for key in keys)
    if not 1 <= len(plain) <= MOST_KEYS:
        raise ConfigError(f"digits has {len(plain)} keys; give 1 to {MOST_KEYS}.")
    if wrong := [key for key in plain if key not in KEYS and key != PAUSE]:
        raise ConfigError(f"digits holds {wrong[0]!r}; the keys are 0-9, *, #, A-D, and w for a pause of half a second.")
    return plain


def frequencies(key: str) -> tuple[int, int]:
    """The low and the high frequency of a key, in Hz."""
    row, column = divmod(KEYS.index(key), 4)
    return LOW_HZ[row], HIGH_HZ[column]


def dtmf_tones(keys: str, hz: int, *, tone_ms: int = 100, gap_ms: int = 100) -> Samples:
    """The sound of these keys one after the other, `gap_ms` of silence after each: int16, shape (n,), at `hz`.

    A "w" is half a second of silence. `ConfigError` for keys that are none, tones or gaps outside 40 to 5000 ms, or a rate below
    4000 Hz, which cannot carry the tones.
    """
    plain = check_keys(keys)
    for name, given in (("tone_ms", tone_ms), ("gap_ms", gap_ms)):
        if isinstance(given, bool) or not isinstance(given, int) or not SHORTEST_MS <= given <= LONGEST_MS:
            raise ConfigError(f"{name} is {given!r}; it must be a whole number from {SHORTEST_MS} to {LONGEST_MS}.")
    if isinstance(hz, bool) or not isinstance(hz, int) or hz < 4000:
        raise ConfigError(f"hz is {hz!r}; it must be a whole rate of at least 4000.")
    gap, pause = np.zeros(hz * gap_ms // 1000), np.zeros(hz * PAUSE_MS // 1000)
    pieces = [part for key in plain for part in ((pause,) if key == PAUSE else (_tone(key, hz, tone_ms), gap))]
    return np.rint(np.concatenate(pieces) * 32767).astype(np.int16)


def _tone(key: str, hz: int, tone_ms: int) -> NDArray[np.float64]:
    place = np.arange(hz * tone_ms // 1000)
    low, high = (np.sin(2 * np.pi * frequency * place / hz) for frequency in frequencies(key))
    fade = np.minimum(place, place[::-1]) / (hz * _FADE_MS / 1000)
    return np.asarray(_LEVEL * (low + high) * np.minimum(1.0, fade))
