"""What guardrails' terms cost, and whether anything gets past them.

    python tests/bench/guardrail_figures.py [--replies 1000] [--seed 12] [--more-terms 5000]

Seeded replies, most of them with a blocked term, others with beginnings of terms only. Each term is cut into tokens at each of
its borders in turn and at all of them, disguised (capitals, line breaks, soft hyphens, accents apart, typographic quotes), and
some reach over the end of a sentence. A reply runs through the filter and the segmenter as in a call: after a match the
unfinished sentence is dropped and the replacement is said. What should happen is worked out by plain search, without the
filter's automaton.

- leaked: characters of a term, or after it, that passed the filter, and terms found in what was said.
- lost: characters before the term, or of a reply without one, that did not pass.
- held beyond a prefix: characters held back after a token that could not have been the beginning of a term.
- time: of `feed` for one token.
- hold: for how many tokens in a row something was held back.
"""

from __future__ import annotations

import argparse
import os
import random
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from patter_nb.guardrails import Guardrail, TermFilter
from patter_nb.turns.sentences import Segmenter

TERMS = (
    "badword", "drop dead", "guaranteed returns", "our competitor", "you must be stupid", "straße der nacht", "internal use only",
    "no. never", "that is final. goodbye", "free of charge", "file a lawsuit", "über-geheim", "password", "pass away",
    "café noir", "i don't care",
)  # fmt: skip
REPLACEMENT = "Let me say that another way."
TEXT = """we can help you with that today the table is free at six and your order was sent please hold on a moment pass bad drop
file no that is our you must guarantee internal use of charge street über password's return guaranteed
cafe the café's do not don’t care"""
WORDS = TEXT.split()
UNHEARD = "\u00ad\u200b\u200c\u200d\u200e\u2060\u2063\u180e\ufe0f\ufeff"
TYPED = str.maketrans({"’": "'", "‑": "-"})
TYPESET = str.maketrans("'-", "’‑")


@dataclass
class Figures:
    """Counts of characters, and measured times."""

    replies: int = 0
    with_term: int = 0
    tokens: int = 0
    leaked: int = 0
    lost: int = 0
    held_beyond_prefix: int = 0
    wrong_hits: int = 0
    microseconds: list[float] = field(default_factory=list)
    holds: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Model:
    """Plain search for terms, in folded letters that know their place in the text."""

    terms: tuple[str, ...]
    prefixes: frozenset[str]

    @classmethod
    def of(cls, terms: Sequence[str]) -> Model:
        folded = tuple("".join(letter for _, letter in letters(term)).strip() for term in terms)
        return cls(folded, frozenset(term[:end] for term in folded for end in range(1, len(term))))

    def first(self, text: str) -> tuple[int, int] | None:
        """Where the term that is complete first begins, and its number."""
        seen = letters(text)
        whole = "".join(letter for _, letter in seen)
        found = [(at + len(term), -len(term), number) for number, term in enumerate(self.terms) if (at := whole.find(term)) >= 0]
        if not found:
            return None
        end, size, number = min(found)
        return seen[end + size][0], number

    def needed(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of a term."""
        seen = letters(text)[-max(map(len, self.terms)) :]
        for at, (place, _) in enumerate(seen):
            if "".join(letter for _, letter in seen[at:]) in self.prefixes:
                return len(text) - place
        return 0


def letters(text: str) -> list[tuple[int, str]]:
    seen: list[tuple[int, str]] = []
    for place, character in enumerate(text):
        if character in UNHEARD or (character.isspace() and seen and seen[-1][1] == " "):
            continue
        apart = unicodedata.normalize("NFKD", character.translate(TYPED).casefold())
        seen += [(place, letter) for letter in (" " if character.isspace() else apart)]
    return seen


def disguised(draw: random.Random, term: str) -> str:
    """The term as a model might write it, or somebody who makes it do so."""
    look = draw.randrange(8)
    if look == 0:
        return term.upper()
    if look == 1:
        return term.title()
    if look == 2:
        return term.replace(" ", draw.choice(["  ", "\n", " \n\n", "\u00a0", "\t "]))
    if look == 3:
        return "".join(character + (draw.choice(UNHEARD) if draw.random() < 0.3 else "") for character in term)
    if look == 4:
        return unicodedata.normalize("NFD", term.upper())
    if look == 5:
        return term.translate(TYPESET)
    return term


def filler(draw: random.Random, most: int) -> list[str]:
    """Tokens of some sentences, as models cut them."""
    tokens: list[str] = []
    for _ in range(draw.randrange(most)):
        words = [draw.choice(WORDS) for _ in range(draw.randrange(2, 9))]
        text = " ".join(words).capitalize() + draw.choice([". ", "! ", "? ", ".\n"])
        while text:
            size = draw.randrange(1, 8)
            tokens.append(text[:size])
            text = text[size:]
    return tokens


def replies(draw: random.Random, count: int, terms: Sequence[str]) -> Iterator[list[str]]:
    for number in range(count):
        before, after = filler(draw, 5), filler(draw, 4)
        term = disguised(draw, terms[number % len(terms)])
        way = number // len(terms)  # each term in turn: whole, in single characters, cut at each border, not complete
        if way % 5 == 0:
            pieces = [term]
        elif way % 5 == 1:
            pieces = list(term)
        elif way % 5 == 4:
            pieces = [term[: draw.randrange(1, len(term))], draw.choice([". ", "x ", "? ", ""])]
        else:
            border = (way // 5 * 2 + way % 5) % (len(term) - 1) + 1
            pieces = [term[:border], term[border:]]
        if draw.random() < 0.5 and before and after:  # no border of a token is a border of the term
            before[-1], pieces[0] = before[-1][:-1], before[-1][-1] + pieces[0]
            pieces[-1], after[0] = pieces[-1] + after[0][:1], after[0][1:]
        yield [token for token in (*before, *pieces, *after) if token]


def run(tokens: Sequence[str], guardrails: Sequence[Guardrail], model: Model, figures: Figures) -> None:
    terms, segmenter = TermFilter(guardrails), Segmenter()
    passed, read, said, hold = "", "", list[str](), 0
    for token in tokens:
        began = time.perf_counter_ns()
        new = terms.feed(token)
        figures.microseconds.append((time.perf_counter_ns() - began) / 1000)
        passed, read = passed + new, read + token
        said += segmenter.push(new)
        if terms.held:
            hold += 1
        elif hold:
            figures.holds.append(hold)
            hold = 0
        if terms.hit is not None:
            break
        figures.held_beyond_prefix += max(0, terms.held - model.needed(read))
    figures.holds += [hold] if hold else []
    if terms.hit is None:
        passed += (rest := terms.end())
        said += (*segmenter.push(rest), *segmenter.flush())
    else:
        said.append(REPLACEMENT)
    figures.wrong_hits += (terms.hit is None) != (model.first("".join(tokens)) is None)
    judge("".join(tokens), passed, " ".join(said), model, figures)


def judge(whole: str, passed: str, said: str, model: Model, figures: Figures) -> None:
    expected, found = model.first(whole), model.first(said)
    allowed = whole if expected is None else whole[: expected[0]]
    figures.replies += 1
    figures.with_term += expected is not None
    figures.leaked += max(0, len(passed) - len(allowed)) + (0 if found is None else len(said) - found[0])
    figures.lost += max(0, len(allowed) - len(passed)) + (not whole.startswith(passed))


def measure(count: int, seed: int, more_terms: int = 0) -> Figures:
    """The figures of so many replies; with `more_terms` random terms beside those that are in them."""
    draw = random.Random(seed)
    more = tuple(f"{draw.getrandbits(64):x} {draw.choice(WORDS)}" for _ in range(more_terms))
    guardrails = (Guardrail("wording", None, TERMS, REPLACEMENT), *([Guardrail("more", None, more, REPLACEMENT)] if more else []))
    model, figures = Model.of(TERMS + more), Figures()
    for tokens in replies(draw, count, TERMS):
        figures.tokens += len(tokens)
        run(tokens, guardrails, model, figures)
    return figures


def shown(figures: Figures) -> str:
    times, holds = np.array(figures.microseconds), np.array(figures.holds)
    (p50, p99), (held50, held99) = np.percentile(times, (50, 99)), np.percentile(holds, (50, 99))
    return (
        f"replies {figures.replies:,} ({figures.with_term:,} with a term), tokens {figures.tokens:,}, fed {len(times):,}\n"
        f"leaked {figures.leaked}, lost {figures.lost}, held beyond a prefix {figures.held_beyond_prefix}, "
        f"wrong hits {figures.wrong_hits}\n"
        f"time per token: p50 {p50:.2f} us, p99 {p99:.2f} us, worst {times.max():.0f} us\n"
        f"hold: n {len(holds):,}, p50 {held50:.0f} tokens, p99 {held99:.0f}, worst {holds.max()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--more-terms", type=int, default=5000)
    asked = parser.parse_args()
    print(f"seed {asked.seed}, load {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors")
    for more in (0, asked.more_terms):
        print(f"\n{len(TERMS) + more:,} terms")
        print(shown(measure(asked.replies, asked.seed, more)))


if __name__ == "__main__":
    main()
