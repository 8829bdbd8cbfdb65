"""What can go wrong, told by whose move it is: yours, the phone side's, or the AI side's."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from types import FrameType, ModuleType
from typing import Any

INSTALL_FROM_CLONE = 'pip install ".[{extra}]"'
"""How an extra is installed until the name is published: from the folder of the clone."""


HIDDEN = "•••"
"""Stands where a secret stood."""

_SECRETS = (
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), rf"\g<1>{HIDDEN}@"),
    (
        re.compile(
            r"(?i)(\b(?:[\w-]*[_-])?auth(?:ori[sz]ation)?[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)[^\s\"',;}]+"
        ),
        rf"\g<1>{HIDDEN}",
    ),
    (re.compile(r"(?i)(\bbearer\s+)[^\s\"',;}]+"), rf"\g<1>{HIDDEN}"),
    (
        re.compile(
            # A name ends in one of these words, which "_", "-" or a capital letter begins.
            r"(?i)(\b(?:[\w-]*(?:[_-]|(?-i:(?<=[a-z0-9])(?=[A-Z]))))?"
            r"(?:(?:api|access|auth|client|private|secret|refresh|session)?(?:key|token|secret)|passw\w*|pwd|bearer"
            r"|credentials?|creds|signature|sig)[\"']?\s*[:=]\s*[\"']?)[^\s\"'&,;)}\]]+"
        ),
        rf"\g<1>{HIDDEN}",
    ),
    (re.compile(r"\b(?:sk|pk|rk)[-_][\w-]{6,}"), HIDDEN),
)
"""What a secret looks like within a sentence, and what takes its place: the name stays, so that one sees which key it was."""


def scrub(text: str) -> str:
    """The text, what looks like a secret replaced by "•••": `key=...`, `api_key: ...`, `Bearer ...`, `sk-...`, `://me:...@`."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


_JOINTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+")
"""Where a word of a name ends: `apiKey`, `API-Key` and `api_key` are the same two words."""

_SECRET_WORD = re.compile(
    r"(?:access|auth|client|private|secret)?(?:keys?|secrets?)|\w*apikeys?|\w*passw\w*|passphrase|passcode|pwd|pin"
    r"|o?auth|authori[sz]ation|authentication|bearer|credentials?|creds|jwt|headers|cookies?"
)
_DIGITS = "0123456789"


def names_secret(name: str) -> bool:
    """Whether a setting or a variable of this name holds what must not be shown.

    One of its words says so, or its last word is a token: "max_tokens" counts them, and "author" is a person.
    """
    for words in (_JOINTS.split(name), re.split(r"[\W_]+", name)):  # the second for "APIkey" and "ApiKEY", which joints mislead
        plain = [word for word in (each.lower().rstrip(_DIGITS) for each in words) if word]
        if any(map(_SECRET_WORD.fullmatch, plain)) or (plain and plain[-1].endswith("token")):
            return True
    return False


_WORD = re.compile(r"[A-Za-z]*[0-9]*|[0-9]+[A-Za-z]{1,2}")
"""As people write them: "orders", "v2", "2024", "report12", "70b"."""


def looks_random(text: str) -> bool:
    """Whether it looks like a token that a machine has made: long, its letters and digits mixed as in no word."""
    if len(text) < 16:
        return False
    runs = re.findall("[A-Za-z0-9]+", text)
    if sum(map(str.isdigit, text)) >= 3 and any(len(run) >= 6 and not _WORD.fullmatch(run) for run in runs):
        return True
    # Of letters alone, more of them capitals than words have.
    return any(len(run) >= 20 and 4 * sum(map(str.isupper, run)) > len(run) for run in runs)


def brief(value: object, length: int = 60) -> str:
    """What was given, as an error repeats it: shortened, and without what looks like a secret."""
    text = re.sub(r"[\w.+~-]+", lambda found: HIDDEN if looks_random(found[0]) else found[0], scrub(repr(value)[:1000]))
    return text if len(text) <= length else text[: length - 1] + "…"


UNTELLABLE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError)
"""What the `__str__` of a user's class may fail with."""


def text_of(error: BaseException) -> str:
    """What the error says; nothing where its class is a user's and fails at that too."""
    try:
        return str(error)
    except UNTELLABLE:
        return ""


class PatterError(Exception):
    """The root of every error this library raises on purpose."""


class ConfigError(PatterError, ValueError):
    """A value you gave cannot be used; the message names the field, what was given and the remedy."""


class ConfigTypeError(ConfigError, TypeError):
    """As `ConfigError`, for a value of the wrong type."""


class MissingExtra(ConfigError, ImportError):  # noqa: N818 (it is the public name)
    """A part that needs an optional package was used without it; the message holds the pip command."""


class PatterWarning(UserWarning):
    """Something you gave has no effect here; told once, where you gave it."""


def warn(message: str) -> None:
    """Warn of something that was given, at the line that gave it: the nearest one outside of this package.

    In a task of its own there is no such line, and none of the event loop's is shown in its place.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _room(frame) in _OURS:
        frame, level = frame.f_back, level + 1
    if _room(frame) == "asyncio":
        warnings.warn_explicit(message, PatterWarning, "<patter_nb>", 1)
    else:
        warnings.warn(message, PatterWarning, stacklevel=level)


def _room(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


_OURS = (__name__.partition(".")[0], "dataclasses")
"""`dataclasses` calls our checks on behalf of whoever replaces a field."""


class CarrierError(PatterError):
    """The phone side said or did something it must not."""


class ProviderError(PatterError):
    """The AI side failed. `provider` says which one, `retryable` whether trying again may help."""

    def __init__(self, message: str, *, provider: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.provider = provider
        self.retryable = retryable

    def __reduce__(self) -> tuple[Any, ...]:
        # Without this an error with keyword arguments survives neither a process pool nor copy.copy().
        return _provider_error, (type(self), str(self), self.provider, self.retryable)


def _provider_error(kind: type[ProviderError], message: str, provider: str, retryable: bool) -> ProviderError:
    return kind(message, provider=provider, retryable=retryable)


def need(module: str, *, extra: str, what: str) -> ModuleType:
    """Import an optional module, or raise `MissingExtra` with the command that brings it.

    `what` is the part that needs it, as the user knows it ("LocalTTS"). A module that is there but cannot be imported (a broken
    installation, or one of its own requirements missing) raises `MissingExtra` too, with the reason.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name is not None and f"{module}.".startswith(f"{error.name}.")
        trouble = "which is not installed" if absent else f"which is installed but cannot be imported ({error})"
        command = INSTALL_FROM_CLONE.format(extra=extra)
        raise MissingExtra(f"{what} needs the package {module!r}, {trouble}: {command}") from error
