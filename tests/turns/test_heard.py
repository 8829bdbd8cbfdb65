"""Heard text: whole words, never more than the audio proves."""

from __future__ import annotations

import pytest

from patter_nb.turns.heard import TOLERANCE_SECONDS, Segment, whole_words


def segment(text, heard, seconds=None, points=(), whole=True):
    made = Segment(text)
    if seconds is not None and whole:
        made.synthesized(seconds)
    elif seconds is not None:
        made.abandoned(seconds)
    made.aligned(points)
    made.heard(heard)
    return made


@pytest.mark.parametrize(
    ("text", "characters", "words"),
    [
        ("one two three", 0, ""),
        ("one two three", 1, ""),
        ("one two three", 2, ""),
        ("one two three", 3, "one"),
        ("one two three", 4, "one"),
        ("one two three", 6, "one"),
        ("one two three", 7, "one two"),
        ("one two three", 12, "one two"),
        ("one two three", 13, "one two three"),
        ("one two three", 99, "one two three"),
        ("one", 2, ""),
        ("", 5, ""),
        ("a  b", 2, "a"),
        ("晚餐六点开始", 2, "晚餐"),
        ("晚餐 at six", 3, "晚餐"),
    ],
)
def test_words_count_when_all_of_them_lies_within(text, characters, words):
    assert whole_words(text, characters) == words


def test_a_proportion_is_of_characters():
    assert segment("one two three", 0.69, 1.3).heard_text() == "one"
    assert segment("one two three", 0.7, 1.3).heard_text() == "one two"
    assert segment("one two three", 1.29, 1.3).heard_text() == "one two"


def test_the_end_is_the_end_within_a_millisecond():
    assert segment("one two three", 1.2991, 1.3).heard_text() == "one two three"
    assert segment("one two three", 1.2991, 1.3).played_out
    assert not segment("one two three", 1.2989, 1.3).played_out
    assert segment("one two three", 0.0, TOLERANCE_SECONDS).played_out


def test_of_a_segment_of_unknown_length_nothing_is_known_to_be_heard():
    assert segment("one two three", 0.9).heard_text() == ""
    assert not segment("one two three", 0.9).played_out


def test_of_a_segment_that_failed_on_the_way_nothing_is_known_to_be_heard():
    failed = segment("one two three", 0.9, 0.9, whole=False)
    assert failed.heard_text() == ""
    assert failed.played_out


def test_what_will_not_be_played_is_played_out_and_was_not_heard():
    made = segment("one", 0.0, 0.5)
    made.dropped()
    assert made.played_out
    made.heard(0.5)
    assert made.heard_text() == ""


def test_a_segment_that_is_whole_can_not_fail_any_more():
    made = segment("one", 0.5, 0.5)
    made.abandoned(9.0)
    assert made.played_out


POINTS = ((3, 0.4), (7, 0.9), (13, 1.3))


@pytest.mark.parametrize(
    ("heard", "words"), [(0.39, ""), (0.399, "one"), (0.3995, "one"), (0.4, "one"), (0.8, "one"), (1.0, "one two")]
)
def test_an_alignment_tells_which_words_were_heard(heard, words):
    assert segment("one two three", heard, 1.3, POINTS).heard_text() == words
    assert segment("one two three", heard, None, POINTS).heard_text() == words


def test_an_alignment_by_characters_is_rounded_down_to_words():
    assert segment("one two", 0.5, 1.0, ((1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4), (5, 0.5))).heard_text() == "one"


def test_alignments_add_up_in_any_order():
    made = Segment("one two three")
    made.aligned(POINTS[2:])
    made.aligned(POINTS[:2])
    made.aligned(POINTS[1:2])
    assert made.points == POINTS


def test_all_of_it_was_heard_whatever_the_alignment_says():
    assert segment("one two three", 1.2, 1.2, POINTS).heard_text() == "one two three"


def test_what_was_heard_stays_heard():
    made = segment("one two three", 0.8, 1.3)
    made.heard(0.2)
    assert made.heard_text() == "one two"


def test_a_segment_without_audio_says_nothing():
    silent = segment("...", 0.0, 0.0)
    assert silent.played_out
    assert silent.heard_text() == ""
