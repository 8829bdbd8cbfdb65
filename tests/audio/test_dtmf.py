"""A receiver of the tests' own hears the keys, and nothing but them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from patter_nb.audio import g711
from patter_nb.audio.dtmf import KEYS, MOST_KEYS, check_keys, dtmf_tones
from patter_nb.errors import ConfigError, ConfigTypeError

PAIRS = {
    "1": (697, 1209), "2": (697, 1336), "3": (697, 1477), "A": (697, 1633),
    "4": (770, 1209), "5": (770, 1336), "6": (770, 1477), "B": (770, 1633),
    "7": (852, 1209), "8": (852, 1336), "9": (852, 1477), "C": (852, 1633),
    "*": (941, 1209), "0": (941, 1336), "#": (941, 1477), "D": (941, 1633),
}  # fmt: skip
FREQUENCIES = sorted({frequency for pair in PAIRS.values() for frequency in pair})


def goertzel(samples: np.ndarray, frequency: float, hz: int) -> float:
    """The amplitude of one frequency, full scale 1."""
    factor = 2 * math.cos(2 * math.pi * frequency / hz)
    before = last = 0.0
    for sample in samples.tolist():
        before, last = last, sample / 32768 + factor * last - before
    power = last * last + before * before - factor * last * before
    return 2 * math.sqrt(max(0.0, power)) / len(samples)


def key_in(block: np.ndarray, hz: int) -> str:
    """The key that sounds in a block of 20 ms; "" for silence; "?" for anything else."""
    levels = {frequency: goertzel(block, frequency, hz) for frequency in FREQUENCIES}
    loud = tuple(frequency for frequency in FREQUENCIES if levels[frequency] > 0.15)
    if not loud:
        return "" if max(levels.values()) < 0.1 else "?"
    return next((key for key, pair in PAIRS.items() if pair == loud), "?")


def decode(samples: np.ndarray, hz: int) -> str:
    """Keys of at least 40 ms, with pauses of at least 40 ms between them."""
    size = hz // 50
    keys, last, repeats = "", "", 0
    for start in range(0, len(samples) - size + 1, size):
        key = key_in(samples[start : start + size], hz)
        repeats = repeats + 1 if key == last else 1
        last = key
        keys += key if key and repeats == 2 else ""
    return keys


@pytest.mark.parametrize("hz", [8000, 16_000, 24_000])
@pytest.mark.parametrize("keys", ["1234567890*#ABCD", "11", "0w0"])
def test_a_receiver_hears_the_keys(keys, hz):
    assert decode(dtmf_tones(keys, hz), hz) == keys.replace("w", "")


@pytest.mark.parametrize("key", KEYS)
def test_a_key_has_its_two_frequencies_and_no_third(key):
    block = dtmf_tones(key, 8000)[200:600]
    levels = {frequency: goertzel(block, frequency, 8000) for frequency in FREQUENCIES}
    for frequency, level in levels.items():
        assert level == pytest.approx(0.3, abs=0.02) if frequency in PAIRS[key] else level < 0.05


def test_keys_are_heard_through_a_telephone_line():
    assert decode(g711.decode(g711.encode(dtmf_tones("159D", 8000))), 8000) == "159D"


def test_the_shortest_tones_that_receivers_must_take_are_heard():
    samples = dtmf_tones("12", 8000, tone_ms=40, gap_ms=40)
    assert len(samples) == 8000 * 160 // 1000
    assert decode(samples, 8000) == "12"


@pytest.mark.parametrize(("keys", "ms"), [("1", 200), ("12", 400), ("w", 500), ("1w2", 900), ("ww", 1000)])
def test_how_long_it_lasts(keys, ms):
    samples = dtmf_tones(keys, 8000)
    assert (samples.dtype, samples.shape) == (np.int16, (8 * ms,))


def test_tones_fade_in_and_out_and_gaps_are_silent():
    samples = np.abs(dtmf_tones("5", 8000).astype(int))
    assert samples[0] == samples[799] == 0
    assert samples[:8].max() < 4000
    assert samples[792:800].max() < 4000
    assert samples[800:].max() == 0
    assert 15_000 < samples.max() < 20_000


@pytest.mark.parametrize(("given", "plain"), [("12#", "12#"), ("abcd", "ABCD"), ("1w2", "1w2"), ("0" * 32, "0" * 32)])
def test_what_keys_are(given, plain):
    assert check_keys(given) == plain


@pytest.mark.parametrize("given", ["", "1 2", "E", "1-2", "W", "+1", "١", "0" * (MOST_KEYS + 1)])
def test_what_is_on_no_telephone_is_refused(given):
    with pytest.raises(ConfigError, match=r"^digits h"):
        check_keys(given)
    with pytest.raises(ConfigError, match=r"^digits h"):
        dtmf_tones(given, 8000)


@pytest.mark.parametrize("given", [12, None, b"12", ["1"]])
def test_keys_are_a_string(given):
    with pytest.raises(ConfigTypeError, match="must be a string of keys"):
        check_keys(given)


WRONG = ({"tone_ms": 39}, {"gap_ms": 39}, {"gap_ms": 5001}, {"tone_ms": 50.0}, {"hz": 3999}, {"hz": 8000.0})


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_no_receiver_could_tell_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"^{name} is"):
        dtmf_tones("1", **{"hz": 8000, **wrong})
