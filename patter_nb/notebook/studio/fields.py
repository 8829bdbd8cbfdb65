"""Which fields of an agent the Prompt tab offers, with what stands in them, and what an edit of them changes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from patter_nb.errors import HIDDEN, ConfigError, names_secret
from patter_nb.notebook.studio.ports import Ports


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form. `kind`: "text" (several lines), "line", "number", "switch" or "choice"."""

    name: str
    label: str
    kind: str
    group: str
    help: str = ""
    unit: str = ""
    step: float | None = None


FIELDS = (
    Field("system_prompt", "System prompt", "text", "words"),
    Field("first_message", "First message", "text", "words", "Spoken when the line opens; empty: the caller speaks first."),
    Field("language", "Language", "line", "speech", 'A tag such as "en" or "en-US".'),
    Field("voice", "Voice", "line", "speech"),
    Field("model", "Model", "line", "speech"),
    Field("hangover_ms", "Hangover", "number", "turns", "Silence before the agent takes the turn.", "ms", 10),
    Field("barge_in_threshold_ms", "Barge-in", "number", "turns", "Speech that interrupts the agent; 0: none does.", "ms", 10),
    Field("barge_in_confirm_ms", "Barge-in confirmed within", "number", "turns", "Later it was a backchannel.", "ms", 100),
    Field("max_duration_seconds", "Longest call", "number", "turns", "Then the agent says goodbye.", "s", 10),
    Field("max_cost_usd", "Dearest call", "number", "turns", "Then, too; what has no known price does not count.", "USD", 0.5),
    Field("aggressive_first_flush", "First clause early", "switch", "turns", "Before its sentence is complete."),
    Field("disable_phone_preamble", "No phone preamble", "switch", "turns", "Leave out how to speak on a phone."),
    Field("llm_error_message", "Said on failure", "line", "turns", "When a reply fails before any of it was heard."),
)  # fmt: skip
"""Those of an agent itself, in the order of the form."""

PROVIDER_FIELDS = (
    Field("tts.voice", "Voice", "choice", "speech"),
    Field("tts.speed", "Voice speed", "number", "speech", "1 is its own.", "", 0.05),
    Field("tts.pitch", "Voice pitch", "number", "speech", "1 is its own.", "", 0.05),
    Field("llm.model", "Model", "choice", "speech"),
)
"""Settings of a pipeline's voice and model, where the provider has them: an edit of one replaces the provider."""

CHOICES = {"tts.voice": "voices", "llm.model": "models"}
"""Where a provider says what there is to choose from."""


def form(agent: Any, ports: Ports) -> list[dict[str, Any]]:
    """The fields that this agent offers, each with its value and when an edit of it takes effect."""
    idle = set(ports.unused.get(agent.provider, ()))
    if not agent.barge_in_strategies:
        idle.add("barge_in_confirm_ms")
    fields = [
        {**asdict(each), "value": getattr(agent, each.name), "when": ports.applies[each.name]}
        for each in FIELDS
        if each.name not in idle
    ]
    return fields + list(_provider_fields(agent, ports))


def _provider_fields(agent: Any, ports: Ports) -> Iterator[dict[str, Any]]:
    for each in PROVIDER_FIELDS:
        part, _, setting = each.name.partition(".")
        provider = getattr(agent, part)
        if provider is None or setting not in (settings(provider) or {}):
            continue
        choices = getattr(provider, CHOICES.get(each.name, ""), None)
        if each.kind == "choice" and (not isinstance(choices, Sequence) or isinstance(choices, str) or len(choices) < 2):
            continue
        more = {"choices": [str(choice) for choice in choices]} if each.kind == "choice" and choices else {}
        yield {**asdict(each), **more, "value": getattr(provider, setting), "when": ports.applies[part]}


def settings(provider: Any) -> dict[str, Any] | None:
    """What the provider was made with, as far as it tells all of it; None where it does not, so that no other can be made."""
    try:
        taken = inspect.signature(type(provider)).parameters.values()
    except (TypeError, ValueError):
        return None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if any(each.kind not in named or not hasattr(provider, each.name) for each in taken):
        return None
    return {each.name: getattr(provider, each.name) for each in taken}


def variables(agent: Any) -> list[dict[str, Any]] | None:
    """The agent's variables as the form shows them; None where it has none at all, and so nothing is replaced."""
    if agent.variables is None:
        return None
    return [
        {"name": name, "value": HIDDEN if names_secret(name) else str(value), "secret": names_secret(name),
         "kind": "" if isinstance(value, str) else type(value).__name__}
        for name, value in agent.variables.items()
    ]  # fmt: skip


def changes_of(agent: Any, changed: Mapping[str, Any]) -> dict[str, Any]:
    """What `phone.edit` is given for fields that were changed in the form. `ConfigError` where a provider refuses a setting."""
    found: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in changed.items():
        part, _, setting = name.partition(".")
        if setting:
            parts.setdefault(part, {})[setting] = value
        elif name == "variables":
            found[name] = _variables(agent, value)
        else:
            found[name] = value
    for part, new in parts.items():
        provider = getattr(agent, part)
        known = settings(provider)
        if known is None or not new.keys() <= known.keys():
            raise ConfigError(f"{part}.{next(iter(new))} cannot be set in {type(provider).__name__}: edit {part}= in a cell.")
        found[part] = _remade(provider, {**known, **new})
    return found


def _remade(provider: Any, given: Mapping[str, Any]) -> Any:
    try:
        return type(provider)(**given)
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:  # a provider of the user's own
        raise ConfigError(f"{type(provider).__name__} cannot be made with that: {error}") from error


def _variables(agent: Any, given: Any) -> dict[str, Any]:
    """The values, each as the object it was where its text is the same, and as a text where it is another."""
    if not isinstance(given, Mapping):
        raise ConfigError("variables must be names with their values.")
    had = agent.variables or {}
    return {
        str(name): had[name] if name in had and (names_secret(name) or str(had[name]) == value) else str(value)
        for name, value in given.items()
    }
