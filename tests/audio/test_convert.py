"""Streams of bytes from one form to another: untouched where both agree, whole samples everywhere else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patter_nb.audio import g711
from patter_nb.audio.convert import Converter, decode, encode
from patter_nb.audio.formats import MULAW_8K, PCM_8K, PCM_16K, PCM_22K, PCM_24K
from patter_nb.audio.resample import Resampler
from patter_nb.errors import ConfigError

FORMATS = [MULAW_8K, PCM_8K, PCM_16K, PCM_22K, PCM_24K]


@pytest.mark.parametrize("fmt", FORMATS)
def test_between_equal_forms_the_bytes_are_not_touched(fmt):
    converter = Converter(fmt, fmt)
    audio = b"\x7f\x01\xff"
    assert converter.passthrough
    assert converter.feed(audio) is audio
    assert converter.flush() == b""
    assert converter.held_back_seconds == 0


@settings(deadline=None)
@given(source=st.sampled_from(FORMATS), target=st.sampled_from(FORMATS), audio=st.binary(max_size=1500), data=st.data())
def test_no_cut_of_the_bytes_shows_not_even_within_a_sample(source, target, audio, data):
    cuts = data.draw(st.lists(st.integers(0, len(audio)), max_size=8).map(sorted))
    bounds = [0, *cuts, len(audio)]
    pieces, whole = Converter(source, target), Converter(source, target)
    cut = b"".join(pieces.feed(audio[low:high]) for low, high in pairwise(bounds)) + pieces.flush()
    assert cut == whole.feed(audio) + whole.flush()


def test_mulaw_to_16_khz_is_the_table_and_then_the_resampler():
    codes = bytes(range(256)) * 3
    converter, resampler = Converter(MULAW_8K, PCM_16K), Resampler(8000, 16000)
    expected = np.concatenate((resampler.feed(g711.decode(codes)), resampler.flush()))
    assert converter.feed(codes) + converter.flush() == expected.astype("<i2").tobytes()
    assert not converter.passthrough


def test_pcm_at_the_same_rate_becomes_mulaw_at_once():
    samples = np.array([0, 1000, -1000, 32767, -32768], np.int16)
    converter = Converter(PCM_8K, MULAW_8K)
    assert converter.feed(samples.astype("<i2").tobytes()) == g711.encode(samples)
    assert converter.flush() == b""


def test_an_odd_byte_waits_for_its_other_half():
    converter = Converter(PCM_8K, MULAW_8K)
    assert converter.feed(b"\x00") == b""
    assert converter.feed(b"\x10\x00") == g711.encode(np.array([0x1000], np.int16))
    assert converter.feed(b"\x10") == g711.encode(np.array([0x1000], np.int16))


def test_half_a_sample_at_the_end_is_dropped_and_does_not_reach_the_next_stream():
    converter = Converter(PCM_8K, MULAW_8K)
    converter.feed(b"\x55")
    assert converter.flush() == b""
    assert converter.feed(b"\x00\x10") == g711.encode(np.array([0x1000], np.int16))


def test_samples_are_little_endian_bytes():
    assert encode(np.array([1, -2], np.int16), PCM_8K) == b"\x01\x00\xfe\xff"
    assert decode(b"\x01\x00\xfe\xff", PCM_24K).tolist() == [1, -2]
    assert decode(b"\x01\x00\xfe\xff", PCM_24K).dtype == np.int16


def test_decoding_half_a_sample_is_an_error_that_says_what_to_do():
    with pytest.raises(ConfigError, match=r"half a 16-bit sample \(3 bytes\): pass whole samples, or feed a Converter"):
        decode(b"abc", PCM_16K)


@given(st.binary(max_size=400).map(lambda audio: audio[: len(audio) // 2 * 2]))
def test_what_was_decoded_encodes_to_the_same_bytes(audio):
    assert encode(decode(audio, PCM_8K), PCM_8K) == audio
