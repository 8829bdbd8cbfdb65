"""Segments: cut as soon as they end, nowhere else, and nothing is lost."""

from __future__ import annotations

import random

import pytest

from patter_nb.turns.sentences import FIRST_CLAUSE_CHARACTERS, MAX_CHARACTERS, Segmenter


def segments(*tokens, **settings):
    segmenter = Segmenter(**settings)
    return [segment for token in tokens for segment in segmenter.push(token)] + segmenter.flush()


def tokens_of(text, choice):
    """`text` cut at random, mostly before a space as models cut it."""
    tokens, at = [], 0
    while at < len(text):
        space = text.find(" ", at + 1)
        size = choice.choice([1, 2, 3, 7, (space if space > 0 else len(text)) - at, (space if space > 0 else len(text)) - at])
        tokens.append(text[at : at + size])
        at += size
    return tokens


def test_it_holds_text_until_that_is_in_a_segment():
    segmenter = Segmenter()
    held = []
    for token in ("", " ", "One", ". ", "Two."):
        segmenter.push(token)
        held.append(segmenter.holds_text)
    segmenter.push("And")
    segmenter.flush()
    assert [*held, segmenter.holds_text] == [False, False, True, False, False, False]


WHOLE = [
    ("Hello there. How are you?", ["Hello there.", "How are you?"]),
    ("No. We are closed! Really? Yes; come in… Bye", ["No.", "We are closed!", "Really?", "Yes;", "come in…", "Bye"]),
    ("It costs 3.50 dollars. Thanks.", ["It costs 3.50 dollars.", "Thanks."]),
    ("Come at 5. The door is open.", ["Come at 5.", "The door is open."]),
    ("1. First thing. 2. Second thing.", ["1. First thing.", "2. Second thing."]),
    ("Room B2. It is free.", ["Room B2.", "It is free."]),
    ("B2. It is free.", ["B2.", "It is free."]),
    ("Dr. Smith is in. Mrs. Jones is not.", ["Dr. Smith is in.", "Mrs. Jones is not."]),
    ("Ask Dr. You know him.", ["Ask Dr. You know him."]),
    ("La Sra. García y el Lic. Pérez.", ["La Sra. García y el Lic. Pérez."]),
    ("I am ill. Come with me. Leave it on. Now!", ["I am ill.", "Come with me.", "Leave it on.", "Now!"]),
    ("J. R. Ewing called. Call back.", ["J. R. Ewing called.", "Call back."]),
    ("So do I. Then we go.", ["So do I.", "Then we go."]),
    ("Vitamin C. Dinner was good.", ["Vitamin C. Dinner was good."]),
    ("We close at 9 p.m. The bar is open.", ["We close at 9 p.m.", "The bar is open."]),
    ("We close at 9 p.m. on Sundays.", ["We close at 9 p.m. on Sundays."]),
    ("He lives in the U.S. Army base.", ["He lives in the U.S. Army base."]),
    ("He lives in the U.S. He likes it.", ["He lives in the U.S.", "He likes it."]),
    ("She holds a Ph.D. in law. Nice.", ["She holds a Ph.D. in law.", "Nice."]),
    ("Acme Inc. is open. Acme Ltd. They are not.", ["Acme Inc. is open.", "Acme Ltd.", "They are not."]),
    ("I said no. Dinner is over.", ["I said no.", "Dinner is over."]),
    ("See room No. 5 please.", ["See room No. 5 please."]),
    ("etc. They are.", ["etc.", "They are."]),
    ("Visit acme.com now. It is good.", ["Visit acme.com now.", "It is good."]),
    ("Well... maybe. Wait.. what?", ["Well... maybe.", "Wait.. what?"]),
    ("Really?! No way!!! Yes.", ["Really?!", "No way!!!", "Yes."]),
    ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
    ("(We are closed.) Come again.", ["(We are closed.)", "Come again."]),
    ("**Closed.** Come again.", ["**Closed.**", "Come again."]),
    ("We are OK. Thanks.", ["We are OK.", "Thanks."]),
    ("One line\nand more.\nNext", ["One line and more.", "Next"]),
    ("One line\r\nand more.", ["One line  and more."]),
    ("  spaces   stay.   Next. ", ["spaces   stay.", "Next."]),
    ("... Hello.", ["... Hello."]),
    ("?! What?", ["?! What?"]),
    ("—", ["—"]),
    ("   ", []),
    ("", []),
    ('"I. Then."', ['"I.', 'Then."']),
]


@pytest.mark.parametrize(("text", "expected"), WHOLE)
def test_a_text_at_once(text, expected):
    assert segments(text) == expected


NOT_LATIN = [
    ("你好。今天几点？六点！", ["你好。", "今天几点？", "六点！"]),
    ("はい。「いいえ。」次；", ["はい。", "「いいえ。」", "次；"]),
    ("半角｡全角．終", ["半角｡", "全角．", "終"]),
    ("नमस्ते। आप कैसे हैं॥", ["नमस्ते।", "आप कैसे हैं॥"]),
    ("متى العشاء؟ في السادسة۔ نعم؛", ["متى العشاء؟", "في السادسة۔", "نعم؛"]),
    ("Բարեւ։ Ինչպես՞", ["Բարեւ։", "Ինչպես՞"]),
    ("ሰላም። እንዴት፧ ጥሩ፨", ["ሰላም።", "እንዴት፧", "ጥሩ፨"]),
    ("សួស្តី។ បាទ៕", ["សួស្តី។", "បាទ៕"]),
    ("မင်္ဂလာပါ။ ဟုတ်ကဲ့", ["မင်္ဂလာပါ။", "ဟုတ်ကဲ့"]),
    ("བཀྲ་ཤིས། བདེ་ལེགས༎", ["བཀྲ་ཤིས།", "བདེ་ལེགས༎"]),
]


@pytest.mark.parametrize(("text", "expected"), NOT_LATIN)
def test_marks_of_other_scripts_end_sentences(text, expected):
    assert segments(text) == expected


def arrivals(*tokens, **settings):
    """Which token brings which segments."""
    segmenter = Segmenter(**settings)
    return [segmenter.push(token) for token in tokens]


@pytest.mark.parametrize("mark", [".", "!", "?", "…", ";", "。", "؟", "।"])
def test_a_sentence_goes_out_with_the_token_that_ends_it(mark):
    assert arrivals("Hello", " there", mark, " How") == [[], [], [f"Hello there{mark}"], []]
    assert arrivals("Hello", f" there{mark}") == [[], [f"Hello there{mark}"]]


@pytest.mark.parametrize("text", ["We are at acme.com.", "See ex.gr.", "字.", "We are OK."])
def test_what_only_looks_like_an_abbreviation_does_not_wait(text):
    assert arrivals(text) == [[text]]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (("At", " 5", ".", " Thanks"), [[], [], [], ["At 5."]]),
        (("At", " 5", ".", "30", " sharp", "."), [[], [], [], [], [], ["At 5.30 sharp."]]),
        (("At", " 5", ". ", "Thanks"), [[], [], ["At 5."], []]),
        (("I", " do", ".", " So", " do", " I", ".", " Then"), [[], [], ["I do."], [], [], [], [], ["So do I."]]),
        (("Acme", " Inc", ".", " They"), [[], [], [], ["Acme Inc."]]),
        (("Acme", " Inc", ".", " ", "They"), [[], [], [], [], ["Acme Inc."]]),
        (("Acme", " Inc", ".", " is"), [[], [], [], []]),
        (("At", " 9", " p", ".m", ".", " The"), [[], [], [], [], [], ["At 9 p.m."]]),
    ],
)
def test_only_after_a_digit_an_abbreviation_or_a_letter_the_next_token_is_waited_for(tokens, expected):
    assert arrivals(*tokens) == expected


@pytest.mark.parametrize("text", ["It is 5.", "So do I.", "Acme Inc.", "At 9 p.m.", "Ask Dr."])
def test_at_the_end_nothing_is_waited_for(text):
    assert segments(*text.partition(" ")) == [text]
    assert segments(f"{text} ") == [text]


def test_several_sentences_in_one_token_are_several_segments():
    assert Segmenter().push("One. Two! Three? Four") == ["One.", "Two!", "Three?"]


def test_flush_gives_the_rest_once():
    segmenter = Segmenter()
    assert segmenter.push("Hello there") == []
    assert segmenter.flush() == ["Hello there"]
    assert segmenter.flush() == []


def test_after_a_flush_another_reply_may_follow():
    segmenter = Segmenter(aggressive_first_flush=True)
    segmenter.push("One 5.")
    assert segmenter.flush() == ["One 5."]
    assert segmenter.push(FIRST + " then more") == [FIRST]
    assert segmenter.flush() == ["then more"]


# The first clause.

FIRST = "Of course we can do that for you right now,"


def test_the_first_clause_goes_out_alone_when_it_is_asked_for():
    assert arrivals("Of course we can do that for you right", " now", ",", " then", aggressive_first_flush=True) == [
        [],
        [],
        [FIRST],
        [],
    ]
    assert segments(FIRST, " then.") == [FIRST + " then."]


def test_only_the_first_one_does():
    text = f"{FIRST} and then we can do the same for all the others, too."
    assert segments(text, aggressive_first_flush=True) == [FIRST, "and then we can do the same for all the others, too."]
    assert segments(f"Hi. {FIRST} then.", aggressive_first_flush=True) == ["Hi.", FIRST + " then."]


@pytest.mark.parametrize("dash", ["—", "–"])
def test_a_dash_ends_a_clause(dash):
    text = "Of course we can do that for you right now"
    assert segments(f"{text}{dash}and more.", aggressive_first_flush=True) == [f"{text}{dash}", "and more."]


@pytest.mark.parametrize(
    "text",
    [
        "Of course, we can.",
        "Of course we can do that for you rig n, then.",
        "We can offer you this very good room for 1,000 dollars.",
        "We can offer you this very good room for $5, then.",
        "We can offer you this very good room for €55, then.",
        'Of course we can do that for you "right now, or then".',
        'Of course we can do that for you right now," he said.',
        "Of course we can do that for you (right now, or then).",
        "Of course we can do that for you [right now, or then].",
        "Of course we can do that for you {right now, or then}.",
        "Of course we can do that for you right now..,5 then.",
        "Of course we can do that for you right now,5 then.",
        "Of course we can do that for you right now.., then",
    ],
)
def test_what_is_no_clause_of_its_own_stays(text):
    expected = segments(text)
    assert len(expected) == 1
    assert segments(text, aggressive_first_flush=True) == expected


def test_the_first_clause_must_have_a_certain_length():
    assert len("Of course we can do that for you righ n,") == FIRST_CLAUSE_CHARACTERS
    assert segments("Of course we can do that for you righ n, so", aggressive_first_flush=True)[0].endswith("n,")
    assert segments("Of course we can do that for you rig n, so", aggressive_first_flush=True)[0].endswith("so")


def test_after_a_digit_the_next_token_tells_whether_a_comma_ends_the_clause():
    head = "We can offer you this very good room for 100"
    assert arrivals(head, ",", "000", aggressive_first_flush=True) == [[], [], []]
    assert arrivals(head, ",", " or", aggressive_first_flush=True) == [[], [], [head + ","]]
    assert segments(head, ",", aggressive_first_flush=True) == [head + ","]


def test_the_currency_must_be_near():
    text = "For $5 we can offer you a room that is nice, then."
    assert segments(text, aggressive_first_flush=True)[0] == "For $5 we can offer you a room that is nice,"


@pytest.mark.parametrize("language", ["it", "it-IT", "IT"])
def test_in_italian_the_first_clause_waits(language):
    assert segments(FIRST, " poi.", aggressive_first_flush=True, language=language) == [FIRST + " poi."]


# Text without an end.


def test_text_without_an_end_is_cut_between_words():
    pieces = segments("word " * 200)
    assert [len(piece) for piece in pieces] == [249, 249, 249, 249]
    assert all(piece.split() == ["word"] * 50 for piece in pieces)


def test_it_is_rather_cut_at_a_pause():
    text = "word " * 30 + "word, " + "word " * 60
    assert segments(text)[0] == ("word " * 30 + "word,").strip()


def test_a_pause_early_in_the_text_is_no_reason_to_cut_there():
    text = "word, " + "word " * 100
    assert len(segments(text)[0]) > MAX_CHARACTERS / 2
    just_before_the_middle = "x" * (MAX_CHARACTERS // 2 - 1) + ", " + "word " * 60
    assert segments(just_before_the_middle)[0] == ("x" * (MAX_CHARACTERS // 2 - 1) + ", " + "word " * 60)[:250].rsplit(" ", 1)[0]
    just_after_it = "x" * (MAX_CHARACTERS // 2) + ", " + "word " * 60
    assert segments(just_after_it)[0] == "x" * (MAX_CHARACTERS // 2) + ","


def test_a_comma_inside_of_a_number_is_no_pause():
    text = "word " * 40 + "1,000 " + "word " * 40
    assert "1,000" in segments(text)[0]


def test_scripts_without_spaces_are_cut_at_their_own_pauses():
    assert segments("字" * 200 + "，" + "字" * 100) == ["字" * 200 + "，", "字" * 100]


def test_a_word_without_an_end_is_cut_anywhere():
    assert [len(piece) for piece in segments("x" * 600)] == [250, 250, 100]


def test_a_sentence_of_exactly_the_longest_length_is_whole():
    text = "x" * (MAX_CHARACTERS - 1) + "."
    assert segments(text + " y") == [text, "y"]
    assert segments("y" + text) == ["y" + text[:-1], "."]


# Whatever comes, in whatever pieces.

MATERIAL = [text for text, _ in WHOLE + NOT_LATIN] + [
    FIRST + " then.",
    "word " * 120,
    "x" * 300,
    "a,b;c:d—e " * 40,
    "wait... no!? \"yes.\" (ok) 3.14, 1,000 e.g. this i.e. that",
]


@pytest.mark.parametrize("seed", range(60))
def test_no_character_is_lost_however_the_text_is_cut(seed):
    choice = random.Random(seed)
    text = " ".join(choice.choices(MATERIAL, k=choice.randint(1, 8)))
    segmenter = Segmenter(aggressive_first_flush=choice.random() < 0.5)
    pieces = [piece for token in tokens_of(text, choice) for piece in segmenter.push(token)] + segmenter.flush()
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece and piece == piece.strip() and len(piece) <= MAX_CHARACTERS for piece in pieces)
    assert all(any(map(str.isalnum, piece)) for piece in pieces[:-1] if len(piece) < 200)


@pytest.mark.parametrize("seed", range(20))
def test_a_text_of_random_characters_is_not_lost_either(seed):
    choice = random.Random(seed)
    text = "".join(choice.choices("ab .,!?\"'()…;:—1 \n。，$A", k=400))
    pieces = segments(*tokens_of(text, choice), aggressive_first_flush=True)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_long_reply_costs_no_more_per_token_than_a_short_one():
    """Counted in characters looked at, not in time."""
    looked_at = 0

    class Counting(Segmenter):
        def _end(self):
            nonlocal looked_at
            looked_at += 1
            return super()._end()

    segmenter = Counting()
    text = "This is a sentence of the reply. " * 300
    for token in tokens_of(text, random.Random(1)):
        segmenter.push(token)
    assert looked_at <= len(text)
