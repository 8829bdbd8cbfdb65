"""Formats of telephone audio: how many bytes a sample, a frame and a second have."""

from __future__ import annotations

import pytest

from patter_nb.audio.formats import FRAME_SECONDS, MULAW_8K, PCM_8K, PCM_16K, PCM_22K, PCM_24K, AudioFormat

SIZES = [
    # format, bytes of a sample, of a 20 ms frame, of a second
    (MULAW_8K, 1, 160, 8000),
    (PCM_8K, 2, 320, 16000),
    (PCM_16K, 2, 640, 32000),
    (PCM_22K, 2, 882, 44100),
    (PCM_24K, 2, 960, 48000),
    (AudioFormat("pcm_s16le", 11025), 2, 440, 22050),
]


@pytest.mark.parametrize(("audio", "sample", "frame", "second"), SIZES)
def test_bytes_of_a_sample_a_frame_and_a_second(audio, sample, frame, second):
    assert (audio.sample_bytes, audio.frame_bytes) == (sample, frame)
    assert audio.seconds(second) == 1.0
    assert audio.seconds(0) == 0.0


@pytest.mark.parametrize("audio", [case[0] for case in SIZES])
def test_a_frame_is_whole_samples_and_never_longer_than_twenty_milliseconds(audio):
    assert audio.frame_bytes % audio.sample_bytes == 0
    assert FRAME_SECONDS - 1 / audio.hz < audio.seconds(audio.frame_bytes) <= FRAME_SECONDS


def test_formats_of_the_same_encoding_and_rate_are_equal_and_can_be_keys():
    assert AudioFormat("mulaw", 8000) == MULAW_8K
    assert {AudioFormat("mulaw", 8000): "line"}[MULAW_8K] == "line"
    assert PCM_8K != MULAW_8K
