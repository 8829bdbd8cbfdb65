"""A JSON schema that the user wrote, and arguments checked against it.

Checked are `type`, `enum`, `const`, `required`, `properties`, `additionalProperties: false`, `items`, and numbers' `minimum` and
`maximum`; everything else a schema may say is told to the model and not checked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.tools.schema import ToolArgumentsError

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,), "object": (dict,),
    "null": (type(None),),
}  # fmt: skip


def checked_parameters(name: str, schema: Any) -> dict[str, Any]:
    """The schema, as plain JSON. `ConfigError` unless it is one of an object whose required properties are declared."""
    where = f"parameters of tool {name!r}"
    if not isinstance(schema, Mapping):
        usual = "{'type': 'object', 'properties': ...}"
        raise ConfigTypeError(f"{where} is {type(schema).__name__}; it must be a JSON schema: {usual}.")
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(schema)))
    except (TypeError, ValueError) as error:
        raise ConfigTypeError(f"{where} cannot be written as JSON: {error}.") from error
    if plain.get("type") != "object":
        raise ConfigError(f"{where} has type {plain.get('type')!r}; it must be 'object', since arguments have names.")
    properties, required = plain.setdefault("properties", {}), plain.get("required", [])
    if not isinstance(properties, dict) or not all(isinstance(each, dict) for each in properties.values()):
        raise ConfigError(f"{where}: properties must be an object of schemas.")
    if not isinstance(required, list) or not all(isinstance(each, str) for each in required):
        raise ConfigError(f"{where}: required must be a list of names.")
    if unknown := [each for each in required if each not in properties]:
        raise ConfigError(f"{where}: {unknown[0]!r} is required and is not among its properties.")
    return plain


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as strict tool calling wants it: every object closed and all of its properties required."""
    closed: dict[str, Any] = {key: _strict_items(value) for key, value in schema.items()}
    for key in ("items", "additionalItems"):
        if isinstance(closed.get(key), dict):
            closed[key] = strict(closed[key])
    if isinstance(closed.get("properties"), dict):
        closed["properties"] = {key: strict(value) for key, value in closed["properties"].items()}
        closed |= {"additionalProperties": False, "required": list(closed["properties"])}
    return closed


def _strict_items(value: Any) -> Any:
    return [strict(each) if isinstance(each, dict) else each for each in value] if isinstance(value, list) else value


def check_arguments(name: str, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """`ToolArgumentsError` with a sentence for the model, unless the arguments fit."""
    properties = schema["properties"]
    if schema.get("additionalProperties", False) is False and (unknown := [key for key in arguments if key not in properties]):
        raise ToolArgumentsError(f"{name} has no argument {unknown[0]!r}; it takes {', '.join(properties) or 'none'}.")
    _check(name, "arguments", schema, dict(arguments))


def _check(name: str, where: str, schema: Mapping[str, Any], value: Any) -> None:
    wanted = schema.get("type")
    kinds = [wanted] if isinstance(wanted, str) else list(wanted or ())
    if kinds and not any(_is(kind, value) for kind in kinds):
        raise ToolArgumentsError(f"{where} of {name} is {_brief(value)}; it must be of type {' or '.join(kinds)}.")
    if "enum" in schema and value not in schema["enum"]:
        raise ToolArgumentsError(f"{where} of {name} is {_brief(value)}; it must be one of {_brief(schema['enum'])}.")
    if "const" in schema and value != schema["const"]:
        raise ToolArgumentsError(f"{where} of {name} is {_brief(value)}; it must be {_brief(schema['const'])}.")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            raise ToolArgumentsError(f"{where} of {name} is {value}; it must be at least {schema['minimum']}.")
        if value > schema.get("maximum", value):
            raise ToolArgumentsError(f"{where} of {name} is {value}; it must be at most {schema['maximum']}.")
    if isinstance(value, dict):
        if missing := [key for key in schema.get("required", ()) if key not in value]:
            raise ToolArgumentsError(f"{where} of {name} lacks {missing[0]!r}.")
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                _check(name, key if where == "arguments" else f"{where}.{key}", inner, value[key])
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for place, each in enumerate(value):
            _check(name, f"{where}[{place}]", schema["items"], each)


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS.get(kind, (object,)))


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"
