"""Schemas that users write: what cannot be one is told at once, and arguments are held against the rest."""

from __future__ import annotations

import json
import math

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.tools import Tool, ToolArgumentsError


def take(arguments): ...


def made(schema, **settings):
    return Tool("book", parameters=schema, handler=take, **settings)


def of(**properties):
    return {"type": "object", "properties": properties}


def bind(schema, arguments):
    return made(schema).bind(json.dumps(arguments), {}).call.args


NESTED: dict = {}
NESTED["type"] = NESTED

UNUSABLE = [
    ([], ConfigTypeError, "parameters of tool 'book' is list; it must be a JSON schema"),
    ({}, ConfigError, "parameters of tool 'book' has type None; it must be 'object'"),
    ({"type": "string"}, ConfigError, "has type 'string'; it must be 'object'"),
    ({"type": "object", "properties": []}, ConfigError, "properties must be an object of schemas"),
    (of(a="string"), ConfigError, "holds \"string\" where a schema belongs: an object such as {'type': 'string'}"),
    (of(a={"type": "str"}), ConfigError, 'has type "str"; JSON knows string, integer, number, boolean, array, object, null'),
    (of(a={"type": ["string", "text"]}), ConfigError, 'has type "text"'),
    (of(a={"type": {}}), ConfigError, "has type {}"),
    ({**of(a={}), "required": ["b"]}, ConfigError, "'b' is required and is not among its properties"),
    ({**of(a={}), "required": "a"}, ConfigError, "required must be a list of names"),
    ({**of(a={}), "required": [1]}, ConfigError, "required must be a list of names"),
    (of(a={"enum": "x"}), ConfigError, "enum must be a list of values"),
    (of(a={"minimum": "1"}), ConfigError, "minimum must be a number"),
    (of(a={"type": "array", "items": {"type": "text"}}), ConfigError, 'has type "text"'),
    (of(a={**of(b={}), "required": ["c"]}), ConfigError, "'c' is required"),
    (of(a={"default": {1, 2}}), ConfigTypeError, "cannot be written as JSON"),
    (of(a={"minimum": math.nan}), ConfigTypeError, "cannot be written as JSON"),
    (NESTED, ConfigTypeError, "cannot be written as JSON"),
]


@pytest.mark.parametrize(("schema", "kind", "sentence"), UNUSABLE, ids=[case[2] for case in UNUSABLE])
def test_a_schema_that_cannot_be_used_is_one_sentence(schema, kind, sentence):
    with pytest.raises(kind) as refused:
        made(schema)
    assert sentence in str(refused.value)


CHECKED = [
    # The schema of argument a, values that fit, and values that do not, with what is said of them.
    ({"type": "string"}, ["x", ""], [(1, "a is 1 and must be of type string"), (None, "a is null")]),
    ({"type": "integer"}, [1, 1.0, -5], [(1.5, "of type integer"), ("1", 'a is "1"'), (True, "a is true")]),
    ({"type": "number"}, [1, 1.5], [("1", "of type number"), (False, "a is false")]),
    ({"type": "boolean"}, [True], [(1, "of type boolean"), ("true", "of type boolean")]),
    ({"type": "null"}, [None], [(0, "of type null")]),
    ({"type": ["string", "null"]}, ["x", None], [(1, "of type string or null")]),
    ({"enum": ["x", 1, None]}, ["x", 1, 1.0, None], [("y", 'must be one of ["x", 1, null]'), (True, "a is true")]),
    ({"const": "x"}, ["x"], [("y", 'must be "x"')]),
    ({"type": "integer", "minimum": 1, "maximum": 5}, [1, 5], [(0, "must be at least 1"), (6, "must be at most 5")]),
    ({"type": "array", "items": {"type": "integer"}}, [[], [1]], [([1, "x"], 'a[1] is "x"'), ({}, "of type array")]),
    ({"type": "array"}, [[1, "x"]], [("x", "of type array")]),
    ({"type": "object"}, [{}, {"b": 1}], [([], "of type object")]),
    (
        {**of(b={"type": "integer"}), "required": ["b"], "additionalProperties": False},
        [{"b": 1}],
        [({}, "a.b is missing"), ({"b": 1, "c": 2}, "there is no argument 'a.c'; the arguments are: b"), ({"b": "x"}, "a.b is")],
    ),
    (of(b={"type": "integer"}), [{"c": 1}], [({"b": "x"}, "a.b is")]),
    ({"pattern": "^x$"}, ["y"], []),  # told to the model, not checked
    ({}, [1, "x", None, [1], {"b": 1}], []),
]


@pytest.mark.parametrize(("schema", "fits", "does_not"), CHECKED, ids=[json.dumps(case[0]) for case in CHECKED])
def test_arguments_are_held_against_the_schema(schema, fits, does_not):
    for value in fits:
        assert bind(of(a=schema), {"a": value}) == ({"a": value},)
    for value, sentence in does_not:
        with pytest.raises(ToolArgumentsError) as refused:
            bind(of(a=schema), {"a": value})
        assert str(refused.value).startswith("The arguments of book do not fit: ")
        assert sentence in str(refused.value)


def test_what_is_missing_or_unknown_is_named():
    schema = {**of(a={}, b={}), "required": ["a"]}
    with pytest.raises(ToolArgumentsError, match=r"do not fit: a is missing\."):
        bind(schema, {"b": 1})
    with pytest.raises(ToolArgumentsError, match=r"there is no argument 'c'; the arguments are: a, b\."):
        bind(schema, {"a": 1, "c": 2})
    assert bind({**schema, "additionalProperties": True}, {"a": 1, "c": 2}) == ({"a": 1, "c": 2},)


def test_a_long_value_is_told_in_short():
    with pytest.raises(ToolArgumentsError) as refused:
        bind(of(a={"type": "integer"}), {"a": "x" * 10_000})
    assert len(str(refused.value)) < 200


def test_the_schema_of_a_tool_is_a_copy():
    schema = of(a={"type": "string"})
    tool = made(schema)
    schema["properties"]["a"]["type"] = "integer"
    assert tool.spec.parameters == of(a={"type": "string"})


def test_no_arguments_need_no_properties():
    assert made({"type": "object"}).spec.parameters == {"type": "object", "properties": {}}
