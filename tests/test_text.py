"""Text for a voice: marks and pictures go, words stay as they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.text import PHONE_PREAMBLE, filter_emoji, filter_for_tts, filter_markdown
from patter_nb.turns.sentences import Segmenter

FILTERS = (filter_markdown, filter_emoji, filter_for_tts)

MARKDOWN = {
    "fences keep content": ("```python\nprint(1)\n```\nDone.", "print(1)\nDone."),
    "fence of tildes": ("~~~\nprint(1)\n~~~", "print(1)\n"),
    "fence within a sentence": ("```python print(1) ```", "python print(1) "),
    "fence cut off by a sentence": ("```x = 1.", "x = 1."),
    "code": ("Use `open_door` and ``a `b` c``.", "Use open_door and a b c."),
    "image": ("See ![our map](map.png).", "See our map."),
    "image without a text": ("See ![](map.png).", "See ."),
    "link": ("Ask [our team](https://a.example/x?y=1).", "Ask our team."),
    "link with brackets and a title": ('[fox](https://a.example/Fox_(animal) "A fox")', "fox"),
    "link with nothing to say": ("Here [](https://a.example) now.", "Here  now."),
    "image in a link": ("[![logo](a.png)](https://a.example)", "logo"),
    "strike": ("At ~~five~~ six.", "At five six."),
    "headings": ("# One\n### Two ###", "One\nTwo"),
    "heading marks in a row": ("# ## One", "One"),
    "rule": ("One\n---\n* * *\n___\nTwo", "One\nTwo"),
    "bold": ("A **big** and __small__ dog.", "A big and small dog."),
    "bold within a word": ("un**frigging**believable", "unfriggingbelievable"),
    "bold number": ("It costs **5** euro, the **1**st time.", "It costs 5 euro, the 1st time."),
    "italic": ("A *big* and _small_ dog.", "A big and small dog."),
    "bold and italic": ("***Both*** and **some *of* it**.", "Both and some of it."),
    "quote": ("> One\n> > Two", "One\nTwo"),
    "bullets": ("- One\n* Two\n+ Three\n• Four", "One\nTwo\nThree\nFour"),
    "numbers": ("1. One\n2) Two\n  10. Three", "One\nTwo\nThree"),
    "bullet with marks in it": ("- **One**: `two`", "One: two"),
    "number in a bullet": ("- 1. One", "One"),
    "tags": ('A <b>big</b> <span class="x" id=y>dog</span>.', "A big dog."),
    "tag with a bracket in an attribute": ("<a href='x>y'>dog</a>", "dog"),
    "comment": ("One<!-- not\nthis --> two", "One two"),
    "tags that part words": ("One<br>two<br/>three<p>Hi.</p><p>You</p>", "One two three Hi. You"),
    "tags within a word": ("H<sub>2</sub>O", "H2O"),
    "many empty lines": ("One\n\n\n\n\nTwo", "One\n\nTwo"),
    "nested more deeply than anybody writes": ("[" * 12 + "deep" + "](u)" * 12, "deep"),
}

LOOKS_LIKE_MARKDOWN = [
    "",
    "2 * 3 * 4",
    "2*3*4",
    "2**3**4",
    "2 ** 3 ** 4",
    "snake_case_name",
    "snake__case__name",
    "snake__case__ of __old__names",
    "a _ b _ c",
    "5 < 6",
    "5 < 6 and 7 > 3",
    "a <b and c> d",
    "I <3 you",
    "Rooms with 5* or 4* are free.",
    "C# and F#",
    "#1 of them",
    "-5 degrees",
    "3 - 2",
    "2024. Then",
    "2. 5 or 6",
    "3.50 euro",
    "(see [this])",
    "[1]",
    "~5 minutes",
    "One\n\nTwo",
    "A well-known e-mail: a.b@c.example",
]

EMOJI = {
    "faces": ("Hello 😀 there 🙂.", "Hello there."),
    "only a face": ("😀", ""),
    "a family, joined": ("My 👨\u200d👩\u200d👧 here", "My here"),
    "a flag": ("From 🇮🇹 with love", "From with love"),
    "a flag of tags": ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f won", "won"),
    "a skin tone": ("👍🏽 Done", "Done"),
    "symbols and dingbats": ("☎️ Call ✓ us", "Call us"),
    "a key cap keeps its digit": ("Press 1️⃣ now", "Press 1 now"),
    "key caps in a row are no number": ("1️⃣2️⃣3️⃣", "1 2 3"),
    "later blocks": ("🤖 🪐 🛸 ok", "ok"),
    "before a comma": ("Yes 👍, sure", "Yes, sure"),
    "between words": ("Hello🙂there", "Hello there"),
    "joiner within a word": ("ක\u200dර", "කර"),
    "letters, signs and money stay": ("Zoë’s © ™ 5 € £ ½ 晚餐", "Zoë’s © ™ 5 € £ ½ 晚餐"),
    "spaces stay where no emoji is": ("a  b ", "a  b "),
}

BOTH = {
    "list mark behind an emoji": ("🙂 # Head", "Head"),
    "emoji in bold": ("Well **🙂** then", "Well then"),
    "emoji as the text of a link": ("[🙂](https://a.example)", ""),
    "emoji as a bullet's text": ("- 🙂 One", "One"),
    "markdown and emoji": ("**Great** 🎉! See [here](x).", "Great! See here."),
}


@pytest.mark.parametrize(("text", "spoken"), MARKDOWN.values(), ids=MARKDOWN)
def test_markdown_marks_go_and_the_words_stay(text: str, spoken: str) -> None:
    assert filter_markdown(text) == spoken


@pytest.mark.parametrize("text", LOOKS_LIKE_MARKDOWN)
def test_what_only_looks_like_markdown_stays(text: str) -> None:
    assert filter_for_tts(text) == text


@pytest.mark.parametrize(("text", "spoken"), EMOJI.values(), ids=EMOJI)
def test_emoji_go_with_the_spaces_around_them(text: str, spoken: str) -> None:
    assert filter_emoji(text) == spoken


@pytest.mark.parametrize(("text", "spoken"), BOTH.values(), ids=BOTH)
def test_one_filter_does_both_until_there_is_nothing_left_to_do(text: str, spoken: str) -> None:
    assert filter_for_tts(text) == spoken


RANGES = (
    "1F600-1F64F 1F300-1F5FF 1F680-1F6FF 1F1E0-1F1FF 1F900-1F9FF 1FA00-1FAFF 2600-26FF 2700-27BF FE00-FE0F 200D-200D 20E3-20E3 "
    "E0020-E007F"
)


@pytest.mark.parametrize("bounds", RANGES.split())
def test_each_range_of_pictures_is_taken_out_to_its_ends(bounds: str) -> None:
    first, last = (int(bound, 16) for bound in bounds.split("-"))
    assert filter_emoji("".join(map(chr, range(first, last + 1)))) == ""


MARKS = ["# ", "> ", "- ", "1. ", "\n", " ", "*", "**", "_", "__", "`", "```", "~~", "~~~", "[", "](u)", "!", "#", ".", ","]
TAGS = ["<b>", "</b>", "<br>", "<", ">", "<!--", "-->"]
WORDS = ["one", "2", "ß", "晚", "http://a.example", "🙂", "☎\ufe0f", "\u200d", "1️⃣"]
pieces = st.lists(st.sampled_from(MARKS + TAGS + WORDS), max_size=16).map("".join)
texts = st.one_of(pieces, st.text(max_size=60), st.text(alphabet=st.characters(exclude_categories=()), max_size=20))


@pytest.mark.parametrize("function", FILTERS)
@given(text=texts)
def test_filters_never_raise_and_have_nothing_to_do_twice(function, text: str) -> None:  # type: ignore[no-untyped-def]
    assert function(function(text)) == function(text)


@pytest.mark.parametrize("function", FILTERS)
@given(text=texts)
def test_filters_only_take_away(function, text: str) -> None:  # type: ignore[no-untyped-def]
    """What is left stands in the text, in its order; a space may take the place of a tag or picture."""
    rest = iter(text)
    assert all(any(character == other for other in rest) for character in function(text) if character != " ")


MARKED = ["{}", "**{}**", "*{}*", "__{}__", "`{}`", "<b>{}</b>", "[{}](u)", "🙂 {}"]
words = st.lists(st.sampled_from(["one", "two", "Three.", "4", "5,", "six's", "e-mail"]), min_size=1, max_size=12)


@given(words=words, marks=st.lists(st.sampled_from(MARKED), min_size=12, max_size=12))
def test_marked_words_are_the_words_that_are_spoken(words: list[str], marks: list[str]) -> None:
    marked = " ".join(mark.format(word) for word, mark in zip(words, marks, strict=False))
    assert filter_for_tts(marked).split() == words


def test_the_preamble_is_short_and_speaks_as_it_asks_to() -> None:
    sentences = Segmenter()
    assert 4 <= len([*sentences.push(PHONE_PREAMBLE), *sentences.flush()]) <= 5
    assert filter_for_tts(PHONE_PREAMBLE) == PHONE_PREAMBLE
    assert not re.search(r"\d", PHONE_PREAMBLE)


ASKED = ("telephone", "one or two sentences", "one question", "markdown", "lists", "code", "emoji", "numbers", "dates", "units")


@pytest.mark.parametrize("asked", ASKED)
def test_the_preamble_asks_for(asked: str) -> None:
    assert asked in PHONE_PREAMBLE.lower()
