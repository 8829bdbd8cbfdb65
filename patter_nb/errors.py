"""What can go wrong, told by whose move it is: yours, the phone side's, or the AI side's."""

from __future__ import annotations

import importlib
import re
from types import ModuleType
from typing import Any

INSTALL_FROM_CLONE = 'pip install ".[{extra}]"'
"""How an extra is installed until the name is published: from the folder of the clone."""


HIDDEN = "•••"
"""Stands where a secret stood."""

_SECRETS = (
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), rf"\g<1>{HIDDEN}@"),
    (re.compile(r"(?i)(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)[^\s\"',;}]+"), rf"\g<1>{HIDDEN}"),
    (re.compile(r"(?i)(\bbearer\s+)[^\s\"',;}]+"), rf"\g<1>{HIDDEN}"),
    (
        re.compile(
            r"(?i)(\b(?:[\w-]*[_-])?(?:(?:api|access|auth|client|private|secret|refresh|session)?(?:key|token|secret)|passw\w*|pwd"
            r"|credentials?|signature|sig)[\"']?\s*[:=]\s*[\"']?)[^\s\"'&,;)}\]]+"
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
