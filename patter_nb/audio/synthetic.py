"""A voice without a model: a signal with the rhythm and the spectrum of speech, for listeners that need sound and no words.

Each glottal pulse rings three formants of the letter it falls on, so the sound has a pitch, vowels and consonants. It means
nothing; voice activity detectors that go by energy take it for speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patter_nb.audio.samples import Samples

SECONDS_PER_CHARACTER = 0.06
"""About 16 characters a second, a calm talker's pace."""
PAUSE_SECONDS = {",": 0.18, ";": 0.18, ":": 0.18, "–": 0.18, "—": 0.18, ".": 0.25, "!": 0.25, "?": 0.25}
"""Silence at a sign inside a text (none at its end): audible, and shorter than any hangover that lets a caller finish."""

_PEAK = 0.35
"""Of full scale; about -9 dBFS, a caller's usual level."""
_FORMANTS_HZ = {
    "a": (730, 1090, 2440), "e": (530, 1840, 2480), "i": (300, 2200, 2900), "o": (570, 840, 2410), "u": (300, 870, 2240),
}  # fmt: skip
"""First three formants of five vowels, rounded from the means for men in Peterson and Barney (1952)."""
_BANDWIDTHS_HZ = np.array([80.0, 100.0, 140.0])
_STRENGTHS = np.array([1.0, 0.5, 0.25])
_RING_SECONDS = 0.02
_HISSES = frozenset("cfhkpqstxz")
_LOUD, _SOFT, _BETWEEN_WORDS = 1.0, 0.4, 0.1
_FADE_SECONDS = 0.012


def synthetic_voice(text: str, seed: int = 0, *, hz: int = 8000) -> tuple[Samples, int]:
    """A speech-like signal for `text`: (int16, shape (n,)) and its rate, `hz`. The same arguments give the same samples.

    `seed` chooses the talker: pitch and hiss. A character lasts 60 ms; signs inside the text are pauses; a text without a letter
    or digit gives no samples.
    """
    letters = _timed(text)
    if not letters:
        return np.zeros(0, np.int16), hz
    talker = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(len(letters)), [round(seconds * hz) for _, seconds in letters])
    sound = _voiced(letters, kinds, talker, hz) + _hiss(letters, kinds, talker)
    sound *= _smooth(np.array([_level(letter) for letter, _ in letters])[kinds], round(_FADE_SECONDS * hz))
    return np.asarray(np.rint(sound / np.abs(sound).max() * _PEAK * 32767), np.int16), hz


def _timed(text: str) -> list[tuple[str, float]]:
    """The characters that sound and the pauses between them, each with its seconds. A pause is an empty string."""
    said = " ".join(text.lower().split()).rstrip(" .,;:!?–—")
    if not any(character.isalnum() for character in said):
        return []
    letters: list[tuple[str, float]] = []
    for character in said:
        if character in PAUSE_SECONDS:
            letters.append(("", PAUSE_SECONDS[character]))
        elif character == " ":
            # The space after a sign belongs to its pause.
            if letters and letters[-1][0]:
                letters.append((" ", SECONDS_PER_CHARACTER))
        elif character.isalnum():
            letters.append((character, SECONDS_PER_CHARACTER))
    return letters


def _level(letter: str) -> float:
    if not letter:
        return 0.0
    if letter == " ":
        return _BETWEEN_WORDS
    return _SOFT if letter.isascii() and letter.isalpha() and letter not in _FORMANTS_HZ else _LOUD


def _vowels(letters: list[tuple[str, float]]) -> list[str]:
    """The vowel that colours each place: its own, or that of the last one before it."""
    vowels, last = [], "a"
    for letter, _ in letters:
        last = letter if letter in _FORMANTS_HZ else last
        vowels.append(last)
    return vowels


def _voiced(
    letters: list[tuple[str, float]], kinds: NDArray[np.intp], talker: np.random.Generator, hz: int
) -> NDArray[np.float64]:
    rings = {vowel: _ring(vowel, hz) for vowel in _FORMANTS_HZ}
    vowels = _vowels(letters)
    base = talker.uniform(95.0, 210.0)
    at = np.arange(len(kinds)) / hz
    # The pitch falls over the utterance and sways with the syllables, as a statement's does.
    pitch = base * (1.1 - 0.2 * at / at[-1] + 0.06 * np.sin(2 * np.pi * 2.1 * at + talker.uniform(0, 2 * np.pi)))
    (pulses,) = np.nonzero(np.diff(np.floor(np.cumsum(pitch) / hz), prepend=-1.0))
    sound = np.zeros(len(kinds) + round(_RING_SECONDS * hz))
    for pulse in pulses:
        ring = rings[vowels[kinds[pulse]]]
        sound[pulse : pulse + len(ring)] += ring
    return sound[: len(kinds)]


def _ring(vowel: str, hz: int) -> NDArray[np.float64]:
    """What one pulse of the glottis sounds like through the vowel's three formants."""
    at = np.arange(round(_RING_SECONDS * hz))[:, None] / hz
    frequencies = np.array(_FORMANTS_HZ[vowel], dtype=np.float64)
    partials = _STRENGTHS * np.exp(-np.pi * _BANDWIDTHS_HZ * at) * np.sin(2 * np.pi * frequencies * at)
    return np.asarray(partials.sum(axis=1))


def _hiss(letters: list[tuple[str, float]], kinds: NDArray[np.intp], talker: np.random.Generator) -> NDArray[np.float64]:
    hisses = np.array([letter in _HISSES for letter, _ in letters], dtype=np.float64)
    return 0.3 * hisses[kinds] * talker.standard_normal(len(kinds))


def _smooth(levels: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Levels that move within `width` samples instead of jumping."""
    window = np.hanning(width + 2)[1:-1]
    return np.convolve(levels, window / window.sum(), mode="same")
