"""What a function takes, as a JSON schema, and a model's arguments checked against it before the function runs.

Types are pydantic's business: unions, enums, dataclasses, models, literals, dates, nested containers. Descriptions come from
`Annotated[..., "text"]`, from `Field(description=...)`, or from the docstring (Google's `Args:`, or `:param name:`).
"""

from __future__ import annotations

import inspect
import re
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

from patter_nb.errors import ConfigError

HANDED_IN = ("call_context", "call_control")
"""Parameters that the call fills in; the model does not know of them."""


class ToolArgumentsError(ConfigError):
    """A model's arguments do not fit; the message is for the model."""


class Signature:
    """The parameters of a handler that a model fills in. `ConfigError` for a function that cannot be called that way."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        from pydantic import ConfigDict, create_model
        from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

        self.names = self._names(function, name)
        described = parameter_descriptions(inspect.getdoc(function) or "")
        types = _types(function, name)
        fields: dict[str, Any] = {}
        for place, (parameter, given) in enumerate(self.names.items()):
            fields[f"field_{place}"] = _field(types.get(parameter, Any), parameter, given, described.get(parameter))
        self._fields = dict(zip(self.names, fields, strict=True))
        try:
            # Numbered fields with aliases: a parameter may have a name that a model's attribute has.
            self._model = create_model(f"Arguments of {name}", __config__=ConfigDict(extra="forbid"), **fields)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a default that JSON does not know is left out of the schema
                self.schema = plain_schema(self._model.model_json_schema(by_alias=True))
        except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"A parameter of tool {name!r} has a type that JSON cannot hold: {reason}") from error

    def check(self, text: str, name: str) -> dict[str, Any]:
        """The arguments in their own types. `ToolArgumentsError` names each that does not fit."""
        from pydantic import ValidationError

        try:
            found = self._model.model_validate_json(text)
        except ValidationError as error:
            raise ToolArgumentsError(_told(name, error.errors())) from None
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
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ConfigError(f"Tool {name!r} takes *{parameter.name}, which a model cannot fill in: name its parameters.")
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise ConfigError(f"Parameter {parameter.name!r} of tool {name!r} is positional only: take away the slash.")
            if parameter.name not in HANDED_IN:
                names[parameter.name] = parameter.default
        return names


def _types(function: Callable[..., Any], name: str) -> dict[str, Any]:
    function = getattr(function, "func", function)  # of a functools.partial
    call = function if inspect.isroutine(function) else type(function).__call__
    plain = inspect.unwrap(getattr(call, "__func__", call))
    local = inspect.getclosurevars(plain).nonlocals if hasattr(plain, "__code__") else {}
    try:
        return typing.get_type_hints(plain, localns=dict(local), include_extras=True)
    except NameError as error:
        raise ConfigError(f"An annotation of tool {name!r} cannot be read: {error}. Define that name before the tool.") from error
    except TypeError as error:
        raise ConfigError(f"An annotation of tool {name!r} is no type: {error}.") from error


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
    about = None if own else text
    if default is inspect.Parameter.empty:
        return kind, Field(alias=parameter, description=about)
    return kind, Field(default=default, alias=parameter, description=about)


def _told(name: str, errors: list[Any]) -> str:
    parts = []
    for error in errors[:5]:
        place = ".".join(str(each) for each in error["loc"])
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
    if name and name not in recursive:
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


# Docstrings.

_AFTER_SUMMARY = re.compile(r"\n\s*\n|\n\s*(?:Args|Arguments|Parameters|Returns|Raises|Yields):?\s*\n|\n\s*:param ")


def summary(doc: str) -> str:
    """The first paragraph, on one line."""
    first = _AFTER_SUMMARY.split(doc.strip(), maxsplit=1)[0]
    return " ".join(first.split())


def parameter_descriptions(doc: str) -> dict[str, str]:
    """What a docstring says of each parameter, in Google's form or as `:param name: text`."""
    found: dict[str, str] = {}
    for name, text in re.findall(r"^\s*:param\s+(?:[^:\n]*\s)?(\w+)\s*:\s*(.+(?:\n\s+(?!:).+)*)", doc, re.MULTILINE):
        found[name] = " ".join(text.split())
    block = re.search(r"^([ \t]*)(?:Args|Arguments|Parameters):[ \t]*\n((?:\1[ \t]+.*\n?|[ \t]*\n)+)", doc, re.MULTILINE)
    if block is None:
        return found
    last, depth = None, None
    for line in block.group(2).splitlines():
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        depth = indent if depth is None else depth
        entry = re.match(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)", line.strip())
        if indent <= depth and entry is not None:
            last = entry.group(1)
            found[last] = entry.group(2).strip()
        elif last is not None:
            found[last] = f"{found[last]} {line.strip()}".strip()
    return found
