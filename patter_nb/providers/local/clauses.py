"""Where a text to be spoken may be cut, so that its first words can be heard while the rest is still being made."""

from __future__ import annotations

import re
from dataclasses import dataclass

FIRST_CHARACTERS = 8
"""A first piece has at least this many: a voice says a lone "Yes," badly, and the next piece must be ready before it ends."""
GROWTH = 4
"""A piece may be this many times as long as all before it: it is made while they are heard, and making takes a tenth of that."""
LONG_CHARACTERS = 60
"""A stretch without punctuation that is longer than this is cut before a conjunction."""

_CUTS = re.compile(r"(?<=[,;:.!?])\s+|(?<=[,;:.!?][\"')])\s+")
_SENTENCE = re.compile(r"[.!?][\"')]*$")
_CONJUNCTION = re.compile(r"\s+(?=(?:and|but|or|so|because|which|when|while|if|where|unless|until)\s)")
_INITIAL = re.compile(r"(?:^|\s)[A-Za-z]\.$")


@dataclass(frozen=True, slots=True)
class Piece:
    """What is rendered at once, and the silence that belongs behind it."""

    text: str
    pause_seconds: float


def pieces(text: str) -> list[Piece]:
    """The text in pieces, in order; none for a text without a letter or digit.

    A piece ends where a clause or a sentence ends, and holds two sentences only if the first is very short. The first piece is
    the first clause.
    """
    found: list[str] = []
    current = ""
    for unit in _units(text):
        spoken = sum(len(piece) for piece in found)
        room = max(GROWTH * spoken, FIRST_CHARACTERS)
        ended = _SENTENCE.search(current) is not None
        if current and len(current) >= FIRST_CHARACTERS and (ended or len(current) + 1 + len(unit) > room):
            found.append(current)
            current = unit
        else:
            current = f"{current} {unit}".strip()
    found.append(current)
    return [Piece(piece, pause_after(piece)) for piece in found if any(character.isalnum() for character in piece)]


def pause_after(text: str) -> float:
    """Seconds of silence after a piece, by what ends it."""
    end = text.rstrip("\"') ")[-1:]
    if end in ".!?":
        return 0.22
    if end in ";:":
        return 0.16
    return 0.1 if end == "," else 0.04


def _units(text: str) -> list[str]:
    """The stretches between cuts, each with the sign that ends it."""
    units: list[str] = []
    for part in _CUTS.split(text.strip()):
        if units and _INITIAL.search(units[-1]):
            units[-1] += f" {part}"  # the dot of an initial ends nothing
        else:
            units.append(part)
    return [short for unit in units for short in _shortened(unit)]


def _shortened(unit: str) -> list[str]:
    if len(unit) <= LONG_CHARACTERS:
        return [unit]
    for cut in _CONJUNCTION.finditer(unit):
        if cut.start() >= LONG_CHARACTERS // 3 and len(unit) - cut.end() >= LONG_CHARACTERS // 4:
            return [unit[: cut.start()], *_shortened(unit[cut.end() :])]
    return [unit]
