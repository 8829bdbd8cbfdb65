"""WAV files in and out. Reading takes what people have; writing makes what everything plays."""

from __future__ import annotations

import os
import secrets
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio import g711
from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError, ConfigTypeError

_PCM, _FLOAT, _MULAW, _EXTENSIBLE = 1, 3, 7, 0xFFFE
_KNOWN = {2: "ADPCM", 6: "A-law", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3", 0xFF: "AAC"}
_REMEDY = "convert it to a 16-bit PCM WAV, for example with: sox INPUT -b 16 -e signed-integer OUTPUT.wav"
_UNKNOWN_LENGTH = 0x7FFF0000
"""Programs that write to a pipe cannot know the length and leave a placeholder of at least this; the data then ends the file."""
_MOST_CHANNELS, _HIGHEST_HZ = 32, 192_000


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the fmt chunk says."""

    encoding: int
    channels: int
    hz: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def read_wav(source: str | os.PathLike[str] | bytes) -> tuple[Samples, int]:
    """The samples of a WAV file, given by its path or its bytes, mixed down to mono: (int16 of shape (n,), rate in Hz).

    8, 16, 24 and 32-bit PCM, 32-bit float and µ-law. Malformed, empty or in another encoding: `ConfigError`. A file that cannot
    be opened: the `OSError` of `open`.
    """
    if isinstance(source, bytes):
        return _parse(source, "the WAV data")
    if not isinstance(source, str | os.PathLike):
        raise ConfigTypeError(f"a WAV file is given by its path or its bytes, not by {type(source).__name__}")
    path = Path(source)
    return _parse(path.read_bytes(), str(path))


def _parse(data: bytes, name: str) -> tuple[Samples, int]:
    if not data:
        raise ConfigError(f"{name} is empty (0 bytes): record or export it again")
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ConfigError(f"{name} is no WAV file (it does not begin with a RIFF/WAVE header): {_REMEDY}")
    layout: _Layout | None = None
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if kind == b"fmt ":
            layout = _layout(data[at + 8 : at + 8 + size], name)
        elif kind == b"data":
            if layout is None:
                raise ConfigError(f"{name} has audio before it says of which kind (no fmt chunk): {_REMEDY}")
            return _mono(_samples(_audio(data, at + 8, size, name), layout, name), layout.channels), layout.hz
        at += 8 + size + size % 2  # chunks begin at even bytes
    raise ConfigError(f"{name} has no audio in it (no data chunk): record or export it again")


def _layout(chunk: bytes, name: str) -> _Layout:
    if len(chunk) < 16:
        raise ConfigError(f"{name} is damaged (its fmt chunk has {len(chunk)} of at least 16 bytes): export it again")
    encoding, channels, hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if encoding == _EXTENSIBLE and len(chunk) >= 26:
        encoding = struct.unpack_from("<H", chunk, 24)[0]  # the first two bytes of the sub-format
    supported = {_PCM: (8, 16, 24, 32), _FLOAT: (32,), _MULAW: (8,)}
    if bits not in supported.get(encoding, ()):
        what = {_PCM: "PCM", _FLOAT: "float", _MULAW: "µ-law"}.get(encoding) or _KNOWN.get(encoding, f"encoding {encoding}")
        raise ConfigError(f"{name} holds {bits}-bit {what}, which is not read here: {_REMEDY}")
    if not 1 <= channels <= _MOST_CHANNELS or not 1 <= hz <= _HIGHEST_HZ:
        raise ConfigError(f"{name} is damaged (it claims {channels} channels at {hz} Hz): export it again")
    return _Layout(encoding, channels, hz, bits)


def _audio(data: bytes, start: int, size: int, name: str) -> bytes:
    there = len(data) - start
    if size > there and size < _UNKNOWN_LENGTH:
        raise ConfigError(f"{name} is cut short ({there} of {size} bytes of audio are there): copy or export it again")
    return data[start : start + size]


def _samples(audio: bytes, layout: _Layout, name: str) -> NDArray[np.float64]:
    """All channels interleaved, full scale 32768."""
    frames = len(audio) // layout.frame_bytes
    if frames == 0:
        raise ConfigError(f"{name} has no audio in it (0 samples): record or export it again")
    audio = audio[: frames * layout.frame_bytes]
    if layout.encoding == _MULAW:
        return g711.decode(audio).astype(np.float64)
    if layout.encoding == _FLOAT:
        wave = np.frombuffer(audio, "<f4").astype(np.float64)
        if not np.isfinite(wave).all():
            raise ConfigError(f"{name} is damaged (some samples are not numbers): export it again")
        return wave * 32768.0
    if layout.bits == 8:
        return (np.frombuffer(audio, np.uint8).astype(np.float64) - 128.0) * 256.0
    if layout.bits == 24:
        parts = np.frombuffer(audio, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24) >> 8).astype(np.float64) / 256.0
    return np.frombuffer(audio, "<i2" if layout.bits == 16 else "<i4").astype(np.float64) / (1 if layout.bits == 16 else 65536)


def _mono(samples: NDArray[np.float64], channels: int) -> Samples:
    mixed: NDArray[np.float64] = samples.reshape(-1, channels).mean(axis=1)
    return np.rint(mixed).clip(-32768, 32767).astype(np.int16)


def wav_bytes(samples: NDArray[np.int16], hz: int, *, mulaw: bool = False) -> bytes:
    """A WAV file of int16 samples, shape (n,) for mono or (n, 2) for stereo: 16-bit PCM, or µ-law at half the size."""
    if not isinstance(samples, np.ndarray) or samples.dtype != np.int16:
        given = samples.dtype if isinstance(samples, np.ndarray) else type(samples).__name__
        raise ConfigTypeError(f"samples must be a numpy array of int16, not {given}")
    if samples.ndim != 1 and samples.shape[1:] != (2,):
        raise ConfigError(f"samples must have the shape (n,) or (n, 2), not {samples.shape}")
    if not isinstance(hz, int) or not 1 <= hz <= _HIGHEST_HZ:
        raise ConfigError(f"hz must be a whole rate from 1 to {_HIGHEST_HZ}, not {hz!r}")
    flat = samples.reshape(-1)
    audio = g711.encode(flat) if mulaw else flat.astype("<i2", copy=False).tobytes()
    encoding, width = (_MULAW, 1) if mulaw else (_PCM, 2)
    channels = samples.ndim
    fmt = struct.pack("<HHIIHH", encoding, channels, hz, hz * channels * width, channels * width, 8 * width)
    if mulaw:
        # An encoding other than PCM says that it has no further settings, and how many samples a channel has.
        fmt += struct.pack("<H", 0)
    fact = _chunk(b"fact", struct.pack("<I", len(samples))) if mulaw else b""
    return _chunk(b"RIFF", b"WAVE" + _chunk(b"fmt ", fmt) + fact + _chunk(b"data", audio))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def write_wav(path: str | os.PathLike[str], samples: NDArray[np.int16], hz: int) -> Path:
    """Write a 16-bit PCM WAV of `samples`, shape (n,) or (n, 2), whole or not at all: beside it first, then renamed.

    An `OSError` (no such folder, no room) names the path and leaves what was there before.
    """
    target = Path(path)
    data = wav_bytes(samples, hz)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as file:
            file.write(data)
        beside.replace(target)
    except OSError as error:
        error.filename = str(target)
        raise
    finally:
        beside.unlink(missing_ok=True)
    return target
