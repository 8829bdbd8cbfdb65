"""The voice without a model: rhythm, level and spectrum of speech, the same at each run."""

from __future__ import annotations

import numpy as np
import pytest

from patter_nb.audio.loudness import BLOCK_SECONDS, block_rms, speech_blocks, speech_bounds
from patter_nb.audio.synthetic import PAUSE_SECONDS, SECONDS_PER_CHARACTER, synthetic_voice
from patter_nb.turns.policy import TurnPolicy

TEXT = "Hi, when is dinner served tonight? I would like a table for two."


def test_the_same_text_and_seed_give_the_same_samples():
    first, hz = synthetic_voice(TEXT, 3)
    second, _ = synthetic_voice(TEXT, 3)
    assert hz == 8000
    assert first.dtype == np.int16
    assert first.ndim == 1
    assert np.array_equal(first, second)


def test_another_seed_is_another_talker_of_the_same_rhythm():
    first, _ = synthetic_voice(TEXT, 1)
    second, _ = synthetic_voice(TEXT, 2)
    assert len(first) == len(second)
    assert not np.array_equal(first, second)


LENGTHS = [
    ("abc", 3 * SECONDS_PER_CHARACTER),
    ("one two", 7 * SECONDS_PER_CHARACTER),
    ("  one   two  ", 7 * SECONDS_PER_CHARACTER),
    ("yes, no", 5 * SECONDS_PER_CHARACTER + PAUSE_SECONDS[","]),
    ("Yes! No.", 5 * SECONDS_PER_CHARACTER + PAUSE_SECONDS["!"]),
    ("7:30", 3 * SECONDS_PER_CHARACTER + PAUSE_SECONDS[":"]),
    ("don't", 4 * SECONDS_PER_CHARACTER),
    ("こんにちは", 5 * SECONDS_PER_CHARACTER),
]


@pytest.mark.parametrize(("text", "seconds"), LENGTHS)
@pytest.mark.parametrize("hz", [8000, 16000, 22050, 24000])
def test_a_character_lasts_sixty_milliseconds_and_a_sign_inside_is_a_pause(text, seconds, hz):
    samples, rate = synthetic_voice(text, hz=hz)
    assert rate == hz
    assert len(samples) / hz == pytest.approx(seconds, abs=len(text) / hz)


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "—"])
def test_a_text_with_nothing_to_say_gives_no_samples(text):
    samples, hz = synthetic_voice(text)
    assert (len(samples), samples.dtype, hz) == (0, np.int16, 8000)


def silences(samples, hz):
    """Lengths of the silences between speech, in seconds."""
    speech = speech_blocks(samples, hz).astype(int)
    edges = np.flatnonzero(np.diff(speech))
    return [float(stop - start) * BLOCK_SECONDS for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def test_a_comma_is_an_audible_pause_and_a_space_is_none():
    assert silences(*synthetic_voice("when is dinner tonight")) == []
    (pause,) = silences(*synthetic_voice("thanks, goodbye"))
    assert pause == pytest.approx(PAUSE_SECONDS[","], abs=0.03)


def test_no_pause_is_as_long_as_the_silence_that_ends_a_turn():
    assert max(PAUSE_SECONDS.values()) < TurnPolicy().hangover_seconds


@pytest.mark.parametrize("seed", range(20))
def test_it_speaks_from_its_first_block_to_its_last_and_never_clips(seed):
    samples, hz = synthetic_voice(TEXT, seed)
    assert speech_bounds(samples, hz) == pytest.approx((0.0, len(samples) / hz), abs=BLOCK_SECONDS)
    assert 10_000 < np.abs(samples.astype(int)).max() < 12_000


@pytest.mark.parametrize("seed", range(20))
def test_syllables_rise_and_fall_as_in_speech(seed):
    levels = block_rms(*synthetic_voice("banana banana banana", seed))
    decibels = 20 * np.log10(levels[levels > 0] / 32768)
    assert np.percentile(decibels, 90) > -25
    assert np.percentile(decibels, 90) - np.percentile(decibels, 10) > 6


@pytest.mark.parametrize("seed", range(20))
def test_most_of_its_energy_passes_a_telephone(seed):
    samples, hz = synthetic_voice(TEXT, seed)
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    at_hz = np.fft.rfftfreq(len(samples), 1 / hz)
    assert power[(at_hz >= 300) & (at_hz <= 3400)].sum() > 0.6 * power.sum()
