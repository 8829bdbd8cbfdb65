"""From one form of audio to another, in a stream: decode, change the rate, encode; or nothing at all where the forms agree."""

from __future__ import annotations

import numpy as np

from patter_nb.audio import g711
from patter_nb.audio.formats import AudioFormat
from patter_nb.audio.resample import Resampler
from patter_nb.audio.samples import Samples, require_mono
from patter_nb.errors import ConfigError


def decode(audio: bytes, fmt: AudioFormat) -> Samples:
    """The samples in `audio`: int16, shape (n,). `ConfigError` for half a sample."""
    if fmt.encoding == "mulaw":
        return g711.decode(audio)
    if len(audio) % 2:
        raise ConfigError(f"audio ends in half a 16-bit sample ({len(audio)} bytes): pass whole samples, or feed a Converter")
    return np.frombuffer(audio, dtype="<i2").astype(np.int16, copy=False)


def encode(samples: Samples, fmt: AudioFormat) -> bytes:
    """The bytes of int16 samples, shape (n,)."""
    if fmt.encoding == "mulaw":
        return g711.encode(samples)
    require_mono(samples)
    return samples.astype("<i2", copy=False).tobytes()


class Converter:
    """One stream of `source` audio turned into `target` audio. Where both are the same, the bytes are not touched."""

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        self.source = source
        self.target = target
        self.passthrough = source == target
        self._resampler = Resampler(source.hz, target.hz)
        self._half = b""

    @property
    def held_back_seconds(self) -> float:
        """How far the newest output may lie behind the newest input."""
        return self._resampler.held_back_seconds

    def feed(self, audio: bytes) -> bytes:
        """What the stream's next bytes complete; perhaps none. Half a sample waits for its other half."""
        if self.passthrough:
            return audio
        audio = self._half + audio
        whole = len(audio) - len(audio) % self.source.sample_bytes
        self._half = audio[whole:]
        return encode(self._resampler.feed(decode(audio[:whole], self.source)), self.target)

    def flush(self) -> bytes:
        """What was still held back; half a sample that never got its other half is no sound and is dropped.

        What is fed next begins a new stream.
        """
        self._half = b""
        return encode(self._resampler.flush(), self.target)
