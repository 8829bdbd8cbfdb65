"""Server-sent events, cut anywhere."""

from __future__ import annotations

import pytest

from patter_nb.providers.openai_compatible.sse import LONGEST_EVENT, Decoder, ServerEvent, TooLongError


def said(text):
    return ServerEvent("message", text)


STREAMS = {
    "one event": (b"data: a\n\n", [said("a")]),
    "no space after the colon": (b"data:a\n\n", [said("a")]),
    "one space only is taken away": (b"data:  a\n\n", [said(" a")]),
    "lines of an event are joined": (b"data: a\ndata: b\n\n", [said("a\nb")]),
    "carriage returns end lines": (b"data: a\r\rdata: b\r\r", [said("a"), said("b")]),
    "so do both together": (b"data: a\r\n\r\ndata: b\r\n\r\n", [said("a"), said("b")]),
    "comments keep the connection alive": (b": working\n\ndata: a\n\n: more\n\n", [said("a")]),
    "a name": (b"event: error\ndata: a\n\ndata: b\n\n", [ServerEvent("error", "a"), said("b")]),
    "other fields are nothing": (b"id: 1\nretry: 5\ndata\ndata: a\n\n", [said("\na")]),
    "an event without data is none": (b"event: ping\n\ndata: a\n\n", [said("a")]),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [said("a")]),
    "a line separator is text": ("data: a\u2028b\u0085c\x0bd\n\n".encode(), [said("a\u2028b\u0085c\x0bd")]),
    "letters of several bytes": ("data: Größe 日本 🙂\n\n".encode(), [said("Größe 日本 🙂")]),
    "bytes that are no letters": (b"data: a\xff\n\n", [said("a\ufffd")]),
    "no empty line at the end": (b"data: a\n\ndata: b\n", [said("a"), said("b")]),
    "no end of line at the end": (b"data: a\n\ndata: b", [said("a"), said("b")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("stream", "events"), STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_wherever_the_bytes_are_cut(stream, events, size):
    decoder = Decoder()
    came = [event for start in range(0, len(stream), size) for event in decoder.feed(stream[start : start + size])]
    assert [*came, *decoder.end()] == events


def test_an_event_is_there_as_soon_as_its_empty_line_is():
    decoder = Decoder()
    assert list(decoder.feed(b"data: a\n")) == []
    assert list(decoder.feed(b"\n")) == [said("a")]


@pytest.mark.parametrize("line", [b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"], ids=["a line", "an event of many lines"])
def test_what_does_not_end_is_given_up(line):
    decoder = Decoder()
    with pytest.raises(TooLongError, match=f"more than {LONGEST_EVENT} bytes"):
        for _ in range(LONGEST_EVENT // 1000 + 2):
            list(decoder.feed(line))
