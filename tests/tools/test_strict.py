"""Strict tools: every object lists all it takes, at every depth; what cannot be closed is told where the tool is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from patter_nb.errors import ConfigError
from patter_nb.tools import Tool, tool


@dataclass
class Guest:
    name: str
    age: int = 0
    host: Guest | None = None


def book(guests: list[Guest], room: int | None = None, note: str = "none"): ...


def take(arguments): ...


def objects(schema):
    """Every schema of an object within a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    if isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def test_every_object_is_closed_and_all_of_it_required():
    schema = tool(strict=True)(book).spec.parameters
    found = list(objects(schema))
    assert len(found) == 2
    for each in found:
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])
    assert schema["required"] == ["guests", "room", "note"]
    assert schema["properties"]["room"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert schema["properties"]["note"]["default"] == "none"


def test_a_schema_that_was_given_is_closed_as_well_and_stays_as_it_was():
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    given = {"type": "object", "properties": {"a": {"type": "array", "items": inner}, "c": {"anyOf": [inner, {"type": "null"}]}}}
    made = Tool("x", parameters=given, handler=take, strict=True)
    assert [each["required"] for each in objects(made.spec.parameters)] == [["a", "c"], ["b"], ["b"]]
    assert made.parameters == given


def untyped(a: Any): ...
def mapping(a: dict[str, int]): ...
def any_list(a: list[Any]): ...
def within(a: list[dict]): ...


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (untyped, "tool 'untyped' is strict, and a may be anything: give it a type, or take away strict=True."),
        (mapping, "tool 'mapping' is strict, and a may have any keys: name them, or take away strict=True."),
        (any_list, "tool 'any_list' is strict, and an item of a may be anything: give it a type, or take away strict=True."),
        (within, "tool 'within' is strict, and an item of a may have any keys: name them, or take away strict=True."),
    ],
)
def test_what_cannot_be_closed_is_one_sentence(function, sentence):
    with pytest.raises(ConfigError) as refused:
        tool(strict=True)(function)
    assert str(refused.value) == sentence
