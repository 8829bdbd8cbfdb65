"""Tones of a telephone line, made and recognised here: keys that are heard rather than signalled, a machine's beep, a fax.

Keys are told by how much of a window's power lies in one low and one high frequency of ITU-T Q.23. Windows of 205 samples, the
length that is usual for these eight frequencies at 8 kHz, begin every 10 ms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples

HZ = 8000

_LOW = (697.0, 770.0, 852.0, 941.0)
_HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
_KEYS = ("123A", "456B", "789C", "*0#D")
_WINDOW, _STEP = 205, 80
_PURE = 0.7
"""Of a window's power, in the two tones together; speech stays far below."""
_EACH = 0.1
"""Of a window's power, in the weaker of the two: 10 dB below the other at most."""
_QUIETEST = 32768 * 10 ** (-45 / 20)
_WINDOWS = 2
"""In a row that must agree, on a key as on its end: a tone of 40 ms has two whole ones."""

BEEP_HZ, BEEP_SECONDS = 1000.0, 0.4
FAX_HZ, FAX_SECONDS = 2100.0, 3.0
"""The answering tone of a fax, which ITU-T T.30 asks for: 2100 Hz for 2.6 to 4 s."""


def tone(hz: float, seconds: float, level: float = 0.3) -> Samples:
    """A sine at 8 kHz, `level` of full scale."""
    angle = 2 * np.pi * hz * np.arange(round(seconds * HZ)) / HZ
    return (level * 32767 * np.sin(angle)).astype(np.int16)


def key_tones(keys: str) -> Samples:
    """The keys as tones of 100 ms with 100 ms of silence after each; "w" is half a second of silence."""
    pieces = []
    for key in keys:
        if key in "wW":
            pieces.append(np.zeros(HZ // 2, np.int16))
            continue
        row = next(number for number, names in enumerate(_KEYS) if key in names)
        low, high = tone(_LOW[row], 0.1, 0.25), tone(_HIGH[_KEYS[row].index(key)], 0.1, 0.25)
        pieces += [low + high, np.zeros(HZ // 10, np.int16)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def heard_keys(samples: Samples) -> str:
    """The keys whose tones are in the sound, in order."""
    keys: list[str] = []
    held, last, run = "", "", 0
    for key in _window_keys(samples):
        run = run + 1 if key == last else 1
        last = key
        if run == _WINDOWS and key != held:
            held = key
            keys += key
    return "".join(keys)


def _window_keys(samples: Samples) -> list[str]:
    """The key of each window, empty where there is none."""
    count = (len(samples) - _WINDOW) // _STEP + 1
    if count < 1:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_STEP]
    return [_key(window.astype(np.float64)) if np.abs(window).max() >= _QUIETEST else "" for window in windows]


def _goertzel(window: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the window's power that lies at each of the eight frequencies: 1 for a sine of that frequency alone."""
    power = float(window @ window) / len(window)
    return 2 * np.abs(_TURNS @ window / len(window)) ** 2 / power


_TURNS = np.exp(-2j * np.pi * np.array([*_LOW, *_HIGH])[:, None] * np.arange(_WINDOW)[None, :] / HZ)


def _key(window: NDArray[np.float64]) -> str:
    shares = _goertzel(window)
    row, column = int(shares[:4].argmax()), int(shares[4:].argmax())
    low, high = shares[row], shares[4 + column]
    if low + high < _PURE or min(low, high) < _EACH:
        return ""
    return _KEYS[row][column]
