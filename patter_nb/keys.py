"""Where keys come from: a hidden prompt, the environment, or the file `.env` beside the notebook.

Nothing is written to `os.environ`, where every program that a cell starts would read it, and no value is ever shown.
"""

from __future__ import annotations

import getpass
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from patter_nb.errors import ConfigError, ConfigTypeError, looks_random, warn

FILE = ".env"
"""The file's name, in the working directory: a kernel's is the folder of its notebook, until a cell changes it."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_typed: dict[str, str] = {}
"""What was typed at the prompt: it lasts as long as this process."""
_missed: dict[str, None] = {}
"""The names that an error has asked for, in their order."""


def find(name: str) -> str:
    """The key of that name, "" when it is nowhere. What was typed beats the environment, which beats `.env`."""
    return next((value for _, value in _places(name)), "")


def where(name: str) -> str:
    """Where `find` takes it from: "typed", "environment" or ".env"; "" when it is nowhere."""
    return next((place for place, _ in _places(name)), "")


def missing(names: str | Sequence[str], what: str) -> ConfigError:
    """The error for a key that is nowhere, or for several, with the three ways to give it. `what` needs it: "Twilio"."""
    names = (names,) if isinstance(names, str) else names
    _missed.update(dict.fromkeys(names))
    keys, are, it, lines = ("key", "is", "it", "a line") if len(names) == 1 else ("keys", "are", "them", "lines")
    asked = ", ".join(f'"{name}"' for name in names)
    return ConfigError(
        f"{what} needs the {keys} {' and '.join(names)}, which {are} not there: give {it} in {lines} of the file {FILE} beside "
        f"the notebook, in the environment, or at the hidden prompt of patter_nb.keys({asked})."
    )


def keys(*names: str, again: bool = False) -> dict[str, str]:
    """Ask for keys at a hidden prompt, and keep them for as long as this process lasts: `patter_nb.keys("TWILIO_AUTH_TOKEN")`.

    Without names it asks for those that an error has named. A key that is there is not asked for, so that the cell can run again;
    `again=True` asks all the same, to correct one. An empty answer changes nothing. Says of each name where its key is now, never
    what it is. The kernel waits while the prompt does: ask before a call, not during one.
    """
    for name in names:
        _check(name)
    told = {}
    for name in names or tuple(_missed):
        if (again or not find(name)) and (answer := _ask(name)):
            _typed[name] = answer
        told[name] = where(name) or "missing"
    return told


def _places(name: str) -> Iterator[tuple[str, str]]:
    """Every place that has the key, the first one first; an empty one counts as none."""
    if typed := _typed.get(name):
        yield "typed", typed
    if given := os.environ.get(name, "").strip():
        yield "environment", given
    if written := _written().get(name):
        yield FILE, written


def _check(name: object) -> None:
    """Whether it is the name of a key. Who gives the key itself must not find it in an error."""
    if not isinstance(name, str):
        raise ConfigTypeError(f'keys() takes names, such as "TWILIO_AUTH_TOKEN"; a {type(name).__name__} was given.')
    if not _NAME.fullmatch(name) or looks_random(name):
        raise ConfigError(
            'keys() takes names, such as "TWILIO_AUTH_TOKEN", and asks for what they stand for; what was given is no name, '
            "and is not repeated here in case it is a key."
        )


def _ask(name: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
            return getpass.getpass(f"{name}: ").strip()
    except (NotImplementedError, EOFError, getpass.GetPassWarning):  # a kernel without a prompt raises the first
        raise ConfigError(
            f"{name} cannot be asked for here, since nobody can type where this runs: give it in a line of the file {FILE} "
            f"beside the notebook, or in the environment."
        ) from None


# The file.


@dataclass(frozen=True, slots=True, repr=False)
class _Reading:
    """What the file held when it was read."""

    state: tuple[str, int, int, int]
    values: dict[str, str]


_reading = _Reading(("", 0, 0, 0), {})


def _written() -> dict[str, str]:
    """What the file holds, read again when it has changed; nothing when it is not there."""
    global _reading  # noqa: PLW0603 (the last reading of this process)
    try:
        path = Path.cwd() / FILE
        if not path.is_file():  # a folder of that name may be a virtual environment
            path = Path(_reading.state[0])  # a cell may have changed the working directory since
        if not path.is_file():
            return {}
        status = path.stat()
        state = str(path), status.st_ino, status.st_mtime_ns, status.st_size
        if state != _reading.state:
            _reading = _Reading(state, {})  # a file that cannot be read is told of once
            _reading = _Reading(state, _parsed(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        warn(f"The file {FILE} beside the notebook cannot be read ({error.strerror}): its keys are not used.")
    except UnicodeDecodeError:
        warn(f"The file {FILE} beside the notebook is not UTF-8, so its keys are not used: save it as UTF-8.")
    return _reading.values


def _parsed(text: str) -> dict[str, str]:
    from io import StringIO

    from dotenv.parser import parse_stream

    values, unclear = {}, []
    for found in parse_stream(StringIO(text)):
        if found.key is not None and found.value is not None:
            values[found.key] = found.value.strip()
        elif found.error or found.key is not None:
            written = found.original.string
            unclear.append(found.original.line + written[: len(written) - len(written.lstrip())].count("\n"))
    if unclear:
        lines = f"Line {unclear[0]}" if len(unclear) == 1 else f"Lines {', '.join(map(str, unclear))}"
        warn(f"{lines} of the file {FILE} beside the notebook: not NAME=value, and passed over.")
    return values
