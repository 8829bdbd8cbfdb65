"""What words two texts share, by their stems: the only likeness the demo brain knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about alright am an and any are as at be bring by can cool could did do does fine for from get give go got "
        "great has have hello help hey hi hm hmm hold how i if in is it know let like look make many may maybe me much "
        "my need no nope not of oh ok okay on one or our out perfect please possible right say so some sure tell than "
        "thank thanks that the their them then there they this time to uh um until up us wait want was way we well what "
        "when where which who will with would yeah yep yes you your",
    )
)
SYNONYMS = (
    {"hour", "open", "clos"}, {"pric", "cost", "fee", "rat", "charg"}, {"park", "car", "garag"}, {"dog", "pet", "cat", "animal"},
    {"kid", "child", "children"}, {"addres", "locat", "find"}, {"book", "reserv", "reservation"}, {"wifi", "internet"},
)  # fmt: skip
"""Stems that mean the same to a caller."""


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """The words of a text that mean something, without their endings."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"['’](?:s|re|m|ll|ve|d|t)\b|-", "", text.lower()))
    return frozenset(stem(word) for word in words if word not in STOP_WORDS)


def stem(word: str) -> str:
    """A word in lower case without its ending."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def score(text: str, wanted: AbstractSet[str], shapes: Sequence[str], texts: Sequence[str]) -> float:
    """Shared words, those rare among `texts` counting more; half a point for each shape that fits. 0 without a shared word."""
    held = stems(text)
    shared = sum(1.0 / sum(each in stems(other) for other in texts) for each in wanted & held)
    shared += sum(0.5 for group in SYNONYMS if wanted & group and held & group and not wanted & held & group)
    return shared + sum(0.5 for shape in shapes if re.search(shape, text)) if shared else 0.0
