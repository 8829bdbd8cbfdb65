"""A text is cut so that its first clause is heard first, and nothing of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.providers.local.clauses import FIRST_CHARACTERS, Piece, pause_after, pieces

CUTS = {
    "Acme, good evening!": ["Acme, good evening!"],
    "I'm sorry, I don't have that in my notes.": ["I'm sorry,", "I don't have that in my notes."],
    "Sure, I can help with that.": ["Sure, I can help with that."],
    "Of course. Dinner is served from six to ten.": ["Of course.", "Dinner is served from six to ten."],
    "No. No, that is not right.": ["No. No, that is not right."],
    "Hello there! How are you? Fine.": ["Hello there!", "How are you?", "Fine."],
    "He said \"stop.\" Then he left.": ['He said "stop."', "Then he left."],
    "J. R. Smith is here.": ["J. R. Smith is here."],
    "six A.M. Then we open.": ["six A.M.", "Then we open."],
    "Breakfast is on the large terrace behind the house, and dinner is in the restaurant on the first floor.": [
        "Breakfast is on the large terrace behind the house,",
        "and dinner is in the restaurant on the first floor.",
    ],
    "You can take the train to the central station and walk along the river for five minutes": [
        "You can take the train to the central station",
        "and walk along the river for five minutes",
    ],
    "": [],
    "... !": [],
}


@pytest.mark.parametrize(("text", "expected"), CUTS.items())
def test_where_texts_are_cut(text: str, expected: list[str]) -> None:
    assert [piece.text for piece in pieces(text)] == expected


@given(st.text(alphabet="ab ,.;:!?'\"\n", max_size=200))
def test_every_word_is_in_exactly_one_piece_in_order(text: str) -> None:
    heard = "".join(character for piece in pieces(text) for character in piece.text if character.isalnum())
    assert heard == "".join(character for character in text if character.isalnum())


@given(st.text(alphabet="abc ,.", max_size=200))
def test_a_piece_that_ends_no_sentence_is_long_enough_to_be_said(text: str) -> None:
    for piece in pieces(text)[:-1]:
        assert len(piece.text) >= FIRST_CHARACTERS


def test_a_long_sentence_after_a_short_start_comes_in_growing_pieces() -> None:
    rooms = ", ".join(f"{number} rooms" for number in ("two", "three", "four", "five", "six", "seven"))
    text = f"Good evening, we have one room, {rooms}, and many more rooms."
    sizes = [len(piece.text) for piece in pieces(text)]
    assert sizes[0] < 20
    assert all(size <= 4 * sum(sizes[:number]) for number, size in enumerate(sizes) if number)


def test_pauses_follow_the_punctuation() -> None:
    assert pause_after("Yes.") > pause_after("first;") > pause_after("well,") > pause_after("and so")
    assert pieces('"Yes."') == [Piece('"Yes."', pause_after("Yes."))]
