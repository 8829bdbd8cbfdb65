"""A schema closed as strict tool calling of OpenAI wants it: every object lists all it takes, and all of that is required."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patter_nb.errors import ConfigError

_SCHEMAS = ("properties", "$defs")
"""Where schemas stand by names."""


def strict_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of tool `name`, closed. `ConfigError` where it has an object of any keys or a value of any type.

    A parameter that may be left out becomes one that must be given; a default of null is dropped, since its type says as much.
    """
    return dict(_closed(name, "its parameters", schema))


def _closed(name: str, where: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    closed = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    if not closed.keys() & {"type", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"}:
        raise ConfigError(f"tool {name!r} is strict, and {where} may be anything: give it a type, or take away strict=True.")
    for key in _SCHEMAS:
        if key in closed:
            closed[key] = {each: _closed(name, each, inner) for each, inner in closed[key].items()}
    if isinstance(closed.get("items"), Mapping):
        closed["items"] = _closed(name, f"an item of {where}", closed["items"])
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in closed:
            closed[key] = [_closed(name, where, each) for each in closed[key]]
    if closed.get("type") == "object":
        if closed.get("additionalProperties", False) is not False or "properties" not in closed:
            raise ConfigError(f"tool {name!r} is strict, and {where} may have any keys: name them, or take away strict=True.")
        closed |= {"additionalProperties": False, "required": list(closed["properties"])}
    return closed
