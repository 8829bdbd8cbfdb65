"""What was said is kept, up to a number of bytes; the longest unused goes first."""

from __future__ import annotations

from patter_nb.audio.formats import MULAW_8K, PCM_8K, AudioFormat
from patter_nb.providers.local.cache import SpeechCache, Spoken


def key(text: str, *, pitch: float = 1.0, audio: AudioFormat = MULAW_8K) -> Spoken:
    return Spoken(text, "voice.onnx", pitch, 1.0, audio)


def test_what_was_put_is_found_again_and_only_under_all_of_its_settings() -> None:
    cache = SpeechCache()
    cache.put(key("hello"), (b"ab", b"c"))
    assert cache.get(key("hello")) == (b"ab", b"c")
    assert cache.get(key("hello", pitch=1.25)) is None
    assert cache.get(key("hello", audio=PCM_8K)) is None


def test_the_longest_unused_goes_first_and_the_limit_holds() -> None:
    cache = SpeechCache(limit=80)
    for text in "abcdefgh":
        cache.put(key(text), (bytes(10),))
    cache.get(key("a"))
    cache.put(key("i"), (bytes(10),))
    assert cache.size == 80
    assert cache.get(key("a")) is not None
    assert cache.get(key("b")) is None


def test_a_long_speech_does_not_push_out_the_short_ones() -> None:
    cache = SpeechCache(limit=80)
    cache.put(key("a"), (bytes(10),))
    cache.put(key("long"), (bytes(11),))
    assert cache.get(key("long")) is None
    assert cache.get(key("a")) is not None


def test_replacing_counts_once() -> None:
    cache = SpeechCache(limit=80)
    for size in (10, 4, 6):
        cache.put(key("a"), (bytes(size),))
    assert cache.size == 6
