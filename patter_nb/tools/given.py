"""A JSON schema that the user wrote, and arguments checked against it.

Checked are `type`, `enum`, `const`, `required`, `properties`, `additionalProperties: false`, `items`, `minimum` and `maximum`;
everything else that a schema may say is told to the model and not checked here. Arguments arrive as JSON has them.
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
    """A copy of the schema. `ConfigError` unless it is one of an object, whose required properties are declared."""
    where = f"parameters of tool {name!r}"
    if not isinstance(schema, Mapping):
        usual = "{'type': 'object', 'properties': ...}"
        raise ConfigTypeError(f"{where} is {type(schema).__name__}; it must be a JSON schema: {usual}.")
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(schema), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigTypeError(f"{where} cannot be written as JSON: {error}.") from error
    if plain.get("type") != "object":
        raise ConfigError(f"{where} has type {plain.get('type')!r}; it must be 'object', since arguments have names.")
    plain.setdefault("properties", {})
    _check_schema(where, plain)
    return plain


def _check_schema(where: str, schema: Any) -> None:
    """What is checked of arguments must be well formed, at every depth."""
    if not isinstance(schema, dict):
        raise ConfigError(f"{where} holds {_brief(schema)} where a schema belongs: an object such as {{'type': 'string'}}.")
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ConfigError(f"{where} has type {_brief(kind)}; JSON knows {', '.join(_KINDS)}.")
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict):
        raise ConfigError(f"{where}: properties must be an object of schemas.")
    if not isinstance(required, list) or not all(isinstance(each, str) for each in required):
        raise ConfigError(f"{where}: required must be a list of names.")
    if "properties" in schema and (unknown := [each for each in required if each not in properties]):
        raise ConfigError(f"{where}: {unknown[0]!r} is required and is not among its properties.")
    if not isinstance(schema.get("enum", []), list):
        raise ConfigError(f"{where}: enum must be a list of values.")
    for key in ("minimum", "maximum"):
        if not _is("number", schema.get(key, 0)):
            raise ConfigError(f"{where}: {key} must be a number.")
    for inner in properties.values():
        _check_schema(where, inner)
    if isinstance(schema.get("items"), dict):
        _check_schema(where, schema["items"])


def check_arguments(name: str, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """`ToolArgumentsError` with a sentence for the model, unless the arguments fit.

    What the schema does not name is refused, too, unless it says `additionalProperties`.
    """
    _check(name, "", {"additionalProperties": False, **schema}, dict(arguments))


def _check(name: str, where: str, schema: Mapping[str, Any], value: Any) -> None:
    wanted = schema.get("type", [])
    kinds = [wanted] if isinstance(wanted, str) else wanted
    if kinds and not any(_is(kind, value) for kind in kinds):
        raise _unfit(name, f"{where} is {_brief(value)} and must be of type {' or '.join(kinds)}")
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        raise _unfit(name, f"{where} is {_brief(value)} and must be one of {_brief(schema['enum'])}")
    if "const" in schema and not _same(value, schema["const"]):
        raise _unfit(name, f"{where} is {_brief(value)} and must be {_brief(schema['const'])}")
    if _is("number", value):
        if value < schema.get("minimum", value):
            raise _unfit(name, f"{where} is {value} and must be at least {schema['minimum']}")
        if value > schema.get("maximum", value):
            raise _unfit(name, f"{where} is {value} and must be at most {schema['maximum']}")
    if isinstance(value, dict):
        _check_object(name, where, schema, value)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for place, each in enumerate(value):
            _check(name, f"{where}[{place}]", schema["items"], each)


def _check_object(name: str, where: str, schema: Mapping[str, Any], value: dict[str, Any]) -> None:
    properties, inside = schema.get("properties", {}), f"{where}." if where else ""
    if missing := [key for key in schema.get("required", ()) if key not in value]:
        raise _unfit(name, f"{inside}{missing[0]} is missing")
    if schema.get("additionalProperties") is False and (unknown := [key for key in value if key not in properties]):
        known = ", ".join(properties) or "none"
        raise _unfit(name, f"there is no argument {inside + unknown[0]!r}; the arguments are: {known}")
    for key, inner in properties.items():
        if key in value:
            _check(name, f"{inside}{key}", inner, value[key])


def _unfit(name: str, reason: str) -> ToolArgumentsError:
    return ToolArgumentsError(f"The arguments of {name} do not fit: {reason}.")


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS[kind])


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON, where true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True) or (
        _is("number", one) and _is("number", other) and bool(one == other)
    )


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"
