"""Facts as plain data: what JSON can hold in every database, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from datetime import date
from typing import Any

from patter_nb.turns.facts import ToolRun
from patter_nb.turns.usage import Usage

_LARGEST = 2**53
"""Beyond it JSON readers round integers."""

_USAGE = tuple(each.name for each in fields(Usage))
_TOOL = tuple(each.name for each in fields(ToolRun))


def plain(value: Any) -> Any:
    """The value as mappings with text keys, lists, text, numbers, booleans and None; anything else as its text."""
    if isinstance(value, str):
        return storable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    return value.isoformat() if isinstance(value, date) else storable(str(value))


def storable(text: str) -> str:
    """The text without what some database refuses: half surrogate pairs and the zero character become "\ufffd" or "?"."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def usage_from(data: Mapping[str, Any]) -> Usage:
    """The usage that `plain` made this of; fields of a later version are left out."""
    return Usage(**{name: data[name] for name in _USAGE if name in data})


def tool_from(data: Mapping[str, Any]) -> ToolRun:
    """The tool run that `plain` made this of."""
    return ToolRun(**{name: data[name] for name in _TOOL if name in data})
