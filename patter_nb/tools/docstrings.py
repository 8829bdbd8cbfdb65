"""What a function's docstring says of it and of its parameters."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

_AFTER_SUMMARY = re.compile(r"\n\s*\n|(?:^|\n)\s*(?:(?:Args|Arguments|Parameters|Returns|Raises|Yields):?\s*\n|:\w+)")
_REST = re.compile(r"^[ \t]*:param\s+(?:[^:\n]*\s)?(\w+)\s*:\s*(.+(?:\n[ \t]+(?!:)\S.*)*)", re.MULTILINE)
_GOOGLE = re.compile(r"^([ \t]*)(?:Args|Arguments|Parameters):[ \t]*\n((?:\1[ \t]+.*\n?|[ \t]*\n)+)", re.MULTILINE)
_NUMPY = re.compile(r"^([ \t]*)Parameters[ \t]*\n\1-{3,}[ \t]*\n((?:(?!.*\n\1-{3,}).*\n?)+)", re.MULTILINE)
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?::.*)?()$")


def docstring(function: Callable[..., Any]) -> str:
    """The docstring of what is called in the end: the function within a `functools.partial`, an object's `__call__` or class."""
    called = inmost(function)
    if inspect.isroutine(called):
        return inspect.getdoc(called) or ""
    own = type(called).__call__.__doc__  # not inherited: every class has one that says nothing
    return inspect.cleandoc(own or "") or inspect.getdoc(called) or ""


def inmost(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function within all `functools.partial` around it."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def summary(doc: str) -> str:
    """The first paragraph, on one line."""
    first = _AFTER_SUMMARY.split(doc.strip(), maxsplit=1)[0]
    return " ".join(first.split())


def parameter_descriptions(doc: str) -> dict[str, str]:
    """What a docstring says of each parameter: in Google's form, in NumPy's, or as `:param name: text`."""
    found = {name: " ".join(text.split()) for name, text in _REST.findall(doc)}
    for block, entry in ((_NUMPY, _NUMPY_ENTRY), (_GOOGLE, _GOOGLE_ENTRY)):
        if (match := block.search(doc)) is not None:
            found |= _entries(match.group(2), entry)
    return found


def _entries(block: str, entry: re.Pattern[str]) -> dict[str, str]:
    """Names and texts of a block in which each name stands at the outermost indent, and its text beside or below it."""
    found: dict[str, str] = {}
    lines = [line for line in block.splitlines() if line.strip()]
    outermost = min((_indent(line) for line in lines), default=0)
    last = ""
    for line in lines:
        begins = entry.match(line.strip()) if _indent(line) == outermost else None
        if begins is not None:
            last = begins.group(1)
            found[last] = begins.group(2).strip()
        elif last:
            found[last] = f"{found[last]} {line.strip()}".strip()
    return {name: text for name, text in found.items() if text}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
