"""Whisper on CTranslate2: samples in, words out. It runs in the worker.

The encoder is given a window of `WINDOW_SECONDS` instead of the 30 s it was trained with, which takes a third of the time.
Without time stamps in its output, Whisper fills what is left of a short window by saying the sentence again; asked for them, it
stops where the audio stops. On 60 recorded prompts over a µ-law line (mean 4 s, greedy) an 8 s window gave 3.3 % word errors
with time stamps and 15.3 % without; 30 s gave 3.8 % and 4.3 %.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.loudness import block_rms
from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError, need
from patter_nb.providers.local.models import check_sums

HZ = 16_000
"""The rate Whisper listens at."""
WINDOW_SECONDS = 8.0
"""The shortest window. With 6 s words were lost (5.7 % against 3.4 %, greedy)."""
TAIL_SECONDS = 1.5
"""Silence that the window holds behind an utterance, at least."""
BEAMS = 3
"""Hypotheses kept: about 15 ms more than one, and 0.3 to 1.2 points fewer word errors."""
NO_SPEECH = 0.6
"""From this probability of "no speech" on, the audio holds no words. Of 224 recorded prompts, half of them in 20 dB of white
noise, the highest had 0.46; of 106 pieces of music (to 5 s), tones, beeps, clicks, noise and silence the lowest had 0.69."""
QUIET_DBFS = -55.0
"""An utterance whose loudest 10 ms stay below this is not shown to the model: no talker on a telephone is that soft."""
LONGEST_SECONDS = 28.5
"""More than this does not fit into the model, with its tail."""
_DOUBTFUL = 0.15
"""From this probability of "no speech" on, the text itself must look like speech. Of 60 clean prompts the highest had 0.13."""
_HOP, _FFT = 160, 400

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model made of one utterance. `no_speech`: the probability that there are no words; 1.0 for silence."""

    text: str
    no_speech: float


class Whisper:
    """One model, loaded. Not for two threads at once."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Load what lies in `folder`. `ConfigError` where that is no usable model."""
        ctranslate2 = need("ctranslate2", extra="local", what="LocalSTT")
        tokenizers = need("tokenizers", extra="local", what="LocalSTT")
        check_sums(folder)
        self._view = ctranslate2.StorageView
        try:
            self._model: Any = ctranslate2.models.Whisper(
                str(folder), device="cpu", compute_type="int8", intra_threads=threads, inter_threads=1
            )
        except (RuntimeError, ValueError) as error:
            raise ConfigError(f"{str(folder)!r} cannot be loaded as a Whisper model of CTranslate2: {error}") from error
        self._tokens = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._first_time = self._token("<|notimestamps|>") + 1
        self.transcribe(np.full(HZ // 2, 800, np.int16))  # the first run reserves memory: five times as long as any later one

    def transcribe(self, samples: Samples, language: str = "en") -> Heard:
        """The words in one utterance: int16 at 16 kHz, shape (n,), at most `LONGEST_SECONDS`.

        `ConfigError` for a `language` ("en", "de-CH") that the model does not know.
        """
        prompt = self._prompt(language.lower().split("-")[0])
        seconds = len(samples) / HZ
        if seconds > LONGEST_SECONDS:
            raise ValueError(f"an utterance of {seconds:.1f} s does not fit into the model: cut it to {LONGEST_SECONDS:g} s")
        if is_quiet(samples):
            return Heard("", 1.0)
        window = max(WINDOW_SECONDS, seconds + TAIL_SECONDS)
        features = log_mel(samples, window, self._model.n_mels)
        encoded = self._model.encode(self._view.from_array(features))
        (result,) = self._model.generate(
            encoded,
            [prompt],
            beam_size=BEAMS,
            max_length=min(440, 30 + int(9 * seconds)),
            return_no_speech_prob=True,
            return_scores=True,
        )
        no_speech = float(result.no_speech_prob)
        text = self._tokens.decode(within(result.sequences_ids[0], seconds, self._first_time)).strip()
        if is_made_up(text, seconds, no_speech=no_speech, score=float(result.scores[0])):
            return Heard("", no_speech)
        return Heard(without_circles(text, seconds), no_speech)

    def _prompt(self, language: str) -> list[int]:
        """The tokens a transcript begins with."""
        names = ["<|startoftranscript|>"]
        if self._model.is_multilingual:
            names += [f"<|{language}|>", "<|transcribe|>"]
        elif language != "en":
            raise ConfigError(f"language is {language!r}, but this Whisper model knows English only: give a multilingual one.")
        return [self._token(name) for name in names]

    def _token(self, name: str) -> int:
        number = self._tokens.token_to_id(name)
        if number is None:
            raise ConfigError(f"the model's tokenizer.json knows no {name}: give a Whisper model that does.")
        return int(number)


def within(tokens: Sequence[int], seconds: float, first_time: int) -> list[int]:
    """The text tokens of those segments that begin within the audio: what is said to begin behind its end was made up.

    From `first_time` on, tokens are times, in steps of 20 ms from the start; each segment stands between two of them.
    """
    kept: list[int] = []
    segment: list[int] = []
    start = 0.0
    for token in tokens:
        if token < first_time:
            segment.append(token)
            continue
        if segment and start < seconds:
            kept += segment
        start = (token - first_time) * 0.02
        segment = []
    return kept + segment if start < seconds else kept


def is_quiet(samples: Samples) -> bool:
    """Whether no 10 ms of it reach `QUIET_DBFS`."""
    return float(block_rms(samples, HZ).max(initial=0.0)) < 32768.0 * float(10.0 ** (QUIET_DBFS / 20.0))


def is_made_up(text: str, seconds: float, *, no_speech: float, score: float) -> bool:
    """Whether the text was invented for audio without words. `score`: mean log probability of its tokens.

    Over long pieces of music the model becomes less sure that nobody speaks; its text then is improbable, much too short, or goes
    round in circles.
    """
    if not any(character.isalnum() for character in text) or no_speech >= NO_SPEECH:
        return True
    if no_speech < _DOUBTFUL:
        return False
    improbable = no_speech >= 0.4 and score < -1.2
    rate = len(text.split()) / seconds
    sparse = (seconds >= 4.0 and rate < 1.0 and no_speech >= 0.25) or (seconds >= 10.0 and rate < 0.5)
    encoded = text.encode()
    circling = len(encoded) > 2.4 * len(zlib.compress(encoded))  # the ratio from which Whisper's own decoder gives up
    return improbable or sparse or circling


def without_circles(text: str, seconds: float) -> str:
    """The text without repeats, where it has more words than are spoken in so many seconds.

    Above 3.5 words a second, a sentence of three words or more is kept once; above 6, which nobody speaks, so are phrases that
    follow themselves. Real repeats ("No. No, that is not right.") stay, as there was time to say them.
    """
    if len(text.split()) > 2 + 3.5 * seconds:
        text = _each_sentence_once(text)
    if len(text.split()) > 2 + 6 * seconds:
        text = _each_phrase_once(text)
    return text


def _each_sentence_once(text: str) -> str:
    seen: set[str] = set()
    kept = []
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        plain = re.sub(r"[^\w ]", "", sentence).lower()
        if plain not in seen or len(plain.split()) < 3:
            kept.append(sentence)
        seen.add(plain)
    return " ".join(kept)


def _each_phrase_once(text: str) -> str:
    words = text.split()
    plain = [re.sub(r"\W", "", word).lower() for word in words]
    for size in range(1, len(words) // 2 + 1):
        start = 0
        while start + 2 * size <= len(words):
            if plain[start : start + size] == plain[start + size : start + 2 * size]:
                del words[start + size : start + 2 * size], plain[start + size : start + 2 * size]
            else:
                start += 1
    return " ".join(words)


def log_mel(samples: Samples, window_seconds: float, bands: int) -> Features:
    """Whisper's input: log10 of the power in `bands` mel bands, each 10 ms, floored 8 below the maximum and scaled to about ±1.

    `samples`: int16 at 16 kHz, shape (n,); silence fills up the window. The result: float32, shape (1, bands, frames).
    """
    frames = int(window_seconds * HZ) // _HOP
    signal = np.zeros(frames * _HOP + _FFT, np.float32)
    taken = samples[: frames * _HOP]
    signal[_FFT // 2 : _FFT // 2 + len(taken)] = taken
    signal[: _FFT // 2] = signal[_FFT : _FFT // 2 : -1]  # mirrored at the start, as the model was trained
    signal /= 32768.0
    spectrum = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(signal, _FFT)[: frames * _HOP : _HOP] * _hann(), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    energy = power.astype(np.float32) @ mel_filters(bands)
    logs = np.log10(np.maximum(energy, 1e-10))
    logs = (np.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0
    return np.ascontiguousarray(logs.T[None], dtype=np.float32)


@lru_cache(maxsize=1)
def _hann() -> Features:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)).astype(np.float32)


@lru_cache(maxsize=4)
def mel_filters(bands: int) -> Features:
    """Triangles of equal area on Slaney's mel scale, from 0 Hz to 8 kHz: float32, shape (201, bands)."""
    bins = np.linspace(0.0, HZ / 2, _FFT // 2 + 1)
    corners = _mel_to_hz(np.linspace(0.0, _hz_to_mel(HZ / 2), bands + 2))
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins[:, None] - low) / (peak - low)
    falling = (high - bins[:, None]) / (high - peak)
    return (np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))).astype(np.float32)


# Slaney's scale is linear below 1000 Hz (15 mel), then each 27 mel are a factor of 6.4.
_LINEAR_HZ, _LINEAR_MEL, _LOG_STEP = 1000.0, 15.0, np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return hz * _LINEAR_MEL / _LINEAR_HZ if hz < _LINEAR_HZ else _LINEAR_MEL + float(np.log(hz / _LINEAR_HZ) / _LOG_STEP)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    curved = _LINEAR_HZ * np.exp(_LOG_STEP * (mel - _LINEAR_MEL))
    return np.where(mel < _LINEAR_MEL, mel * _LINEAR_HZ / _LINEAR_MEL, curved)
