"""Numbers as callers say them and recognisers write them: "1,200", "twenty five", "four one two", "1, 2, 3, 4"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SMALL = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen",
)
_ONES = {word: value for value, word in enumerate(_SMALL)}
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000}
_OH = frozenset({"oh", "o"})
_TOKEN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[a-z]+(?:['’][a-z]+)?")
_NO_NUMBER = re.compile(r"\b(?:this|that|which|the|an?|no|any|some|every|each|another|other|last|next)\s+$")
"""Ahead of "one": it stands for a thing."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text, and where it stands there."""

    digits: str
    """With a decimal point, if it has one; zeros in front are kept: "oh four" is "04" after another digit."""
    start: int
    end: int

    @property
    def value(self) -> int | float:
        return float(self.digits) if "." in self.digits else int(self.digits)


def numbers_in(text: str) -> list[Number]:
    """The numbers of a text in their order. Those with a space or a hyphen between them are one, digit after digit;
    so are single digits with a comma between them."""
    lowered = text.lower()
    found: list[Number] = []
    for number in _groups(lowered):
        last = found[-1] if found else None
        if last is not None and _one_number(last, number, lowered[last.end : number.start]):
            found[-1] = Number(last.digits + number.digits, last.start, number.end)
        elif lowered[number.start : number.end] not in _OH:
            found.append(number)
    return [number for number in found if not _is_pronoun(lowered, number)]


def _one_number(last: Number, number: Number, between: str) -> bool:
    if "." in last.digits or "." in number.digits:
        return False
    single = len(number.digits) == 1 and (len(last.digits) == 1 or last.end - last.start > len(last.digits))
    return bool(re.fullmatch(r"[\s-]+|,\s*" if single else r"[\s-]+", between))


def _is_pronoun(lowered: str, number: Number) -> bool:
    if lowered[number.start : number.end] != "one":
        return False
    return bool(_NO_NUMBER.search(lowered[: number.start]) or lowered[number.end :].startswith(" of "))


def _groups(lowered: str) -> list[Number]:
    """Each written number, and each run of words that is one number."""
    tokens = list(_TOKEN.finditer(lowered))
    groups: list[Number] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        taken = 1
        if token[0][0].isdigit():
            groups.append(Number(token[0].replace(",", ""), token.start(), token.end()))
        elif token[0] in _OH:
            groups.append(Number("0", token.start(), token.end()))
        elif (read := _read([each[0] for each in tokens[at:]])) is not None:
            value, taken = read
            groups.append(Number(str(value), token.start(), tokens[at + taken - 1].end()))
        at += taken
    return groups


def _read(words: list[str]) -> tuple[int, int] | None:
    """The number that these words begin with, and how many words it takes: "two hundred and five guests" is (205, 4)."""
    total = current = taken = 0
    room = 1000
    """What is added must be smaller than what was said last: "five twenty" are two numbers."""
    for place, word in enumerate(words):
        if word == "and" and place == taken and room == 100 and total + current and place + 1 < len(words):
            continue
        if word in _SCALES and _SCALES[word] < 1000 and (current or not place):
            current, room = max(current, 1) * 100, 100
        elif word == "thousand" and (current or not place):
            total, current, room = max(current, 1) * 1000, 0, 1000
        elif (value := _ONES.get(word, _TENS.get(word))) is not None and value < room and (value or not place):
            current += value
            room = 10 if word in _TENS else 0
        else:
            break
        taken = place + 1
    return (total + current, taken) if taken else None
