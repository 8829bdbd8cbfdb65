"""What a function takes, as a JSON schema, and a model's arguments checked against it before the function runs.

Types are pydantic's business: unions, enums, dataclasses, models, literals, dates, nested containers. Descriptions come from
`Annotated[..., "text"]`, from `Field(description=...)`, or from the docstring (Google's `Args:`, NumPy's `Parameters`, or
`:param name:`). A parameter without an annotation takes a string, or with a default of its own any JSON value.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

from patter_nb.errors import ConfigError
from patter_nb.tools.docstrings import docstring, inmost, parameter_descriptions

HANDED_IN = ("call_context", "call_control")
"""Parameters that the call fills in; the model does not know of them."""


class ToolArgumentsError(ConfigError):
    """A model's arguments do not fit; the message is for the model."""


class Signature:
    """The parameters of a handler that a model fills in. `ConfigError` for a function that cannot be called that way."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        from pydantic import ConfigDict, create_model
        from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

        self.names = self._names(function, name)
        described = parameter_descriptions(docstring(function))
        types = _types(function, name)
        fields: dict[str, Any] = {}
        for place, (parameter, given) in enumerate(self.names.items()):
            unknown = str if given is inspect.Parameter.empty else Any
            fields[f"field_{place}"] = _field(types.get(parameter, unknown), parameter, given, described.get(parameter))
        self._fields = dict(zip(self.names, fields, strict=True))
        try:
            # Numbered fields with aliases: a parameter may have a name that a model's attribute has.
            self._model = create_model(f"Arguments of {name}", __config__=ConfigDict(extra="forbid"), **fields)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a default that JSON does not know is left out of the schema
                self.schema = plain_schema(self._model.model_json_schema(by_alias=True))
        except (PydanticUserError, PydanticUndefinedAnnotation, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"A parameter of tool {name!r} has a type that no schema can be made of: {reason}") from error

    def check(self, text: str, name: str) -> dict[str, Any]:
        """The arguments in their own types. `ToolArgumentsError` names each that does not fit."""
        from pydantic import ValidationError

        try:
            found = self._model.model_validate_json(text)
        except ValidationError as error:
            raise ToolArgumentsError(_told(name, error.errors(), list(self.names))) from None
        except (TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
            # From a class of the user's that refuses what it was given in its own way.
            raise ToolArgumentsError(f"The arguments of {name} do not fit: {type(error).__name__}: {error}.") from error
        given = found.model_fields_set
        return {
            parameter: getattr(found, field)
            for parameter, field in self._fields.items()
            if field in given or self.names[parameter] is inspect.Parameter.empty
        }

    @staticmethod
    def _names(function: Callable[..., Any], name: str) -> dict[str, Any]:
        """The parameters a model fills in, with their defaults."""
        names: dict[str, Any] = {}
        try:
            taken = inspect.signature(function).parameters.values()
        except (TypeError, ValueError) as error:  # of something built in
            raise ConfigError(f"Tool {name!r} does not tell what it takes: give parameters=, or a function around it.") from error
        for place, parameter in enumerate(taken):
            if parameter.name == "self" and place == 0:
                raise ConfigError(f"Tool {name!r} takes self: make it of an object's method, tool(handler=my_object.method).")
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ConfigError(f"Tool {name!r} takes *{parameter.name}, which a model cannot fill in: name its parameters.")
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise ConfigError(f"Parameter {parameter.name!r} of tool {name!r} is positional only: take away the slash.")
            if parameter.name not in HANDED_IN:
                names[parameter.name] = parameter.default
        return names


def _types(function: Callable[..., Any], name: str) -> dict[str, Any]:
    function = inmost(function)
    call = function if inspect.isroutine(function) else type(function).__call__
    plain = inspect.unwrap(getattr(call, "__func__", call))
    try:
        return typing.get_type_hints(plain, localns=_caught(plain), include_extras=True)
    except NameError as error:
        remedy = "define that name outside of any function, before the tool"
        raise ConfigError(f"An annotation of tool {name!r} cannot be read: {error}; {remedy}.") from error
    except TypeError as error:
        raise ConfigError(f"An annotation of tool {name!r} is no type: {error}.") from error


def _caught(function: Any) -> dict[str, Any]:
    """What a function has caught of the functions around it, as far as it is there already."""
    caught: dict[str, Any] = {}
    code = getattr(function, "__code__", None)
    for name, cell in zip(() if code is None else code.co_freevars, getattr(function, "__closure__", None) or (), strict=False):
        with contextlib.suppress(ValueError):  # it is assigned later
            caught[name] = cell.cell_contents
    return caught


def _field(kind: Any, parameter: str, default: Any, described: str | None) -> tuple[Any, Any]:
    from pydantic import Field
    from pydantic.fields import FieldInfo

    text, own = described, False
    if get_origin(kind) is Annotated:
        base, *more = get_args(kind)
        own = any(isinstance(each, FieldInfo) and each.description for each in more)
        texts = [each for each in more if isinstance(each, str)]
        text = texts[0] if texts else described
        kept = [each for each in more if not isinstance(each, str)]
        kind = Annotated[base, *kept] if kept else base
    about: dict[str, Any] = {} if own or text is None else {"description": text}
    if default is inspect.Parameter.empty:
        return kind, Field(alias=parameter, **about)
    return kind, Field(default=default, alias=parameter, **about)


def _told(name: str, errors: list[Any], known: list[str]) -> str:
    parts = []
    for error in errors[:5]:
        place = ".".join(str(each) for each in error["loc"])
        if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
            parts.append(f"there is no argument {place!r}; the arguments are: {', '.join(known) or 'none'}")
        elif error["type"] == "missing":
            parts.append(f"{place} is missing")
        else:
            parts.append(f"{place}: {error['msg']}" if place else str(error["msg"]))
    return f"The arguments of {name} do not fit: {'; '.join(parts)}."


# Schemas.


def plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without generated titles, its definitions put where they are used, unless one refers to itself."""
    definitions = schema.get("$defs", {})
    recursive = _recursive(definitions)
    found = _plain({key: value for key, value in schema.items() if key != "$defs"}, definitions, recursive)
    if recursive:
        found["$defs"] = {name: _plain(definitions[name], definitions, recursive) for name in recursive}
    found.pop("additionalProperties", None)
    found.setdefault("properties", {})
    return dict(found)


def _plain(node: Any, definitions: Mapping[str, Any], recursive: set[str]) -> Any:
    if isinstance(node, list):
        return [_plain(each, definitions, recursive) for each in node]
    if not isinstance(node, dict):
        return node
    name = str(node.get("$ref", "")).rpartition("/")[2]
    if name in definitions and name not in recursive:
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _plain({**definitions[name], **beside}, definitions, recursive)
    kept = {key: value for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    return {
        key: {each: _plain(inner, definitions, recursive) for each, inner in value.items()}
        if key in ("properties", "patternProperties") and isinstance(value, dict)
        else value
        if key in ("default", "const", "enum", "examples")
        else _plain(value, definitions, recursive)
        for key, value in kept.items()
    }


def _recursive(definitions: Mapping[str, Any]) -> set[str]:
    """The definitions that lead back to themselves, and those that such ones use."""
    uses = {name: set(re.findall(r'#/\$defs/([^"\']+)', repr(body))) for name, body in definitions.items()}
    reach = {name: set(direct) for name, direct in uses.items()}
    for _ in uses:
        reach = {name: each.union(*(reach.get(other, set()) for other in each)) for name, each in reach.items()}
    loops = {name for name, each in reach.items() if name in each}
    return loops | {other for name in loops for other in reach[name]}
