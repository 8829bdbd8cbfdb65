"""µ-law against the Recommendation's tables, its reference arithmetic, and Python's own codec where there is one."""

from __future__ import annotations

import importlib
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from patter_nb.audio import g711
from patter_nb.errors import ConfigError, ConfigTypeError

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = bytes(range(256))

INTERVALS = [(1, 1), (15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)]
"""G.711 table 2a, from the smallest magnitude up: so many intervals of such a width, in steps of the 14-bit scale."""


def decision_values() -> list[int]:
    """x1, x2, ...: where each of the 128 intervals of one sign begins; 8159 at the far end is beyond the last."""
    values = [0]
    for number, width in INTERVALS:
        values += [values[-1] + width * n for n in range(1, number + 1)]
    return values


def code_by_table(sample: int) -> int:
    """Interval 0 has the character signal 1111 1111 (negative: 0111 1111), and each further one counts down."""
    magnitude = (sample if sample >= 0 else -sample - 1) // 4
    interval = sum(value <= magnitude for value in decision_values()[:-1]) - 1
    return (0xFF if sample >= 0 else 0x7F) - interval


def code_by_reference_arithmetic(sample: int) -> int:
    """As ITU-T's software tools go about it: one's complement, bias, and the segment found by shifting until nothing is left."""
    absolute = ((~sample if sample < 0 else sample) >> 2) + 33
    absolute = min(absolute, 0x1FFF)
    segment, rest = 1, absolute >> 6
    while rest:
        segment, rest = segment + 1, rest >> 1
    high = 8 - segment
    low = 15 - ((absolute >> segment) & 15)
    return (high << 4 | low) + (0x80 if sample >= 0 else 0)


def test_the_table_ends_where_the_recommendation_says():
    assert decision_values()[-1] == 8159
    assert len(decision_values()) == 129


def test_every_code_decodes_to_the_middle_of_its_interval():
    edges = decision_values()
    middles = [0] + [(low + high) // 2 for low, high in pairwise(edges[1:])]
    expected = [-4 * middles[127 - n] for n in range(128)] + [4 * middles[255 - n] for n in range(128, 256)]
    assert g711.decode(EVERY_CODE).tolist() == expected


def test_every_sample_has_the_code_of_the_table():
    assert list(g711.encode(EVERY_SAMPLE)) == [code_by_table(int(sample)) for sample in EVERY_SAMPLE]


def test_every_sample_has_the_code_of_the_reference_arithmetic():
    assert list(g711.encode(EVERY_SAMPLE)) == [code_by_reference_arithmetic(int(sample)) for sample in EVERY_SAMPLE]


if sys.version_info < (3, 13):  # later Pythons have no audioop

    def test_pythons_own_codec_decodes_the_same_and_encodes_within_one_code():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            audioop = importlib.import_module("audioop")
        assert g711.decode(EVERY_CODE).astype("<i2").tobytes() == audioop.ulaw2lin(EVERY_CODE, 2)
        ours = np.frombuffer(g711.encode(EVERY_SAMPLE), np.uint8).astype(int)
        theirs = np.frombuffer(audioop.lin2ulaw(EVERY_SAMPLE.tobytes(), 2), np.uint8).astype(int)
        differing = ours != theirs
        assert np.abs(ours - theirs).max() == 1
        assert differing.sum() == 508
        assert EVERY_SAMPLE[differing].max() < 0  # it rounds negative samples away from zero


def test_encoding_what_was_decoded_changes_nothing_but_the_negative_zero():
    again = g711.encode(g711.decode(EVERY_CODE))
    assert [(before, after) for before, after in zip(EVERY_CODE, again, strict=True) if before != after] == [(0x7F, 0xFF)]
    assert g711.decode(again).tolist() == g711.decode(EVERY_CODE).tolist()


@given(st.binary(max_size=700))
def test_any_number_of_codes_has_as_many_samples(codes):
    samples = g711.decode(codes)
    assert samples.dtype == np.int16
    assert len(g711.encode(samples)) == len(samples) == len(codes)


@given(arrays(np.int16, st.integers(0, 300), elements=st.integers(-32635, 32635)))
def test_a_sample_comes_back_within_half_its_interval(samples):
    """An interval is at most a sixteenth of the magnitude at which its segment begins, both counted with the bias of 4 * 33."""
    magnitude = np.abs(samples.astype(int)) + 132
    assert (np.abs(g711.decode(g711.encode(samples)).astype(int) - samples) <= magnitude / 32 + 4).all()


def test_one_channel_of_a_stereo_array_is_encoded_like_a_copy_of_it():
    stereo = np.stack((EVERY_SAMPLE, EVERY_SAMPLE[::-1]), axis=1)
    assert g711.encode(stereo[:, 1]) == g711.encode(EVERY_SAMPLE[::-1].copy())


def test_what_is_not_mono_int16_is_refused_by_name():
    with pytest.raises(ConfigTypeError, match=r"samples must be a numpy array of int16, not float64.*astype"):
        g711.encode(np.zeros(3))
    with pytest.raises(ConfigTypeError, match="not list"):
        g711.encode([1, 2])
    with pytest.raises(ConfigError, match=r"shape \(n,\), not \(3, 2\)"):
        g711.encode(np.zeros((3, 2), np.int16))
