"""What speaks: the frozen configuration of an agent, checked when it is made."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from os import PathLike
from types import MappingProxyType, MemberDescriptorType
from typing import Any, TypedDict

from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import HIDDEN, ConfigError, ConfigTypeError
from patter_nb.providers.base import LLM, STT, TTS
from patter_nb.turns.policy import TurnPolicy

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""Only `{identifier}` is a placeholder, so JSON braces in a prompt pass."""

SECRET = re.compile(r"(^|_)(keys?|secrets?|passw\w*|auth\w*|credentials?)(_|$)|(^|_)token$", re.IGNORECASE)
"""Settings and variables whose name holds one of these words are never shown; their values are no part of a revision
("max_tokens" is no secret)."""

LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
"""The form of a language tag of BCP 47; whether a provider speaks it is the provider's to say."""

USUAL = TurnPolicy()

ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
"""Where an object lies in memory says nothing about what it is."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """An agent in pipeline mode: speech to text, a language model, text to speech, and the rules of its turns.

    Frozen: a changed agent is a new one (`dataclasses.replace`, or `phone.agent(...)` again). Wrong values raise `ConfigError`
    (a `ValueError`) or `ConfigTypeError` (also a `TypeError`) here, never inside a call.
    """

    system_prompt: str
    """What the model is told; `{variables}` are filled in when a reply begins."""
    stt: STT
    llm: LLM
    tts: TTS
    first_message: str = ""
    """Spoken when the line opens; empty: the caller speaks first. `{variables}` are filled in here too."""
    variables: Mapping[str, object] | None = None
    """Values of the placeholders. None: nothing is replaced and nothing is checked; given: an unknown placeholder raises. The
    agent keeps a copy that cannot be changed."""
    name: str = "agent"
    """Revisions of one name form a line."""
    language: str = "en"
    """A tag such as "en" or "en-US"; it must be one of the `languages` of the providers that name theirs."""
    hangover_ms: int = round(USUAL.hangover_seconds * 1000)
    """Silence granted after the caller's last word before the agent takes the turn, in ms, at least 150:
    voice activity needs that long to be sure of a silence."""
    barge_in_threshold_ms: int = round((USUAL.barge_in_seconds or 0.0) * 1000)
    """Speech over the agent that interrupts it, in ms; 0: the agent cannot be interrupted."""
    aggressive_first_flush: bool = False
    """Let the first clause of a reply go to the voice before its sentence is complete."""
    llm_error_message: str | None = None
    """Spoken when a reply fails before anything of it was heard. None: a plain apology; empty: nothing."""
    max_duration_seconds: float = USUAL.max_duration_seconds
    """Length after which the agent says goodbye and hangs up."""

    def __post_init__(self) -> None:
        self._check_texts()
        self._check_providers()
        self._check_languages()
        self._check_numbers()
        if self.variables is not None:
            object.__setattr__(self, "variables", MappingProxyType(dict(self.variables)))
            for name in ("system_prompt", "first_message"):
                self._fill(name)

    def _check_texts(self) -> None:
        for name in ("system_prompt", "first_message", "name", "language"):
            _expect(name, getattr(self, name), str, "a string")
        if not self.system_prompt.strip():
            raise ConfigError("system_prompt is empty: say in a sentence or two who the agent is and what it knows.")
        if not self.name.strip():
            raise ConfigError("name is empty: give the agent a name, or leave it out.")
        if self.llm_error_message is not None:
            _expect("llm_error_message", self.llm_error_message, str, "a string or None")
        if self.variables is not None:
            _expect("variables", self.variables, Mapping, "a dict of names to values")
            for key in self.variables:
                _expect("a name in variables", key, str, "a string")

    def _check_providers(self) -> None:
        for name, kind in (("stt", STT), ("llm", LLM), ("tts", TTS)):
            value = getattr(self, name)
            if isinstance(value, type):
                raise ConfigTypeError(f"{name} is the class {value.__name__}, not an instance: write {value.__name__}().")
            if not isinstance(value, kind):
                raise ConfigTypeError(
                    f"{name} is {type(value).__name__}, which lacks parts of patter_nb.providers.base.{kind.__name__}: "
                    f"{', '.join(_missing(value, kind))}."
                )
        if isinstance(self.llm, STT | TTS):  # both have whatever a model must have, and more
            raise ConfigTypeError(f"llm is {type(self.llm).__name__}, which listens or speaks; it must be a language model.")
        for name in ("stt", "tts"):
            formats = getattr(self, name).formats
            if not isinstance(formats, tuple | list) or not formats or not all(isinstance(each, AudioFormat) for each in formats):
                raise ConfigTypeError(f"{name}.formats is {formats!r}; it must be a tuple of AudioFormat, such as (MULAW_8K,).")

    def _check_languages(self) -> None:
        if not LANGUAGE.fullmatch(self.language):
            given = _short(repr(self.language), 60)
            raise ConfigError(f"language is {given}; it must be a tag of BCP 47, such as 'en' or 'en-US'.")
        for name in ("stt", "llm", "tts"):
            provider = getattr(self, name)
            known = getattr(provider, "languages", None)
            if known is None:
                continue
            if not isinstance(known, tuple | list) or not all(isinstance(each, str) for each in known):
                raise ConfigTypeError(f"{name}.languages is {known!r}; it must be a tuple of tags, such as ('en',), or None.")
            if not any(_speaks(each, self.language) for each in known):
                raise ConfigError(
                    f"language is {self.language!r}, and {name} is {type(provider).__name__}, which knows only "
                    f"{', '.join(map(repr, known)) or 'none'}: use another {name}, or another language."
                )

    def _check_numbers(self) -> None:
        _in_range("hangover_ms", self.hangover_ms, 150, 5000)
        _in_range("barge_in_threshold_ms", self.barge_in_threshold_ms, 0, 5000)
        _in_range("max_duration_seconds", self.max_duration_seconds, 1, 4 * 3600)
        _expect("aggressive_first_flush", self.aggressive_first_flush, bool, "True or False")

    @property
    def prompt(self) -> str:
        """`system_prompt` with its variables filled in."""
        return self._fill("system_prompt")

    @property
    def greeting(self) -> str:
        """`first_message` with its variables filled in."""
        return self._fill("first_message")

    def policy(self) -> TurnPolicy:
        """The numbers the turn engine runs with."""
        return TurnPolicy(
            hangover_seconds=self.hangover_ms / 1000,
            barge_in_seconds=self.barge_in_threshold_ms / 1000 or None,
            max_duration_seconds=self.max_duration_seconds,
            ends_turns=self.stt.ends_turns,
            fallback=USUAL.fallback if self.llm_error_message is None else self.llm_error_message,
        )

    def content(self) -> dict[str, Any]:
        """What makes this revision what it is, as plain values without secrets."""
        apart = ("stt", "llm", "tts", "variables")
        plain: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in apart}
        given = self.variables or {}
        plain["variables"] = {key: HIDDEN if SECRET.search(key) else str(value) for key, value in given.items()}
        for service in ("stt", "llm", "tts"):
            plain[service] = describe(getattr(self, service))
        return plain

    def content_id(self) -> str:
        """The first 12 hex digits of a SHA-256 over `content()`: equal agents have equal ids."""
        text = json.dumps(self.content(), sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __getstate__(self) -> dict[str, Any]:
        variables = None if self.variables is None else dict(self.variables)  # a view of a mapping cannot be pickled
        return {**self.__dict__, "variables": variables}

    def __setstate__(self, state: dict[str, Any]) -> None:
        variables = state["variables"]
        self.__dict__.update(state, variables=None if variables is None else MappingProxyType(variables))

    def _fill(self, name: str) -> str:
        text: str = getattr(self, name)
        values = self.variables
        if values is None:
            return text

        def value(match: re.Match[str]) -> str:
            key = match.group(1)
            if key not in values:
                known = ", ".join(sorted(values)) or "none"
                raise ConfigError(f"{name} has the placeholder {{{key}}}, but variables= has no {key!r} (it has: {known}).")
            return str(values[key])

        return PLACEHOLDER.sub(value, text)

    def __repr__(self) -> str:
        services = " + ".join(f"{s.provider}/{s.model}" for s in (self.stt, self.llm, self.tts))
        return f"Agent({self.name!r}, {services}, prompt {_short(self.system_prompt, 50)!r})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left;vertical-align:top'>{html.escape(key)}</th>"
            f"<td style='text-align:left'>{html.escape(_short(_shown(value), 300))}</td></tr>"
            for key, value in self.content().items()
            if value not in ("", None, {})
        )
        return f"<table><caption style='text-align:left'>Agent {self.content_id()}</caption>{rows}</table>"


class AgentSettings(TypedDict, total=False):
    """The fields of `Agent` that `phone.agent(system_prompt, ...)` takes by name."""

    stt: STT
    llm: LLM
    tts: TTS
    first_message: str
    variables: Mapping[str, object] | None
    name: str
    language: str
    hangover_ms: int
    barge_in_threshold_ms: int
    aggressive_first_flush: bool
    llm_error_message: str | None
    max_duration_seconds: float


def describe(provider: STT | LLM | TTS) -> dict[str, Any]:
    """A provider's settings as plain values: its class, provider and model, and whatever else of it is no secret.

    Of a dataclass these are its shown fields. Of any other object: its public attributes (also those of its class) that are
    strings, numbers, booleans, None, paths, or tuples of these; what changes from call to call belongs into a name with an
    underscore, or each call would seem to be with another revision.
    """
    plain: dict[str, Any] = {"class": type(provider).__name__, "provider": provider.provider, "model": provider.model}
    if is_dataclass(provider):
        shown = [f.name for f in fields(provider) if f.repr and not SECRET.search(f.name)]
        plain |= {name: ADDRESS.sub("", str(getattr(provider, name))) for name in shown if not name.startswith("_")}
    else:
        public = _attributes(provider).items()
        plain |= {name: str(value) for name, value in public if not SECRET.search(name) and _is_plain(value)}
    return plain


def _attributes(provider: object) -> dict[str, Any]:
    """The public attributes of an object and its classes, as far as they are there without any code being run."""
    found: dict[str, Any] = {}
    for kind in reversed(type(provider).__mro__):
        found |= vars(kind)
    slots = [name for name, value in found.items() if isinstance(value, MemberDescriptorType)]
    found |= {name: getattr(provider, name, None) for name in slots}
    found |= getattr(provider, "__dict__", {})
    return {name: value for name, value in sorted(found.items()) if not name.startswith("_")}


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | PathLike)


def _speaks(known: str, wanted: str) -> bool:
    """Whether one of two tags is the other, or a more special form of it."""
    one, other = f"{known.lower()}-", f"{wanted.lower()}-"
    return one.startswith(other) or other.startswith(one)


def _expect(name: str, value: object, kind: type, wanted: str) -> None:
    if not isinstance(value, kind):
        raise ConfigTypeError(f"{name} is {type(value).__name__} {_short(repr(value), 60)}; it must be {wanted}.")


def _in_range(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        given = f"{type(value).__name__} {_short(repr(value), 60)}"
        raise ConfigTypeError(f"{name} is {given}; it must be a number from {low} to {high}.")
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}; it must lie from {low} to {high}.")


def _missing(value: object, kind: type) -> list[str]:
    wanted = {name for name in (*vars(kind), *kind.__annotations__) if not name.startswith("_")}
    return sorted(name for name in wanted if not hasattr(value, name))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return str(value)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
