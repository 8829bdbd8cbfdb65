"""What an array of audio must be, said once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patter_nb.errors import ConfigError, ConfigTypeError

Samples = NDArray[np.int16]
"""Mono audio: signed 16-bit, shape (n,), full scale 32768."""


def require_mono(samples: Samples, *, name: str = "samples") -> None:
    """Raise `ConfigTypeError` unless the array is int16, and `ConfigError` unless its shape is (n,)."""
    if not isinstance(samples, np.ndarray) or samples.dtype != np.int16:
        given = samples.dtype if isinstance(samples, np.ndarray) else type(samples).__name__
        raise ConfigTypeError(
            f"{name} must be a numpy array of int16, not {given}: scale to ±32767 and convert with .astype(numpy.int16)"
        )
    if samples.ndim != 1:
        raise ConfigError(f"{name} must be mono, of shape (n,), not {samples.shape}: mix the channels down first")
