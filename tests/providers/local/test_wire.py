"""Frames arrive whole, in order, however the bytes were cut, and never larger than allowed."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.errors import ProviderError
from patter_nb.providers.local.wire import MAX_PAYLOAD_BYTES, Frame, Unpacker, pack

FRAMES = [Frame({"id": 1, "text": "naïve ☎"}, b""), Frame({}, b"\x00\xff" * 50), Frame({"end": True}, b"x")]


@given(st.lists(st.integers(0, 60), max_size=30))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(cuts: list[int]) -> None:
    stream = b"".join(pack(frame.header, frame.payload) for frame in FRAMES)
    bounds = sorted({0, len(stream), *(min(sum(cuts[:n]), len(stream)) for n in range(len(cuts)))})
    unpacker = Unpacker()
    got = [frame for start, end in pairwise(bounds) for frame in unpacker.feed(stream[start:end])]
    assert got == FRAMES


MALFORMED = {
    "a header that is no JSON": struct.pack("!II", 3, 0) + b"abc",
    "a header that is no object": struct.pack("!II", 2, 0) + b"[]",
    "a header that is no UTF-8": struct.pack("!II", 2, 0) + b"\xff\xfe",
    "a header beyond the limit": struct.pack("!II", 1 << 30, 0),
    "a payload beyond the limit": struct.pack("!II", 2, MAX_PAYLOAD_BYTES + 1),
}


@pytest.mark.parametrize("stream", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_frame_is_refused_before_it_is_kept(stream: bytes) -> None:
    with pytest.raises(ValueError):
        list(Unpacker().feed(stream))


def test_a_stranger_may_send_less_than_a_friend() -> None:
    big = pack({"id": 1}, b"audio" * 100)
    careful = Unpacker(max_header=64, max_payload=0)
    with pytest.raises(ValueError, match="larger than the limits"):
        list(careful.feed(big))
    trusting = Unpacker(max_header=64, max_payload=0)
    greeting = pack({"secret": "s"})
    frames = []
    for frame in trusting.feed(greeting + big):  # both arrive at once: the limits change between them
        trusting.trust()
        frames.append(frame)
    assert [frame.payload for frame in frames] == [b"", b"audio" * 100]


def test_a_request_that_is_too_large_is_told_to_the_sender() -> None:
    with pytest.raises(ProviderError, match="send it in parts"):
        pack({}, bytes(MAX_PAYLOAD_BYTES + 1))
