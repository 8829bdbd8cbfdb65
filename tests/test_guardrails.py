"""Guardrails: what they take, and their terms over a stream, held against plain search."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patter_nb import guardrails
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.guardrails import REPLACEMENT, Guardrail, Hit, TermFilter, blocked_spans, find, guardrail, normalised
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS


def rails(*terms: str | list[str]) -> tuple[Guardrail, ...]:
    """A guardrail for each argument, named r0, r1 ..."""
    lists = [[term] if isinstance(term, str) else term for term in terms]
    return tuple(Guardrail(f"r{number}", None, own, "0") for number, own in enumerate(lists))


def stream(guards: tuple[Guardrail, ...], tokens: list[str]) -> tuple[str, str, Hit | None]:
    """What passed, what was still held, and the match."""
    terms = TermFilter(guards)
    passed = "".join(terms.feed(token) for token in tokens)
    return passed, terms.end(), terms.hit


# What may be given.


def no_prices(text: str) -> bool:
    return "$" in text


def test_fields_stand_in_the_order_of_patter_and_have_its_defaults() -> None:
    rail = Guardrail("x", no_prices, ["bad"], "Well.", True)
    assert (rail.name, rail.check, rail.blocked_terms, rail.replacement, rail.fail_closed) == (
        "x",
        no_prices,
        ("bad",),
        "Well.",
        True,
    )
    plain = Guardrail("x", no_prices)
    assert (plain.blocked_terms, plain.replacement, plain.fail_closed) == ((), "I'm sorry, I can't respond to that.", False)
    assert plain.replacement == REPLACEMENT


def test_terms_are_kept_as_they_were_written_without_the_space_around_them() -> None:
    assert Guardrail("x", None, [" Bad ", "drop  dead\n"]).blocked_terms == ("Bad", "drop  dead")
    assert Guardrail("x", None, (term for term in ("a", "b")), "0").blocked_terms == ("a", "b")  # type: ignore[arg-type]


MADE = {
    "as in the seed": (guardrail("x", blocked_terms=["bad"]), Guardrail("x", None, ["bad"])),
    "by position": (guardrail("x", ["bad"], no_prices, "Well."), Guardrail("x", no_prices, ["bad"], "Well.")),
    "by keyword": (guardrail(name="x", check=no_prices, fail_closed=True), Guardrail("x", no_prices, fail_closed=True)),
    "bare decorator": (guardrail(no_prices), Guardrail("no_prices", no_prices)),
    "decorator": (guardrail("x")(no_prices), Guardrail("x", no_prices)),
    "decorator with all": (
        guardrail("x", replacement="Well.", fail_closed=True)(no_prices),
        Guardrail("x", no_prices, (), "Well.", True),
    ),
    "a check that is more": (
        guardrail(no_prices, ["bad"], replacement="Well.", fail_closed=True),
        Guardrail("no_prices", no_prices, ["bad"], "Well.", True),
    ),
}


@pytest.mark.parametrize(("made", "meant"), MADE.values(), ids=MADE)
def test_a_guardrail_is_made_in_each_of_its_forms(made: object, meant: Guardrail) -> None:
    assert made == meant


def test_a_decorated_check_can_still_be_called() -> None:
    @guardrail("no_euros", replacement="Well.")
    async def no_euros(text: str) -> bool:
        return "€" in text

    assert guardrail(no_prices)("5 $") is True
    assert asyncio.run(no_euros("5 €")) is True
    assert Guardrail("x", None, ["bad"])("too BAD") is True
    assert Guardrail("x", None, ["bad"])("good") is False


REFUSED: dict[str, tuple[dict[str, Any], type[ConfigError], str]] = {
    "nothing to block": ({}, ConfigError, r"blocks nothing: give it blocked_terms=\[\.\.\.\] or check="),
    "no terms": ({"blocked_terms": []}, ConfigError, "blocks nothing"),
    "a bare string": ({"blocked_terms": "bad"}, ConfigTypeError, r"write blocked_terms=\['bad'\]"),
    "no sequence": ({"blocked_terms": 5}, ConfigTypeError, "blocked_terms of guardrail 'x' is 5; it must be a list of strings"),
    "a number among the terms": ({"blocked_terms": ["bad", 5]}, ConfigTypeError, "holds 5; it takes strings"),
    "an empty term": ({"blocked_terms": ["bad", ""]}, ConfigError, "holds '', which is no text"),
    "a blank term": ({"blocked_terms": [" \n"]}, ConfigError, "which is no text"),
    "a term nobody hears": ({"blocked_terms": ["\u200b \u00ad"]}, ConfigError, "which is no text"),
    "no name": ({"name": " ", "check": no_prices}, ConfigError, "name of a guardrail is ' '"),
    "a name that is none": ({"name": 5, "check": no_prices}, ConfigError, "name of a guardrail is 5"),
    "a check that is none": ({"check": "bad"}, ConfigTypeError, "check of guardrail 'x' is 'bad'; it must be a function"),
    "an empty replacement": ({"check": no_prices, "replacement": ""}, ConfigError, "replacement of guardrail 'x' is ''"),
    "a replacement without words": ({"check": no_prices, "replacement": " ...\n"}, ConfigError, "must hold words to say"),
    "no replacement": ({"check": no_prices, "replacement": None}, ConfigError, "must hold words to say"),
    "a replacement with a term": (
        {"blocked_terms": ["good", "so  SORRY"], "replacement": "I am so\nsorry."}, ConfigError, "'so  SORRY', which it blocks",
    ),
    "a yes that is none": ({"check": no_prices, "fail_closed": "yes"}, ConfigTypeError, "it must be True or False"),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "error", "says"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused_in_one_sentence(settings: dict[str, Any], error: type[ConfigError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        Guardrail(**{"name": "x", **settings})
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_a_guardrail_of_terms_does_not_decorate() -> None:
    with pytest.raises(ConfigTypeError, match="with blocked_terms it decorates nothing"):
        guardrail("x", blocked_terms=["bad"])(no_prices)
    with pytest.raises(ConfigTypeError, match="two checks"):
        guardrail(no_prices, check=len)


def test_a_guardrail_can_be_changed_only_by_making_another() -> None:
    rail = Guardrail("x", None, ["bad"])
    with pytest.raises(AttributeError):
        rail.name = "y"  # type: ignore[misc]
    assert replace(rail, replacement="Well.").blocked_terms == ("bad",)


# Matching.

NBSP = "\u00a0"
MATCHES = {
    "as written": ("bad", "so bad, sir", "so ", "bad"),
    "capitals": ("bad", "so BaD", "so ", "BaD"),
    "capitals of the term": ("BAD", "so bad", "so ", "bad"),
    "inside of a word": ("ass", "the class", "the cl", "ass"),
    "at the very beginning": ("bad", "bad", "", "bad"),
    "spaces": ("drop dead", "o drop  \t dead", "o ", "drop  \t dead"),
    "line breaks": ("drop dead", "o drop\n\r\ndead", "o ", "drop\n\r\ndead"),
    "a space that does not break": ("drop dead", f"o drop{NBSP}dead", "o ", f"drop{NBSP}dead"),
    "spaces of the term": (f"drop {NBSP}\n dead", "o drop dead", "o ", "drop dead"),
    "spaces ahead of a term": (" bad", "ob  bad", "ob  ", "bad"),
    "over the end of a sentence": ("no. never", "I say no. Never ever", "I say ", "no. Never"),
    "nothing of several terms": ("bad", "babad", "ba", "bad"),
    "a start within a start": ("aab", "aaab", "a", "aab"),
    "one letter as two": ("strasse", "die Straße", "die ", "Straße"),
    "two letters as one": ("straße", "die STRASSE", "die ", "STRASSE"),
    "a term that ends within a letter": ("as", "xaß", "x", "aß"),
    "a term that begins within a letter": ("st", "xßt", "x", "ßt"),
    "a ligature": ("file", "my ﬁle", "my ", "ﬁle"),
    "places behind a letter that folds to two": ("bad", "İİ bad", "İİ ", "bad"),
    "a letter that folds to two in the term": ("İx", "aİX", "a", "İX"),
    "Greek, whose last letter differs": ("λόγος", "ο ΛΌΓΟΣ", "ο ", "ΛΌΓΟΣ"),
    "no spaces between words": ("死ね", "お前死ね。", "お前", "死ね"),
    **{
        f"what is not heard, {ord(unheard):04X}": ("drop dead", f"o dr{unheard}op{unheard} {unheard}de{unheard}ad", "o ",
                                                   f"dr{unheard}op{unheard} {unheard}de{unheard}ad")
        for unheard in "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u202e\u2063\u2066\u180e\ufe0f\u034f\u3164\U000e0100\x00"
    },
    "what is not heard, in the term": ("dr\u00adop", "o drop", "o ", "drop"),
    "what is not heard, ahead of it": ("bad", "so \u200bbad", "so \u200b", "bad"),
    "what is not heard, between spaces": ("drop dead", "o drop \u200b dead", "o ", "drop \u200b dead"),
    "an accent in the place of an apostrophe": ("don't", "I don´t", "I ", "don´t"),
    "an accent of its own in the text": ("café", "the cafe\u0301 is", "the ", "cafe\u0301"),
    "an accent of its own in the term": ("cafe\u0301", "the CAFÉ is", "the ", "CAFÉ"),
    "two accents": ("tiệm", "một TIE\u0323\u0302M", "một ", "TIE\u0323\u0302M"),
    "accents of the term out of their order": ("tie\u0302\u0323m", "một tiệm", "một ", "tiệm"),
    "a term without the accent, that comes too late": ("cafe", "the cafe\u0301", "the ", "cafe"),
    "a term whose accents come apart, behind one that does": ("éa", "xééa", "xé", "éa"),
    "syllables put together of their parts": ("시발", "\u1109\u1175\u1107\u1161\u11af", "", "\u1109\u1175\u1107\u1161\u11af"),
    "a typographic apostrophe": ("don't tell", "I don’t tell you", "I ", "don’t tell"),
    "a typographic apostrophe in the term": ("don’t tell", "I don't tell", "I ", "don't tell"),
    "an apostrophe of full width": ("don't", "I don＇t", "I ", "don＇t"),
    "typographic quotes": ('the "best"', "it’s the “best” of", "it’s ", "the “best”"),
    "a double prime": ('5" knife', "a 5″ knife", "a ", "5″ knife"),
    "a hyphen that does not break": ("so-called", "a so\u2011called", "a ", "so\u2011called"),
    "a dash": ("tip - top", "a tip – top", "a ", "tip – top"),
    "letters of full width": ("bad", "so ｂａＤ", "so ", "ｂａＤ"),
    "dots as one character": ("well...", "so, WELL…", "so, ", "WELL…"),
}  # fmt: skip


@pytest.mark.parametrize(("term", "text", "before", "matched"), MATCHES.values(), ids=MATCHES)
def test_a_term_is_found_and_nothing_of_it_passes(term: str, text: str, before: str, matched: str) -> None:
    (rail,) = rails(term)
    hit = Hit(rail, term.strip())
    assert stream((rail,), [text]) == stream((rail,), list(text)) == (before, "", hit)
    assert find((rail,), text) == hit
    assert blocked_spans((rail,), text)[0] == (len(before), len(before) + len(matched), "r0")


PASSES = {
    "nothing": ("bad", ""),
    "a beginning": ("bad", "ba"),
    "a space too few": ("drop dead", "dropdead"),
    "a space too many": ("dropdead", "drop dead"),
    "a mark between": ("drop dead", "drop, dead"),
    "an accent": ("resume", "my résumé"),
    "an accent on its last letter": ("cafe", "the café"),
    "an accent on its last letter, in a text that goes on": ("cafe", "the cafés"),
    "a syllable that goes on": ("자지", "자진"),
    "a dot above": ("i", "İ"),
    "an accent without its letter": ("é", "e"),
    "a mark that stands alone": ("a b", "a\u00a8b"),
    "many beginnings": ("aab", "aaaaa ababa"),
    "only what is not heard": ("bad", "\u200b\u00ad\ufeff"),
    "a beginning with what is not heard": ("bad", "b\u200ba\u00ad"),
    "beginnings of several": ("drop dead", "drop  \n drop  \n "),
}


@pytest.mark.parametrize(("term", "text"), PASSES.values(), ids=PASSES)
def test_what_holds_no_term_passes_unchanged(term: str, text: str) -> None:
    for tokens in ([text], list(text)):
        passed, rest, hit = stream(rails(term), tokens)
        assert (passed + rest, hit) == (text, None)
    assert find(rails(term), text) is None
    assert blocked_spans(rails(term), text) == []


HOLDS = [
    # Tokens, and after each what passed and how many characters are held.
    (["hello", " there"], [("hello", 0), (" there", 0)]),
    (["a b", "a", "r"], [("a ", 1), ("", 2), ("bar", 0)]),
    (["drop", " ", " \n", "d", "x"], [("", 4), ("", 5), ("", 7), ("", 8), ("drop  \ndx", 0)]),
    (["drop drop"], [("drop ", 4)]),
    (["b", "\u200b", "\u200bx"], [("", 1), ("", 2), ("b\u200b\u200bx", 0)]),
    (["x\u200b", "b"], [("x\u200b", 0), ("", 1)]),
    (["ba", "d", "bad more"], [("", 2), ("", 0), ("", 0)]),
    (["", "b", ""], [("", 0), ("", 1), ("", 1)]),
]

ACCENTS = [
    (["the ", "u", "b"], [("the ", 0), ("", 1), ("ub", 0)]),
    (["the u", "\u0308", "b", "el"], [("the ", 1), ("", 2), ("", 3), ("u\u0308bel", 0)]),
    (["ü", "x"], [("", 1), ("üx", 0)]),
    (["u", "\u0301"], [("", 1), ("u\u0301", 0)]),
    (["don", "’", "s"], [("", 3), ("", 4), ("don’s", 0)]),
]


@pytest.mark.parametrize(("tokens", "steps"), HOLDS)
def test_only_what_may_be_a_beginning_is_held_back(tokens: list[str], steps: list[tuple[str, int]]) -> None:
    terms = TermFilter(rails(["bad", "drop dead"]))
    assert [(terms.feed(token), terms.held) for token in tokens] == steps


def test_without_terms_everything_passes_at_once() -> None:
    for guards in ((), (Guardrail("x", no_prices),)):
        terms = TermFilter(guards)
        assert terms.feed("5 $ \u200b  for it") == "5 $ \u200b  for it"
        assert (terms.held, terms.hit, terms.end()) == (0, None, "")


def test_after_a_match_nothing_passes_and_the_match_stays() -> None:
    terms = TermFilter(rails("bad", "worse"))
    assert terms.feed("so bad, even") == "so "
    hit = terms.hit
    assert terms.feed(" worse and more") == "" == terms.end()
    assert terms.hit is hit is not None
    assert terms.held == 0


FIRST = [
    # Terms of each guardrail, text, the guardrail and term that win.
    (["bad", "so"], "so bad", 1, "so"),
    (["dead", "drop dead"], "drop dead", 0, "dead"),
    (["drop dead", "dead"], "drop dead", 0, "drop dead"),
    (["drop dead now", "dead"], "drop dead now", 1, "dead"),
    (["bad", "bad"], "bad", 0, "bad"),
    ([["x", "BAD"], ["bad"]], "bad", 0, "BAD"),
    (["cd", "bcd", "abcd"], "abcd", 0, "cd"),
    (["xyz", "abcd", "cd", "bcd"], "abcd", 1, "abcd"),
    ([["dead", "drop dead"]], "drop dead", 0, "drop dead"),
]


@pytest.mark.parametrize(("terms", "text", "number", "term"), FIRST)
def test_the_match_that_completes_first_wins_and_then_the_order(terms: Any, text: str, number: int, term: str) -> None:
    guards = rails(*terms)
    assert find(guards, text) == Hit(guards[number], term)


def test_a_match_tells_the_guardrail_and_its_term_and_nothing_of_the_text() -> None:
    hit = find(rails("bad"), "Alice is BAD")
    assert hit == Hit(rails("bad")[0], "bad")
    assert "Alice" not in repr(hit)
    with pytest.raises(AttributeError):
        hit.term = None  # type: ignore[misc, union-attr]


def test_spans_are_all_parts_that_are_blocked_and_by_what() -> None:
    text = "So bad, drop\u00ad  dead, Straße; BAD bad-bad"
    spans = blocked_spans(rails("bad", ["drop dead", "strasse"]), text)
    assert [(text[start:end], name) for start, end, name in spans] == [
        ("bad", "r0"), ("drop\u00ad  dead", "r1"), ("Straße", "r1"), ("BAD", "r0"), ("bad", "r0"), ("bad", "r0"),
    ]  # fmt: skip


def test_terms_are_prepared_once_for_the_guardrails_of_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    guards = rails("bad", "worse")
    find(guards, "")
    monkeypatch.setattr(guardrails.Automaton, "__init__", lambda *_: pytest.fail("prepared again"))
    assert TermFilter(guards).feed("good") == "good"
    assert find(rails("bad", "worse"), "good") is None  # others that are equal


def test_a_check_that_cannot_be_hashed_does_no_harm() -> None:
    class Prices(list[str]):
        def __call__(self, text: str) -> bool:
            return any(price in text for price in self)

    rail = Guardrail("x", Prices(["$"]), ["bad"])
    assert find((rail,), "so bad") == Hit(rail, "bad")


@pytest.mark.parametrize(("tokens", "steps"), ACCENTS)
def test_a_letter_is_held_back_while_its_accent_may_make_it_a_beginning(tokens: list[str], steps: list[tuple[str, int]]) -> None:
    terms = TermFilter(rails(["über", "don't"]))
    assert [(terms.feed(token), terms.held) for token in tokens] == steps


def test_a_text_is_compared_the_same_when_it_was_prepared_before() -> None:
    for place in (*range(0x3000), *range(0xAC00, 0xAD00), *range(0xF900, 0x10000), *range(0x1D400, 0x1D800)):
        letter = chr(place)
        once = normalised(letter)
        assert normalised(once) == once
        for form in ("NFC", "NFD"):
            assert normalised(unicodedata.normalize(form, letter)) == once


# Against plain search.

UNHEARD = re.compile("[\u00ad\u200b-\u200f\u2060-\u206f\ufeff\ufe00-\ufe0f]")
LOOKS = [("[‘’ʼ]", "'"), ("[“”]", '"'), ("[‐‑–]", "-")]
ACCENT = "[\u0300-\u036f]"


def plain(text: str) -> str:
    """The same folding, of whole texts."""
    text = UNHEARD.sub("", text)
    for looks, key in LOOKS:
        text = re.sub(looks, key, text)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFD", unicodedata.normalize("NFKD", text).casefold()))


def holds(text: str, term: str) -> bool:
    """Whether the term is in the text, without an accent on it that is not the term's."""
    return re.search(f"{re.escape(plain(term).strip())}(?!{ACCENT})", plain(text)) is not None


def first_end(terms: list[list[str]], text: str) -> int | None:
    """How much of the text must be read to see a term."""
    for end in range(len(text) + 1):
        if any(holds(text[:end], term) for own in terms for term in own):
            return end
    return None


def blocked_start(term: str, text: str) -> int:
    """Where the term begins with which the text ends: what is left from there holds it, and one character less does not."""
    return max(start for start in range(len(text)) if holds(text[start:], term))


ALPHABET = "aabbcsS ßﬁİifeéÉ\u0301\u0301’'–-ｅ\n\u00a0\u200b\u00ad\u200e\ufe0f"
token = st.one_of(
    st.text(alphabet="ab ", max_size=5), st.text(alphabet="eé\u0301a", max_size=5), st.text(alphabet=ALPHABET, max_size=5)
)
tokens_of_text = st.lists(token, max_size=12)
one_term = token.filter(lambda term: plain(term).strip())
term_lists = st.lists(st.lists(one_term, min_size=1, max_size=3), min_size=1, max_size=3)


@given(terms=term_lists, tokens=tokens_of_text)
@example(terms=[["as"]], tokens=["aß"])
@example(terms=[["a b"]], tokens=["a\u200b", " ", " \u00ad", "b"])
@example(terms=[["ae"]], tokens=["aé", "ae\u0301"])
@example(terms=[["é", "i"]], tokens=["İe", "\u0301"])
def test_a_term_never_passes_and_nothing_else_is_kept(terms: list[list[str]], tokens: list[str]) -> None:
    guards, text = rails(*terms), "".join(tokens)
    passed, rest, hit = stream(guards, tokens)
    end = first_end(terms, text)
    assert (hit is None) == (end is None)
    if hit is None or end is None:
        assert passed + rest == text
        return
    assert hit.term is not None
    assert hit.term in (hit.guardrail.blocked_terms or ())
    assert plain(text[:end]).rstrip().find(plain(hit.term).strip()) >= 0
    assert rest == ""
    assert passed == text[: blocked_start(hit.term, text[:end])]
    assert not any(holds(passed, term) for own in terms for term in own)


@given(terms=term_lists, tokens=tokens_of_text)
def test_it_does_not_matter_how_a_text_is_cut(terms: list[list[str]], tokens: list[str]) -> None:
    guards, text = rails(*terms), "".join(tokens)
    assert stream(guards, tokens) == stream(guards, [text]) == stream(guards, list(text))
    assert stream(guards, tokens)[2] == find(guards, text)


@given(terms=term_lists, tokens=tokens_of_text)
def test_what_is_held_is_the_longest_beginning_of_a_term_at_the_end(terms: list[list[str]], tokens: list[str]) -> None:
    beginnings = {plain(term).strip()[:size] for own in terms for term in own for size in range(1, len(plain(term).strip()))}
    filtered, read, passed = TermFilter(rails(*terms)), "", ""
    for piece in tokens:
        passed, read = passed + filtered.feed(piece), read + piece
        if filtered.hit is not None:
            break
        assert passed + read[len(read) - filtered.held :] == read
        letters = plain(read)
        longest = max((size for size in range(1, len(letters) + 1) if letters[-size:] in beginnings), default=0)
        starts = [start for start in range(len(read)) if len(plain_after(read, start)) >= longest] if longest else []
        assert filtered.held == (len(read) - max(starts) if starts else 0)


def plain_after(text: str, start: int) -> str:
    """What the text from `start` on adds to what stands before it: a space after a space adds nothing."""
    return plain(text)[len(plain(text[:start])) :]


@given(terms=term_lists, text=tokens_of_text.map("".join))
@example(terms=[["aba"]], text="ababa")
def test_spans_are_in_order_apart_and_each_holds_a_term(terms: list[list[str]], text: str) -> None:
    guards = rails(*terms)
    spans = blocked_spans(guards, text)
    assert bool(spans) == (find(guards, text) is not None)
    end_before = 0
    for start, end, name in spans:
        own = terms[int(name[1:])]
        assert end_before <= start < end
        assert any(holds(text[start:end], term) for term in own)
        end_before = end
    assert first_end(terms, text[end_before:]) is None


@given(st.text(alphabet=ALPHABET, max_size=40))
def test_texts_are_compared_in_one_way(text: str) -> None:
    assert normalised(text) == unicodedata.normalize("NFC", plain(text))


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=40))
def test_any_text_passes_or_is_blocked(text: str) -> None:
    terms = TermFilter(rails("ss", "a b"))
    passed = terms.feed(text) + terms.end()
    assert text == passed if terms.hit is None else text.startswith(passed)


# Cost.


@pytest.mark.parametrize("run", ["a" * 50_000, "b" + " " * 50_000, "b" + "\u200b" * 50_000, "ab" * 25_000])
def test_long_runs_cost_a_bounded_number_of_steps_a_character(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0

    class Counted(dict[str, int]):
        def __contains__(self, letter: object) -> bool:
            nonlocal steps
            steps += 1
            return super().__contains__(letter)

    guards = rails("a" * 500 + "c", "b c", "ab" * 250 + "c")
    terms = TermFilter(guards)
    machine = guardrails.automaton(guards)
    monkeypatch.setattr(machine, "next", [Counted(children) for children in machine.next])
    assert terms.feed(run) + terms.end() == run
    assert steps <= 2 * len(run)


def test_thousands_of_terms_are_no_more_work_than_one() -> None:
    words = [f"term number {number} of many" for number in range(3000)]
    guards = rails(words)
    assert stream(guards, list("Take term number 2999 or 3000 of many."))[2] is None
    assert stream(guards, list("Take term number 2999  of many."))[0] == "Take "


# In a call.


@pytest.mark.parametrize(
    ("term", "answer", "heard"),
    [
        ("café", "We met at the cafe\u0301 today.", "0"),
        ("cafe", "We met at the café today.", "We met at the café today."),
        ("don't tell", "I don’t tell you.", "0"),
        ("grand palace", "The grand \u200epalace is.", "0"),
        ("password", "The pass\u2063word is.", "0"),
    ],
)
def test_what_looks_like_a_term_is_not_heard_and_what_is_another_word_is(term: str, answer: str, heard: str) -> None:
    async def main() -> str:
        phone = Patter(store=False, show=False)
        models: Any = {"stt": ScriptedSTT(["one"]), "llm": ScriptedLLM([answer]), "tts": ScriptedTTS()}
        call = await phone.test(phone.agent("A hotel.", guardrails=rails(term), **models), ["One?"], speed="max")
        return str(call.turns["heard_text"].iloc[-1])

    assert asyncio.run(main()) == heard


# The figures.


def figures_of_guardrails() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guardrail_figures", Path(__file__).parent / "bench" / "guardrail_figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_replies_leak_nothing_and_hold_back_only_beginnings() -> None:
    figures = figures_of_guardrails()
    found = figures.measure(150, seed=7)
    assert (found.leaked, found.lost, found.held_beyond_prefix, found.wrong_hits) == (0, 0, 0, 0)
    assert found.with_term > 100
    assert found.replies - found.with_term > 10
    assert "leaked 0, lost 0" in figures.shown(found)
