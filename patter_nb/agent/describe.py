"""What makes an agent the one it is, as plain values without secrets: the content of a revision."""

from __future__ import annotations

import hashlib
import marshal
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from os import PathLike
from types import CodeType, FunctionType, MemberDescriptorType, MethodType
from typing import Any

from patter_nb.errors import HIDDEN, names_secret
from patter_nb.providers.base import LLM, STT, TTS
from patter_nb.web.address import shown_url

ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
"""Where an object lies in memory says nothing about what it is."""


def describe(provider: STT | LLM | TTS) -> dict[str, Any]:
    """A provider's settings as plain values: its class, provider and model, and whatever else of it is no secret.

    Of a dataclass these are its shown fields. Of any other object: its public attributes (also those of its class) that are
    strings, numbers, booleans, None, paths, or tuples of these; what changes from call to call belongs into a name with an
    underscore, or each call would seem to be with another revision.
    """
    return {"class": type(provider).__name__, "provider": provider.provider, "model": provider.model, **_settings(provider)}


def described(value: object) -> Any:
    """Any part of an agent as plain values: texts and numbers as they are, URLs without what may be a key, functions by name and
    code, objects by their settings."""
    if isinstance(value, str):
        return shown_url(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, STT | LLM | TTS):
        return describe(value)
    if isinstance(value, Mapping):
        return {str(key): HIDDEN if names_secret(str(key)) else described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    if is_dataclass(value):
        plain = {name: described(item) for name, item in _shown_fields(value).items()}
        return {"class": type(value).__name__, **{name: item for name, item in plain.items() if item not in (None, "", [], {})}}
    if callable(value):
        return code_name(value)
    return {"class": type(value).__name__, **_settings(value)}


def code_name(function: Callable[..., Any]) -> str:
    """The name of a function and eight hex digits of its code: running an unchanged cell again leaves it as it was.

    What a closure has caught is not looked into; default values are, and so is what a `partial` gives, which may be a key and is
    told by eight digits alone.
    """
    function = getattr(function, "__wrapped__", function)
    if isinstance(function, partial):
        given = ADDRESS.sub("", repr((function.args, function.keywords)))
        return f"partial({code_name(function.func)})#{_digits(given.encode())}"
    name = getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", "")
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        code = getattr(type(function).__call__, "__code__", None)
    if code is None:  # built in
        return name
    defaults = (getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None))
    # Version 2 writes the code alone: later ones also write which of its texts somebody has interned at this moment.
    content = marshal.dumps(_bare(code), 2) + ADDRESS.sub("", repr(defaults)).encode()
    return f"{name}#{_digits(content)}"


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _bare(code: CodeType) -> CodeType:
    """The code without where it stood."""
    consts = tuple(_bare(const) if isinstance(const, CodeType) else const for const in code.co_consts)
    return code.replace(co_filename="", co_firstlineno=1, co_linetable=b"", co_consts=consts)


def _settings(value: object) -> dict[str, Any]:
    if is_dataclass(value):
        return {name: _told(item) for name, item in _shown_fields(value).items()}
    return {name: _told(found) for name, found in _attributes(value).items() if _may_be_shown(name) and _is_plain(found)}


def _shown_fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that may be shown: those of its `repr`, without secrets."""
    return {each.name: getattr(value, each.name) for each in fields(value) if each.repr and _may_be_shown(each.name)}


def _may_be_shown(name: str) -> bool:
    return not name.startswith("_") and not names_secret(name)


def _told(setting: object) -> str:
    """A setting as a text, what it holds as `described`."""
    if isinstance(setting, FunctionType | MethodType | partial):
        return code_name(setting)
    if isinstance(setting, str | list | tuple | Mapping):
        plain = described(setting)
        return str(tuple(plain) if isinstance(setting, tuple) else plain)
    return ADDRESS.sub("", str(setting))


def _attributes(value: object) -> dict[str, Any]:
    """The attributes of an object and its classes, as far as they are there without any code being run."""
    found: dict[str, Any] = {}
    for kind in reversed(type(value).__mro__):
        found |= vars(kind)
    slots = [name for name, item in found.items() if isinstance(item, MemberDescriptorType)]
    found |= {name: getattr(value, name, None) for name in slots}
    found |= getattr(value, "__dict__", {})
    return dict(sorted(found.items()))


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | PathLike)
