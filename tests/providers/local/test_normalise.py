"""Text as written becomes text as spoken. Cases are data; properties hold for any text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patter_nb.providers.local import phrasebook
from patter_nb.providers.local.normalise import normalise

MONEY = {
    "$12.50": "twelve dollars and fifty cents",
    "$1": "one dollar",
    "$1.01": "one dollar and one cent",
    "$0.99": "ninety nine cents",
    "$0": "zero dollars",
    "£5": "five pounds",
    "£5.20": "five pounds and twenty pence",
    "€ 3,50": "three euros and fifty cents",
    "1,200 USD": "one thousand two hundred dollars",
    "1 USD": "one dollar",
    "EUR 20": "twenty euros",
    "20 €": "twenty euros",
    "¥500": "five hundred yen",
    "$1.5 million": "one point five million dollars",
    "$5k": "five thousand dollars",
    "$10-20": "ten to twenty dollars",
    "$95/night": "ninety five dollars a night",
    "-$5": "minus five dollars",
    "50¢": "fifty cents",
    "£1,000.5": "one thousand point five pounds",
}
PHONES = {
    "call 512-555-0142": "call five one two, five five five, zero one four two",
    "(512) 555-0142": "five one two, five five five, zero one four two",
    "512.555.0142": "five one two, five five five, zero one four two",
    "+1 512 555 0142": "plus one, five one two, five five five, zero one four two",
    "+15125550142": "plus one, five one two, five five five, zero one four two",
    "+44 20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight",
    "5125550142": "five one two, five five five, zero one four two",
    "555-0142": "five five five, zero one four two",
    "tel: 5550142": "tel: five five five, zero one four two",
    "1-800-555-0199": "one, eight zero zero, five five five, zero one nine nine",
    "dial 911": "dial nine one one",
    "order 0042": "order zero zero four two",
    "978-3-16-148410-0": "nine seven eight, three, one six, one four eight four one zero, zero",
}
QUANTITIES = {
    "20%": "twenty percent",
    "5-10%": "five to ten percent",
    "12.5 %": "twelve point five percent",
    "the 22nd": "the twenty second",
    "3.14": "three point one four",
    "1,234,567": "one million two hundred thirty four thousand five hundred sixty seven",
    "1000000": "one million",
    "in 1999": "in nineteen ninety nine",
    "since 1805": "since eighteen oh five",
    "2026": "twenty twenty six",
    "room 412": "room four hundred twelve",
    "B12": "B twelve",
    "v2.0.1": "v two point zero point one",
    "-5": "minus five",
    "10-15 minutes": "ten to fifteen minutes",
    "5 km": "five kilometers",
    "1 km": "one kilometer",
    "20°C": "twenty degrees Celsius",
    "45 m²": "forty five square meters",
    "5 lbs": "five pounds",
    "#5": "number five",
    "No. 7": "number seven",
    "1/2": "one half",
    "2 1/2 cups": "two and a half cups",
    "½ cup": "one half cup",
    "3/4": "three quarters",
    "24/7": "twenty four seven",
    "5'10\"": "five foot ten",
    "1. one 2. two": "one. one two. two",
}
SHORT_FORMS = {
    "Dr. Smith lives at 12 Elm Dr. near Main St.": "Doctor Smith lives at twelve Elm Drive near Main Street.",
    "see Dr. Lee": "see Doctor Lee",
    "on Main St. Parking is free": "on Main Street. Parking is free",
    "At St. James": "At Saint James",
    "e.g. towels, etc.": "for example towels, et cetera.",
    "Mr. and Mrs. Lee": "Mister and Missus Lee",
    "ext. 12": "extension twelve",
    "U.S. dollars": "U S dollars",
    "AT&T": "AT and T",
    "W/ ice": "with ice",
}
ADDRESSES = {
    "https://www.acme.com/menu": "acme dot com slash menu",
    "Visit acme.com.": "Visit acme dot com.",
    "write to mia.lee22@acme-hotel.co.uk.": "write to mia dot lee twenty two at acme dash hotel dot co dot uk.",
}
MARKS = {
    "Hello 😀👍🏽!": "Hello!",
    "👨‍👩‍👧 family ❤️ 1️⃣": "family one",
    "**bold** and `code`": "bold and code",
    "# Title\n- item one\n- item two": "Title item one item two",
    "[our site](https://acme.com)": "our site",
    "Hello — world": "Hello, world",
    "yes (really).": "yes, really.",
    "“Hi” she said": '"Hi" she said',
    "Acme™ Hotel®": "Acme Hotel",
    "😀": "",
    "": "",
}
ALL = MONEY | PHONES | QUANTITIES | SHORT_FORMS | ADDRESSES | MARKS


@pytest.mark.parametrize(("written", "spoken"), ALL.items())
def test_what_is_written_is_said(written: str, spoken: str) -> None:
    assert normalise(written) == spoken


def test_plain_sentences_are_left_alone() -> None:
    for text in ("Dinner is served from six to ten.", "I'm sorry, I don't have that in my notes.", "Wait, what? No!"):
        assert normalise(text) == text


@pytest.mark.parametrize("unit", phrasebook.UNITS)
def test_each_unit_is_said_in_the_singular_and_the_plural(unit: str) -> None:
    one, many = phrasebook.UNITS[unit]
    assert normalise(f"1 {unit}") == f"one {one}"
    assert normalise(f"about 2 {unit}") == f"about two {many}"


@pytest.mark.parametrize("short", phrasebook.ABBREVIATIONS)
def test_each_abbreviation_is_spelled_out(short: str) -> None:
    assert normalise(f"so {short} x") == f"so {phrasebook.ABBREVIATIONS[short]} x"


@pytest.mark.parametrize("code", phrasebook.CURRENCIES)
def test_each_currency_is_said(code: str) -> None:
    one, many, *_ = phrasebook.CURRENCIES[code]
    assert normalise(f"1 {code}") == f"one {one}"
    assert normalise(f"{code} 30") == f"thirty {many}"


def test_other_languages_keep_their_numbers() -> None:
    assert normalise("Um 7:30 Uhr 😀 **bitte**", language="de-DE") == "Um 7:30 Uhr bitte"


SCRAPS = ("at", "pm", ".", "$", "-", "/", ":", " ", "1", "07", "3,", "%", "#", "²", "٣", "½", "\u200b", "St.", "@")
PIECES = st.sampled_from([*ALL, *SCRAPS])


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=60))
@example("+" + "1" * 40 + "x")
@example("a" * 2000 + "@")
def test_whatever_is_written_no_digit_and_no_picture_is_left(text: str) -> None:
    spoken = normalise(text)
    assert not any(character.isdecimal() for character in spoken)
    assert not any(unicodedata.category(character) in {"So", "Cs", "Cf", "Cc"} for character in spoken)
    assert spoken == spoken.strip()


@pytest.mark.parametrize("written", ALL)
def test_what_is_spoken_already_stays_as_it_is(written: str) -> None:
    spoken = normalise(written)
    assert normalise(spoken) == spoken
