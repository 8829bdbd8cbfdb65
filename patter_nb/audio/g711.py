"""µ-law, the telephone's eight-bit audio, by table (ITU-T Recommendation G.711, tables 2a and 2b).

A code holds sign, segment and interval, and is sent inverted. The Recommendation's magnitudes have 13 bits, the samples here
two more behind them. Companding works on the magnitude plus 33, which lets every segment begin at a power of two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples, require_mono

_BIAS = 33
_SEGMENT_STARTS = np.array([64 << n for n in range(7)])
"""Biased magnitudes at which segments 1 to 7 begin."""
_LARGEST = 8191
"""The last biased magnitude that has a code; what is louder is clipped to it."""


def _decode_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    segment, interval = (code >> 4) & 7, code & 0xF
    magnitude = ((2 * interval + _BIAS) << segment) - _BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) * 4).astype(np.int16)


def _encode_table() -> NDArray[np.uint8]:
    """One code for each 16-bit pattern, in the order of the pattern read as unsigned."""
    sample = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int64)
    # Negative samples count from -1, so that the intervals of both signs are equally wide and no level shift is added.
    magnitude = np.where(sample < 0, ~sample, sample) >> 2
    biased = np.minimum(magnitude + _BIAS, _LARGEST)
    segment = np.searchsorted(_SEGMENT_STARTS, biased, side="right")
    interval = (biased >> (segment + 1)) & 0xF
    sign = np.where(sample < 0, 0x80, 0)
    code: NDArray[np.uint8] = (~(sign | (segment << 4) | interval) & 0xFF).astype(np.uint8)
    return code


_DECODE = _decode_table()
_ENCODE = _encode_table()


def decode(mulaw: bytes) -> Samples:
    """The samples of µ-law codes, one a byte: int16, shape (len(mulaw),)."""
    return _DECODE.take(np.frombuffer(mulaw, dtype=np.uint8))


def encode(samples: Samples) -> bytes:
    """The µ-law codes of int16 samples, shape (n,), one byte each."""
    require_mono(samples)
    codes: NDArray[np.uint8] = _ENCODE.take(samples.view(np.uint16))
    return codes.tobytes()
