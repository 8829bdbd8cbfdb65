"""Whether what an agent is given can be used: each check raises one sentence that names the field, what was given and the
remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import ConfigError, ConfigTypeError, brief
from patter_nb.guardrails import Guardrail, find
from patter_nb.providers.base import LLM, STT, TTS

LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
"""The form of a language tag of BCP 47; whether a provider speaks it is the provider's to say."""


def check_provider(name: str, value: object, kind: type) -> None:
    """An instance with every member of its protocol."""
    if isinstance(value, type):
        raise ConfigTypeError(f"{name} is the class {value.__name__}, not an instance: write {value.__name__}().")
    if not isinstance(value, kind):
        raise ConfigTypeError(
            f"{name} is {type(value).__name__}, which lacks parts of patter_nb.providers.base.{kind.__name__}: "
            f"{', '.join(_missing(value, kind))}."
        )
    if kind is LLM and isinstance(value, STT | TTS):  # both have whatever a model must have, and more
        raise ConfigTypeError(f"llm is {type(value).__name__}, which listens or speaks; it must be a language model.")


def check_formats(name: str, formats: object) -> None:
    if not isinstance(formats, tuple | list) or not formats or not all(isinstance(each, AudioFormat) for each in formats):
        raise ConfigTypeError(f"{name}.formats is {formats!r}; it must be a tuple of AudioFormat, such as (MULAW_8K,).")


def check_language(language: str, providers: Sequence[tuple[str, object]]) -> None:
    """A tag, and one that every provider knows which says what it knows."""
    if not LANGUAGE.fullmatch(language):
        raise ConfigError(f"language is {brief(language)}; it must be a tag of BCP 47, such as 'en' or 'en-US'.")
    for name, provider in providers:
        known = getattr(provider, "languages", None)
        if known is None:
            continue
        if not isinstance(known, tuple | list) or not all(isinstance(each, str) for each in known):
            raise ConfigTypeError(f"{name}.languages is {known!r}; it must be a tuple of tags, such as ('en',), or None.")
        if not any(_speaks(each, language) for each in known):
            raise ConfigError(
                f"language is {language!r}, and {name} is {type(provider).__name__}, which knows only "
                f"{', '.join(map(repr, known)) or 'none'}: use another {name}, or another language."
            )


def several(name: str, value: object, kind: type | None, what: str, of_functions: str = "") -> tuple[Any, ...]:
    """`value` as a tuple of `kind` (None: of functions). None and nothing are the empty one.

    `of_functions`: what to do with a function where it takes something else, "{name}" standing for the function's.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise ConfigTypeError(f"{name} is {type(value).__name__} {brief(value)}; it must be a list of {what}.")
    for each in value:
        if kind is not None and isinstance(each, type) and issubclass(each, kind):
            raise ConfigTypeError(f"{name} holds the class {each.__name__}, not an instance: write {each.__name__}(...).")
        if not (callable(each) if kind is None else isinstance(each, kind)) or isinstance(each, type):
            function = "" if isinstance(each, type) else getattr(each, "__name__", "")
            remedy = f": {of_functions.format(name=function.replace('<lambda>', '...'))}" if of_functions and function else ""
            raise ConfigTypeError(f"{name} holds {type(each).__name__} {brief(each)}; it takes {what} only{remedy}.")
    return tuple(value)


def unique(name: str, names: Sequence[str]) -> None:
    """No name twice."""
    for each in names:
        if names.count(each) > 1:
            raise ConfigError(f"{name} holds {each!r} twice; give each a name of its own.")


def replacements(rails: Sequence[Guardrail]) -> None:
    """No guardrail's replacement holds what another one blocks: it is said as it is, with nothing to look at it."""
    for rail in rails:
        if (hit := find(rails, rail.replacement)) is not None:
            what = f"replacement of guardrail {rail.name!r} holds {hit.term!r}, which guardrail {hit.guardrail.name!r} blocks"
            raise ConfigError(f"{what}; say it otherwise.")


def expect(name: str, value: object, kind: type, wanted: str) -> None:
    if not isinstance(value, kind):
        raise ConfigTypeError(f"{name} is {type(value).__name__} {brief(value)}; it must be {wanted}.")


def in_range(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        given = f"{type(value).__name__} {brief(value)}"
        raise ConfigTypeError(f"{name} is {given}; it must be a number from {low} to {high}.")
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}; it must lie from {low} to {high}.")


def short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _speaks(known: str, wanted: str) -> bool:
    """Whether one of two tags is the other, or a more special form of it."""
    one, other = f"{known.lower()}-", f"{wanted.lower()}-"
    return one.startswith(other) or other.startswith(one)


def _missing(value: object, kind: type) -> list[str]:
    wanted = {name for name in (*vars(kind), *kind.__annotations__) if not name.startswith("_")}
    return sorted(name for name in wanted if not hasattr(value, name))
