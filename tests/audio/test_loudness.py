"""Where sound is, in blocks of 10 ms: limits met exactly, and no dependence on how a stream was cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.audio.loudness import AudibleFinder, block_rms, first_audible, speech_bounds
from patter_nb.errors import ConfigTypeError


def square(amplitude: int, seconds: float, hz: int = 8000) -> np.ndarray:
    """A square wave, whose RMS is its amplitude."""
    wave = np.full(round(seconds * hz), amplitude, np.int16)
    wave[::2] *= -1
    return wave


def silence(seconds: float, hz: int = 8000) -> np.ndarray:
    return np.zeros(round(seconds * hz), np.int16)


def test_speech_is_bounded_by_its_first_and_last_loud_block():
    utterance = np.concatenate((silence(0.25), square(8000, 0.4), silence(0.3)))
    assert speech_bounds(utterance, 8000) == (0.25, 0.65)


@pytest.mark.parametrize(("tail", "end"), [(101, 0.3), (100, 0.3), (99, 0.2)])
def test_speech_reaches_down_to_40_db_below_the_loudest_block(tail, end):
    utterance = np.concatenate((square(10000, 0.2), square(tail, 0.1), silence(0.1)))
    assert speech_bounds(utterance, 8000) == (0.0, end)


def test_a_pause_inside_belongs_to_the_speech():
    utterance = np.concatenate((silence(0.1), square(5000, 0.1), silence(0.8), square(5000, 0.1), silence(0.1)))
    assert speech_bounds(utterance, 8000) == (0.1, 1.1)


@pytest.mark.parametrize("quiet", [silence(1.0), silence(0.0), square(8, 1.0), np.zeros(1, np.int16)])
def test_there_is_no_speech_in_silence_not_even_where_a_mulaw_line_flickers(quiet):
    assert speech_bounds(quiet, 8000) is None


def test_a_soft_voice_is_speech():
    assert speech_bounds(np.concatenate((silence(0.1), square(40, 0.2))), 8000) == (0.1, pytest.approx(0.3))


def test_the_last_block_may_be_short():
    assert speech_bounds(square(3000, 0.0155, 16000), 16000) == (0.0, 248 / 16000)


def test_blocks_at_22050_hz_are_220_samples():
    utterance = np.concatenate((np.zeros(2200, np.int16), square(5000, 0.1, 22050)))
    assert speech_bounds(utterance, 22050)[0] == 2200 / 22050


@pytest.mark.parametrize(("amplitude", "found"), [(104, 0.5), (103, None)])
def test_audible_begins_at_minus_50_dbfs(amplitude, found):
    """-50 dB of 32768 is 103.6."""
    assert first_audible(np.concatenate((silence(0.5), square(amplitude, 0.1))), 8000) == found


def test_a_click_too_short_to_fill_a_block_is_weighed_by_its_energy():
    click = silence(0.1)
    click[400] = 900  # over 80 samples: RMS 100.6
    assert first_audible(click, 8000) is None
    click[400] = 940
    assert first_audible(click, 8000) == 0.05


@given(seed=st.integers(0, 1000), data=st.data())
def test_the_finder_says_once_what_the_whole_says(seed, data):
    rng = np.random.default_rng(seed)
    lead = data.draw(st.integers(0, 900))
    samples = np.concatenate((rng.integers(-60, 60, lead), rng.integers(-3000, 3000, 400))).astype(np.int16)
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=10).map(sorted))
    finder = AudibleFinder(8000)
    said = [at for at in (finder.feed(piece) for piece in np.split(samples, cuts)) if at is not None]
    assert said == [first_audible(samples, 8000)]
    assert finder.found


def test_the_finders_blocks_begin_at_the_streams_first_sample():
    click = silence(0.1)
    click[159] = 20000
    assert AudibleFinder(8000).feed(click) == 0.01


def test_a_finder_that_hears_nothing_says_nothing():
    finder = AudibleFinder(8000)
    assert [finder.feed(silence(0.02)) for _ in range(20)] == [None] * 20
    assert not finder.found


def test_loudness_of_full_scale_does_not_overflow():
    assert block_rms(np.full(80, -32768, np.int16), 8000).tolist() == [32768.0]
    assert len(block_rms(np.zeros(0, np.int16), 8000)) == 0


def test_floats_are_refused():
    with pytest.raises(ConfigTypeError, match="not float64"):
        speech_bounds(np.zeros(100), 8000)
