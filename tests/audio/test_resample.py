"""The resampler's promises: what it lets pass, what it keeps out, and that no cut of the stream shows in its output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patter_nb.audio.resample import Resampler
from patter_nb.errors import ConfigError, ConfigTypeError

PAIRS = [(8000, 16000), (8000, 24000), (16000, 8000), (24000, 8000), (16000, 24000), (24000, 16000), (22050, 8000)]
OTHER_PAIRS = [(8000, 22050), (44100, 8000), (48000, 8000), (11025, 8000), (8000, 48000), (8012, 8000)]
DOWN_TO_8K = [pair for pair in PAIRS + OTHER_PAIRS if pair[1] == 8000 and pair[0] >= 16000]
UP_FROM_8K = [pair for pair in PAIRS + OTHER_PAIRS if pair[0] == 8000 and pair[1] >= 16000]
AMPLITUDE = 20000.0


def tone(frequency: float, hz: int, seconds: float = 0.5) -> np.ndarray:
    return np.rint(AMPLITUDE * np.sin(2 * np.pi * frequency * np.arange(int(seconds * hz)) / hz + 0.3)).astype(np.int16)


def through(samples: np.ndarray, source: int, target: int) -> np.ndarray:
    resampler = Resampler(source, target)
    return np.concatenate((resampler.feed(samples), resampler.flush()))


def steady(samples: np.ndarray, hz: int) -> np.ndarray:
    """Without its first and last 20 ms, where a tone that begins or ends at once has other frequencies too."""
    edge = hz // 50
    return samples[edge:-edge].astype(float)


def amplitude_at(frequency: float, samples: np.ndarray, hz: int) -> float:
    """Of the sinusoid of that frequency, fitted by least squares."""
    angle = 2 * np.pi * frequency * np.arange(len(samples)) / hz
    parts = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return float(np.hypot(*np.linalg.lstsq(parts, samples, rcond=None)[0]))


def db(ratio: float) -> float:
    return 20 * np.log10(max(ratio, 1e-9))


@pytest.mark.parametrize(("source", "target"), DOWN_TO_8K)
def test_tones_above_the_telephones_band_are_60_db_down_when_they_fold_into_it(source, target):
    worst = -200.0
    for frequency in np.linspace(4600, source / 2 - 1, 25):
        rms = np.sqrt(np.mean(np.square(steady(through(tone(frequency, source), source, target), target))))
        worst = max(worst, db(rms * np.sqrt(2) / AMPLITUDE))
    assert worst < -60


@pytest.mark.parametrize(("source", "target"), UP_FROM_8K)
def test_what_going_up_adds_to_a_tone_is_60_db_below_it(source, target):
    worst = -200.0
    for frequency in np.linspace(300, 3400, 21):
        output = steady(through(tone(frequency, source), source, target), target)
        angle = 2 * np.pi * frequency * np.arange(len(output)) / target
        parts = np.stack((np.cos(angle), np.sin(angle)), axis=1)
        rest = output - parts @ np.linalg.lstsq(parts, output, rcond=None)[0]
        worst = max(worst, db(np.sqrt(np.mean(np.square(rest))) * np.sqrt(2) / AMPLITUDE))
    assert worst < -60


@pytest.mark.parametrize(("source", "target"), PAIRS + OTHER_PAIRS)
def test_speechs_band_passes_level(source, target):
    levels = [
        db(amplitude_at(f, steady(through(tone(f, source), source, target), target), target) / AMPLITUDE)
        for f in np.linspace(300, 3400, 21)
    ]
    assert max(levels) < 0.1
    assert min(levels) > -0.1


@pytest.mark.parametrize(("source", "target"), PAIRS + OTHER_PAIRS)
def test_the_audio_is_not_delayed(source, target):
    output = through(tone(1000, source), source, target)
    expected = AMPLITUDE * np.sin(2 * np.pi * 1000 * np.arange(len(output)) / target + 0.3)
    assert np.abs(steady(output, target) - steady(expected, target)).max() < AMPLITUDE * 0.001


@pytest.mark.parametrize(("source", "target"), PAIRS + OTHER_PAIRS)
def test_no_more_than_3_ms_are_held_back(source, target):
    resampler = Resampler(source, target)
    frame = source // 50
    assert resampler.held_back_seconds <= 0.003
    given_out = taken = 0
    for _ in range(50):
        given_out += len(resampler.feed(np.zeros(frame, np.int16)))
        taken += frame
        assert taken / source - given_out / target <= resampler.held_back_seconds + 1e-9


@settings(deadline=None, max_examples=60)
@given(pair=st.sampled_from(PAIRS + OTHER_PAIRS), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_no_cut_of_the_stream_shows_in_the_output(pair, seed, data):
    rng = np.random.default_rng(seed)
    samples = rng.integers(-32768, 32768, data.draw(st.integers(0, 3000))).astype(np.int16)
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=12).map(sorted))
    resampler = Resampler(*pair)
    pieces = [resampler.feed(piece) for piece in np.split(samples, cuts)]
    pieces.append(resampler.flush())
    assert np.array_equal(np.concatenate(pieces), through(samples, *pair))


def test_one_sample_at_a_time_is_the_same_as_all_at_once():
    samples = np.random.default_rng(1).integers(-32768, 32768, 700).astype(np.int16)
    for pair in PAIRS:
        resampler = Resampler(*pair)
        pieces = [resampler.feed(samples[n : n + 1]) for n in range(len(samples))]
        assert np.array_equal(np.concatenate([*pieces, resampler.flush()]), through(samples, *pair))


@given(pair=st.sampled_from(PAIRS + OTHER_PAIRS), length=st.integers(0, 2000))
def test_the_whole_output_is_as_long_as_the_input(pair, length):
    source, target = pair
    assert len(through(np.zeros(length, np.int16), source, target)) == -(-length * target // source)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_output_is_the_sum_its_definition_says(source, target):
    """Written out directly: each output is the sum of all inputs, each weighted by the sinc at its distance in time."""
    samples = np.random.default_rng(2).integers(-20000, 20000, 400).astype(np.int16)
    output = through(samples, source, target)
    lower = min(source, target)
    held_back = Resampler(source, target).held_back_seconds
    for k in range(0, len(output), 7):
        distance = k / target - np.arange(len(samples)) / source
        inside = np.abs(distance) <= held_back + 1e-12
        window = np.i0(0.1102 * (80 - 8.7) * np.sqrt(np.clip(1 - (distance[inside] / held_back) ** 2, 0, None)))
        weights = lower / source * np.sinc(lower * distance[inside]) * window / np.i0(0.1102 * (80 - 8.7))
        assert abs(output[k] - weights @ samples[inside]) < 6  # the window's sum is 1 only nearly; both round


def test_full_scale_is_clipped_and_does_not_wrap_around():
    square = np.where(np.arange(4000) // 40 % 2, 32767, -32768).astype(np.int16)
    for pair in PAIRS:
        output = through(square, *pair).astype(int)
        ideal = np.where(np.arange(len(output)) * pair[0] // pair[1] // 40 % 2, 1, -1)
        assert (np.sign(output) == ideal)[100:-100].mean() > 0.9
        assert output.max() == 32767
        assert output.min() == -32768


def test_equal_rates_pass_the_very_array_through():
    samples = tone(440, 8000)
    resampler = Resampler(8000, 8000)
    assert resampler.feed(samples) is samples
    assert len(resampler.flush()) == 0
    assert resampler.held_back_seconds == 0


def test_a_flushed_resampler_begins_a_new_stream():
    samples = tone(700, 24000, 0.1)
    resampler = Resampler(24000, 8000)
    first = np.concatenate((resampler.feed(samples), resampler.flush()))
    second = np.concatenate((resampler.feed(samples), resampler.flush()))
    assert np.array_equal(first, second)
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("hz", [0, -8000, 999, 192_001, 8000.0, "8000", None])
def test_a_rate_that_is_none_is_refused_by_name(hz):
    with pytest.raises(ConfigError, match="source_hz must be a whole rate from 1000 to 192000 Hz, not"):
        Resampler(hz, 8000)
    with pytest.raises(ConfigError, match="target_hz must be"):
        Resampler(8000, hz)


def test_samples_of_another_type_are_refused():
    with pytest.raises(ConfigTypeError, match="samples must be a numpy array of int16, not float32"):
        Resampler(8000, 16000).feed(np.zeros(10, np.float32))
