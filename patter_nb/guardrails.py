"""What the agent must never say: terms and checks between the language model and the voice.

Terms are matched over the stream of text, without regard to case: any white space in the text stands for the white space of a
term, characters nobody hears (zero-width ones, soft hyphens, variation selectors) hide nothing, and what looks the same is the
same: an accented letter as one character or as two, straight and typographic quotes, hyphens and dashes, letters of full width.
They match inside of words, as in Patter; where that is too much, a `check` with a regular expression does better.

A letter with an accent is another letter than the one without: "cafe" does not match "café". Where the accent is a character of
its own, it comes too late to be waited for: "cafe" is complete before it, and blocks.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from patter_nb.errors import ConfigError, ConfigTypeError

REPLACEMENT = "I'm sorry, I can't respond to that."

UNHEARD_CATEGORIES = ("Cf", "Cc")
"""Format and control characters: soft hyphens, zero-width spaces, joiners, marks of direction."""

UNHEARD = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),  # a joiner of graphemes, fillers, inherent vowels
            *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),  # variation selectors
        ),
    )
)
"""What Unicode lets be ignored besides them."""

ALIKE = {
    **dict.fromkeys("\u2018\u2019\u201b\u02bb\u02bc\u2032\u00b4\u0060", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
}
"""Quotes, hyphens and dashes, each with the one on keyboards."""


@dataclass(frozen=True)
class Guardrail:
    """Blocks what holds one of `blocked_terms`, or what `check` says yes to; `replacement` is spoken instead of the rest."""

    name: str
    check: Callable[[str], Any] | None = None
    """`(text) -> bool`, sync or async, true to block. It is given each sentence with the one before it, and must be quick."""
    blocked_terms: Sequence[str] | None = None
    replacement: str = REPLACEMENT
    fail_closed: bool = False
    """What a check that raises means: False: it passes, and the error stands in the row; True: it blocks."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigError(f"name of a guardrail is {self.name!r}; give it a name.")
        if self.check is not None and not callable(self.check):
            raise ConfigTypeError(f"check of guardrail {self.name!r} is {self.check!r}; it must be a function of a text.")
        object.__setattr__(self, "blocked_terms", self._terms())
        if self.check is None and not self.blocked_terms:
            raise ConfigError(f"guardrail {self.name!r} blocks nothing: give it blocked_terms=[...] or check=.")
        if not isinstance(self.replacement, str) or not any(map(str.isalnum, self.replacement)):
            raise ConfigError(f"replacement of guardrail {self.name!r} is {self.replacement!r}; it must hold words to say.")
        if (hit := find((self,), self.replacement)) is not None:
            raise ConfigError(f"replacement of guardrail {self.name!r} holds {hit.term!r}, which it blocks; say it otherwise.")
        if not isinstance(self.fail_closed, bool):
            raise ConfigTypeError(f"fail_closed of guardrail {self.name!r} is {self.fail_closed!r}; it must be True or False.")

    def _terms(self) -> tuple[str, ...]:
        given = self.blocked_terms
        if given is None:
            return ()
        if isinstance(given, str):
            raise ConfigTypeError(f"blocked_terms of guardrail {self.name!r} is a string; write blocked_terms=[{given!r}].")
        if not isinstance(given, Iterable):
            raise ConfigTypeError(f"blocked_terms of guardrail {self.name!r} is {given!r}; it must be a list of strings.")
        terms = tuple(given)
        for term in terms:
            if not isinstance(term, str):
                raise ConfigTypeError(f"blocked_terms of guardrail {self.name!r} holds {term!r}; it takes strings.")
            if not normalised(term).strip():
                raise ConfigError(f"blocked_terms of guardrail {self.name!r} holds {term!r}, which is no text.")
        return tuple(term.strip() for term in terms)

    def __call__(self, text: str) -> Any:
        """What the check says: a decorated function can still be tried."""
        if not isinstance(text, str):
            raise ConfigTypeError(
                f"guardrail {self.name!r} was called with {text!r}; it takes a text, and with blocked_terms it decorates nothing."
            )
        if self.check is None:
            return find((self,), text) is not None
        return self.check(text)


def guardrail(
    name: str | Callable[[str], Any],
    blocked_terms: Sequence[str] | None = None,
    check: Callable[[str], Any] | None = None,
    replacement: str = REPLACEMENT,
    *,
    fail_closed: bool = False,
) -> Any:
    """A `Guardrail`: `guardrail("profanity", blocked_terms=[...])`; or a decorator of its check: `@guardrail`,
    `@guardrail("x")`."""
    if not isinstance(name, str) and callable(name):
        if check is not None:
            raise ConfigTypeError(f"guardrail got two checks, {name!r} and {check!r}; give it a name and one check.")
        return Guardrail(getattr(name, "__name__", type(name).__name__), name, blocked_terms, replacement, fail_closed)
    if blocked_terms is None and check is None:
        return lambda function: Guardrail(name, function, None, replacement, fail_closed)
    return Guardrail(name, check, blocked_terms, replacement, fail_closed)


@dataclass(frozen=True, slots=True)
class Hit:
    """A guardrail matched: by one of its terms, or (None) by its check."""

    guardrail: Guardrail
    term: str | None


def normalised(text: str) -> str:
    """The text as terms are compared: folded, each run of white space one space, without what is not heard."""
    return unicodedata.normalize("NFC", "".join(letters for _, letters in _letters(text)))


def _letters(text: str) -> Iterator[tuple[int, str]]:
    """Each character of the text that is compared: its place, and its folded form of one character or more."""
    after_space = False
    for place, character in enumerate(text):
        letters = folded(character)
        if letters and not (after_space and letters == " "):
            yield place, letters
        after_space = letters == " " if letters else after_space


@lru_cache(maxsize=8192)
def folded(character: str) -> str:
    """The letters that a character is compared as: without case, its accents apart; a space for any white space, and nothing
    for what is not heard."""
    if character.isspace():
        return " "
    letters = unicodedata.normalize("NFKD", ALIKE.get(character, character))
    if " " in letters:  # some marks that stand alone are said to sit on a space
        letters = unicodedata.normalize("NFD", character)
    return "".join(ALIKE.get(letter, letter) for letter in letters.casefold() if not _unheard(letter))


def _unheard(character: str) -> bool:
    return character in UNHEARD or unicodedata.category(character) in UNHEARD_CATEGORIES


def _within(letters: str, number: int) -> bool:
    """Whether the first `number` letters of a character end within one letter of its script, ahead of an accent or the like."""
    return number < len(letters) and (
        unicodedata.category(letters[number]).startswith("M") or "\u1160" <= letters[number] <= "\u11ff"
    )


class Automaton:
    """All terms of some guardrails at once (Aho and Corasick, 1975): one step per character, whatever the number of terms."""

    def __init__(self, guardrails: Sequence[Guardrail]) -> None:
        self.next: list[dict[str, int]] = [{}]
        self.fall = [0]
        self.depth = [0]
        """How many characters of a term lead to a state: what is held back there."""
        self.hits: list[tuple[int, Hit, int] | None] = [None]
        """The match that is complete in a state: the guardrail's place, the hit, and the term's length."""
        for place, rail in enumerate(guardrails):
            for term in rail.blocked_terms or ():
                self._add(place, Hit(rail, term), unicodedata.normalize("NFD", normalised(term).strip()))
        self._link()

    def _add(self, place: int, hit: Hit, letters: str) -> None:
        state = 0
        for letter in letters:
            if letter not in self.next[state]:
                self.next[state][letter] = len(self.next)
                self.next.append({})
                self.fall.append(0)
                self.depth.append(self.depth[state] + 1)
                self.hits.append(None)
            state = self.next[state][letter]
        if self.hits[state] is None:
            self.hits[state] = (place, hit, len(letters))

    def _link(self) -> None:
        waiting = deque(self.next[0].values())
        while waiting:
            state = waiting.popleft()
            for letter, child in self.next[state].items():
                waiting.append(child)
                self.fall[child] = self.step(self.fall[state], letter)
                shorter, own = self.hits[self.fall[child]], self.hits[child]
                if shorter is not None and (own is None or shorter[0] < own[0]):
                    self.hits[child] = shorter

    def step(self, state: int, letter: str) -> int:
        while state and letter not in self.next[state]:
            state = self.fall[state]
        return self.next[state].get(letter, 0)


@lru_cache(maxsize=64)
def _automaton(guardrails: tuple[Guardrail, ...]) -> Automaton:
    return Automaton(guardrails)


def automaton(guardrails: Sequence[Guardrail]) -> Automaton:
    """The automaton of these guardrails, made once."""
    try:
        return _automaton(tuple(guardrails))
    except TypeError:  # a check that cannot be hashed
        return Automaton(guardrails)


class TermFilter:
    """The terms of guardrails over the text of one answer, token by token.

    Only what may be the beginning of a term is held back. Once a term is complete, `hit` says which, and nothing passes any more.
    """

    def __init__(self, guardrails: Sequence[Guardrail]) -> None:
        self._automaton = automaton(guardrails)
        self._state = 0
        self._held: deque[tuple[str, int]] = deque()
        """Characters that are held back, each with how many of the letters compared it stands for."""
        self._letters = 0
        """How many those are together."""
        self._after_space = False
        self.hit: Hit | None = None

    @property
    def held(self) -> int:
        """Characters that are held back now."""
        return len(self._held)

    def feed(self, text: str) -> str:
        """The text that may pass now; on a match what stands before the term."""
        if self.hit is not None:
            return ""
        passed: list[str] = []
        for character in text:
            letters = self._compared(character)
            self._held.append((character, len(letters)))
            self._letters += len(letters)
            for number, letter in enumerate(letters, 1):
                self._state = self._automaton.step(self._state, letter)
                found = self._automaton.hits[self._state]
                if found is not None and not _within(letters, number):
                    self._release(passed, found[2] + len(letters) - number)
                    self.hit = found[1]
                    self._forget()
                    return "".join(passed)
            self._release(passed, self._automaton.depth[self._state])
        return "".join(passed)

    def end(self) -> str:
        """What was held back, when the answer is complete: it was only a beginning."""
        rest = "".join(character for character, _ in self._held)
        self._forget()
        return rest

    def _forget(self) -> None:
        self._held.clear()
        self._letters = self._state = 0

    def _compared(self, character: str) -> str:
        letters = folded(character)
        if letters == " ":
            letters = "" if self._after_space else " "
            self._after_space = True
        elif letters:
            self._after_space = False
        return letters

    def _release(self, passed: list[str], needed: int) -> None:
        """Let go of all but the characters that the last `needed` letters stand for, and what is unheard among them."""
        while self._held and self._letters - self._held[0][1] >= needed:
            character, letters = self._held.popleft()
            self._letters -= letters
            passed.append(character)


def find(guardrails: Sequence[Guardrail], text: str) -> Hit | None:
    """The first term in the text, as `TermFilter` would find it; None when there is none."""
    terms = TermFilter(guardrails)
    terms.feed(text)
    return terms.hit


def blocked_spans(guardrails: Sequence[Guardrail], text: str) -> list[tuple[int, int, str]]:
    """Which parts of a text hold terms: (start, end, name of the guardrail), in their order, without overlaps."""
    spans: list[tuple[int, int, str]] = []
    machine, state, places = automaton(guardrails), 0, list[int]()
    for place, letters in _letters(text):
        for number, letter in enumerate(letters, 1):
            places.append(place)
            state = machine.step(state, letter)
            found = machine.hits[state]
            if found is not None and not _within(letters, number):
                start = places[-found[2]]
                spans.append((start, place + 1, found[1].guardrail.name))
                state = 0
                break
    return spans
