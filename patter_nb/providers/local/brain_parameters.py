"""What a tool takes, as far as rules can fill it: what a value looks like in a caller's words, and how it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patter_nb.providers.base import ToolSpec
from patter_nb.providers.local.brain_numbers import Number, numbers_in
from patter_nb.providers.local.brain_words import stem, stems

_MONTH = "(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_DAY = (
    r"\b(?:today|tonight|tomorrow|(?:(?:next|this) )?(?:mon|tues|wednes|thurs|fri|satur|sun)day|\d{4}-\d\d-\d\d"
    rf"|the \d{{1,2}}(?:st|nd|rd|th) of {_MONTH}|{_MONTH} (?:\d{{1,2}}(?:st|nd|rd|th)?|[a-z]+(?:st|nd|rd|th)))\b"
)
_HOUR = r"(?:\d{1,2}(?::\d\d)?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?: (?:fifteen|thirty))?"
_PART = r"(?: ?[ap]\.?m\b\.?| o['’]clock|)(?: (?:in the (?:morning|afternoon|evening)|at night)|)"
_TIME = (
    rf"(?<=\bat ){_HOUR}{_PART}|\b{_HOUR}(?= ?[ap]\.?m\b| o['’]clock| in the | at night){_PART}|\b\d{{1,2}}:\d\d\b"
    r"|\b(?:noon|midnight)\b"
)
_COUNTED = frozenset({"id", "cod", "number", "num", "referenc", "zip", "postcod", "account"})
_CALLED = frozenset({"phon", "telephon", "mobil"})
_PERSON = frozenset({"nam", "guest", "customer", "person", "patient", "caller"})
_SHAPES = (
    (frozenset({"email", "mail"}), r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    (_CALLED, r"\+?\d[\d ().-]{5,}\d"),
    (frozenset({"dat", "day"}), _DAY),
    (frozenset({"tim", "hour"}), _TIME),
    (_COUNTED, r"\b(?=[\w-]*\d)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"),
)
"""Stems in a parameter's name, and what its value then looks like."""

_LEAD = re.compile(
    r"(?:um|uh|well|oh|yes|yeah|sure|ok|okay|please|it['’]?s|it is|that['’]?s|that is|that would be|i['’]d like|i want|i need"
    r"|make it|(?:my|the) (?:\w+ ){1,3}is|for|at|on|in|to|a|an|the)\b[\s,]*",
    re.IGNORECASE,
)
"""What may stand ahead of a value in an answer, piece by piece."""
_INTRODUCING = re.compile(r"\b(?:i['’]m|i am|this is)\b", re.IGNORECASE)
_THANKS = re.compile(r"[\s,]*\b(?:please|thanks|thank you)\W*$", re.IGNORECASE)
_YES = re.compile(r"\b(?:yes|yeah|yep|sure|please|right|correct|of course|okay|ok|true)\b", re.IGNORECASE)
NO = re.compile(r"\b(?:no|nope|not|without|don['’]?t|doesn['’]?t|never|false)\b", re.IGNORECASE)
_QUESTION = re.compile(r"\?\s*$|^\W*(?:what|when|where|who|which|how|why|is|are|do|does|can|could|will)\b", re.IGNORECASE)
_MOST_WORDS = 8
"""A longer answer is no value."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument. `kind`: a type of JSON schema, or "choice"; "object" for what rules cannot fill."""

    name: str
    kind: str
    required: bool
    choices: tuple[Any, ...] = ()
    minimum: float = float("-inf")
    maximum: float = float("inf")

    @property
    def words(self) -> str:
        """Its name as it is said: "order_id" is "order id"."""
        return words_of(self.name)

    @property
    def question(self) -> str:
        """What the caller is asked when it is missing."""
        if self.kind == "boolean":
            return f"Yes or no: {self.words}?"
        asked = f"What {'are' if self.kind == 'array' else 'is'} the {self.words}"
        if self.kind in ("integer", "number") and re.search(r"[^su]s$|people$|children$", self.words):
            asked = f"How many {self.words}"
        if 1 < len(self.choices) <= 5:
            *most, last = (words_of(str(choice)) for choice in self.choices)
            return f"{asked}: {', '.join(most)} or {last}?"
        return f"{asked}?"

    def answered(self, text: str) -> Any:
        """Its value in an answer to that question; None: the answer holds none."""
        if self.kind == "string":
            return self.shaped(text) or _plain_answer(_INTRODUCING.sub("", text) if self.is_person() else text)
        if self.kind == "boolean":
            return False if NO.search(text) else True if _YES.search(text) or self.mentioned(text) else None
        if self.kind == "choice":
            return self.chosen(text)
        if self.kind == "array":
            return self.several(text)
        return next((number.value for number in numbers_in(text) if self.takes(number)), None)

    def mentioned(self, text: str) -> bool:
        """Whether a word of its name is said."""
        return bool(stems(self.words) & stems(text))

    def takes(self, number: Number) -> bool:
        """Whether a number may be its value."""
        return (self.kind == "number" or isinstance(number.value, int)) and self.minimum <= number.value <= self.maximum

    def chosen(self, text: str) -> Any:
        """The choice that is named; the longest, if one lies within another."""
        said = _as_said(text)
        named = [choice for choice in self.choices if _as_said(words_of(str(choice))) in said]
        return max(named, key=lambda choice: len(str(choice)), default=None)

    def several(self, text: str) -> list[Any] | None:
        """All choices that are named; where anything may be named, the whole answer as the only one."""
        said = _as_said(text)
        if self.choices:
            return [choice for choice in self.choices if _as_said(words_of(str(choice))) in said] or None
        plain = _plain_answer(text)
        return None if plain is None else [plain]

    def shaped(self, text: str) -> str | None:
        """The part of a text that looks like its value, by its name."""
        own = self._stems()
        found = [match for names, shape in _SHAPES if own & names and (match := re.search(shape, text, re.IGNORECASE))]
        numbers = numbers_in(text) if own & (_COUNTED | _CALLED) else []
        if found and not (numbers and numbers[0].start == found[0].start() and numbers[0].end > found[0].end()):
            return found[0][0]
        return numbers[0].digits if numbers else None  # said digit by digit, or in words

    def is_person(self) -> bool:
        """Whether its value is what somebody is called."""
        return bool(_PERSON & self._stems())

    def _stems(self) -> set[str]:
        return {stem(word) for word in self.words.split()}


def parameters(spec: ToolSpec) -> tuple[Parameter, ...]:
    """What a tool takes, in its own order."""
    required = spec.parameters.get("required", ())
    properties: Mapping[str, Any] = spec.parameters.get("properties", {})
    return tuple(_parameter(name, schema, name in required) for name, schema in properties.items())


def _parameter(name: str, schema: Mapping[str, Any], required: bool) -> Parameter:
    some = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    merged: dict[str, Any] = {**schema, **(some[0] if some else {})}
    items = merged.get("items", {})
    choices = tuple(merged.get("enum", [merged["const"]] if "const" in merged else items.get("enum", ())))
    kinds = merged.get("type", "object" if "$ref" in merged else "string")
    kind = kinds if isinstance(kinds, str) else next((each for each in kinds if each != "null"), "string")
    if kind == "array":
        kind = "array" if choices or items.get("type", "string") == "string" else "object"
    elif choices:
        kind = "choice"
    limits = {key: float(merged[key]) for key in ("minimum", "maximum") if key in merged}
    return Parameter(name, kind, required, choices, **limits)


def words_of(name: str) -> str:
    """An identifier in words: "partySize" and "party_size" are "party size"."""
    return " ".join(re.sub(r"[_\W]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)).lower().split())


def _as_said(text: str) -> str:
    """The stems of all words, with spaces around each."""
    return f" {' '.join(stem(word) for word in re.findall(r'[a-z0-9]+', text.lower()))} "


def _plain_answer(text: str) -> str | None:
    """An answer without the words around it; None for a question, and for one that is too long."""
    rest = text.strip()
    while (lead := _LEAD.match(rest)) is not None:
        rest = rest[lead.end() :]
    rest = _THANKS.sub("", rest).strip(" .,!;:")
    return rest if rest and not _QUESTION.search(text) and len(rest.split()) <= _MOST_WORDS else None
