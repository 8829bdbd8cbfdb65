"""The arguments of a tool out of a caller's request, by rule: what is named, counted, or shaped like the thing is taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from patter_nb.providers.base import ToolSpec
from patter_nb.providers.local.brain_numbers import Number, numbers_in
from patter_nb.providers.local.brain_parameters import NO, Parameter, parameters, words_of
from patter_nb.providers.local.brain_words import STOP_WORDS, stem, stems

_VALUE_AFTER = re.compile(r"\b(?:for|of|about|number|in|called|named|on|to|with)\s+", re.IGNORECASE)
_VALUE_ENDS = re.compile(r"[,;.?!](?:\s|$)|\s(?:and|please|for|at|on|from|with|but)\b", re.IGNORECASE)
_NO_VALUE = frozenset(["number", "today", "now", "currently", "still", "id", "thing", "something", "also", "just"])
_INTRODUCED = re.compile(
    r"(?:[Nn]ame(?: is|['’]s| of)|[Tt]his is|\bI am|\bI['’]m|\bunder|\b[Ff]or|\bnamed|\bcalled)\s+((?:[A-Z][\w'’-]*\s?)+)"
)


def filled(spec: ToolSpec, text: str) -> dict[str, Any]:
    """The arguments that a caller's request holds."""
    wanted = parameters(spec)
    values = told_beside(wanted, text)
    values |= _named(wanted, _without(text, values), values)
    lacking = [each for each in wanted if each.kind == "string" and each.required and each.name not in values]
    if len(lacking) == 1 and (rest := _leftover(spec, _without(text, values))):
        values[lacking[0].name] = rest
    return values


def missing(spec: ToolSpec, values: Mapping[str, Any]) -> Parameter | None:
    """The first argument that the tool needs and nobody named."""
    return next((each for each in parameters(spec) if each.required and each.name not in values), None)


def told_beside(wanted: Sequence[Parameter], text: str) -> dict[str, Any]:
    """What can be told wherever it stands: what is named or shaped like the thing, and numbers for what counts."""
    values = _shaped(wanted, text)
    return values | _counted(wanted, _without(text, values), values)


def _shaped(wanted: Iterable[Parameter], text: str) -> dict[str, Any]:
    """Choices and flags that are named, and strings that look like what they are."""
    values: dict[str, Any] = {}
    for each in wanted:
        value: Any = None
        if each.kind == "choice":
            value = each.choices[0] if each.required and len(each.choices) == 1 else each.chosen(text)
        elif each.kind == "array" and each.choices:
            value = each.several(text)
        elif each.kind == "boolean" and each.mentioned(text):
            value = _flag(each, text)
        elif each.kind == "string":
            value = each.shaped(_without(text, values))
        if value is not None:
            values[each.name] = value
    return values


def _flag(flag: Parameter, text: str) -> bool:
    """Whether a flag that is named is wanted: not if a "no" stands up to three words ahead of it."""
    said = re.findall(r"[\w'’]+", text.lower())
    at = next(place for place, word in enumerate(said) if stems(word) & stems(flag.words))
    return not NO.search(" ".join(said[max(0, at - 3) : at]))


def _without(text: str, values: Mapping[str, Any]) -> str:
    """The text with blanks where strings were found, so that nothing is taken twice."""
    for value in values.values():
        if isinstance(value, str) and value:
            text = re.sub(rf"\b{re.escape(value)}\b", lambda found: " " * len(found[0]), text, flags=re.IGNORECASE)
    return text


def _counted(wanted: Sequence[Parameter], text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers: first those beside the name of what they count, then in their order for what the tool needs."""
    left = numbers_in(text)
    counts = [each for each in wanted if each.kind in ("integer", "number") and each.name not in values]
    taken: dict[str, Any] = {}
    for each in counts:
        _take(each, [number for number in left if _beside(each, number, text)], left, taken)
    for each in counts:
        if each.required and each.name not in taken:
            _take(each, left, left, taken)
    return taken


def _take(parameter: Parameter, candidates: Iterable[Number], left: list[Number], taken: dict[str, Any]) -> None:
    number = next((each for each in candidates if parameter.takes(each)), None)
    if number is not None:
        taken[parameter.name] = number.value
        left.remove(number)


def _beside(parameter: Parameter, number: Number, text: str) -> bool:
    """Whether a word of the parameter's name is next to the number."""
    near = text[: number.start].split()[-1:] + text[number.end :].split()[:1]
    return parameter.mentioned(" ".join(near))


def _named(wanted: Iterable[Parameter], text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Strings whose name is said ahead of them ("my city is Paris"), and people who introduce themselves."""
    found: dict[str, Any] = {}
    for each in wanted:
        if each.kind != "string" or each.name in values:
            continue
        said = re.search(rf"\b{re.escape(each.words)}\s+(?:is|of)\s+(.+)", text, re.IGNORECASE)
        if said is None and each.is_person():
            said = _INTRODUCED.search(text)
        if said is not None and (value := _VALUE_ENDS.split(said[1])[0].strip()):
            found[each.name] = value
    return found


def _leftover(spec: ToolSpec, text: str) -> str:
    """What is left without common words and the tool's own, rather behind a "for", "of" or "about" than ahead of it."""
    own = stems(f"{words_of(spec.name)} {spec.description}")
    own |= {stem(word) for each in parameters(spec) for word in each.words.split()}
    behind = [text[match.end() :] for match in _VALUE_AFTER.finditer(text)]
    for part in (*reversed(behind), text):
        words = [word.strip(" .,?!;:\"'") for word in _VALUE_ENDS.split(part.strip())[0].split()]
        if kept := [word for word in words if word and not _is_common(word.lower(), own)]:
            return " ".join(kept)
    return ""


def _is_common(word: str, own: AbstractSet[str]) -> bool:
    bare = re.sub(r"['’](?:s|re|m|ll|ve|d|t)$", "", word)
    return bare in STOP_WORDS or bare in _NO_VALUE or stem(bare) in own
