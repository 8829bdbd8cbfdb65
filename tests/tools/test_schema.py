"""What a function takes, as a schema; and a model's arguments, which arrive in the annotated types or are refused."""

from __future__ import annotations

import datetime
import enum
import functools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, Optional

import pytest
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict

from patter_nb.errors import ConfigError
from patter_nb.tools import Tool, ToolArgumentsError, tool


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Guest:
    name: str
    age: int = 0


class Street(TypedDict):
    street: str
    code: NotRequired[str]


class Order(BaseModel):
    item: str = Field(description="What is wanted.")
    count: int = Field(default=1, ge=1)


@dataclass
class Branch:
    value: int
    branches: list[Branch] = field(default_factory=list)


class Fussy(BaseModel):
    code: str

    @field_validator("code")
    @classmethod
    def known(cls, code):
        if code == "crash":
            raise RuntimeError("no such code")
        if code != "A1":
            raise ValueError("there is only A1")
        return code


GUEST = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "default": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
ORDER = {
    "type": "object",
    "properties": {
        "item": {"type": "string", "description": "What is wanted."},
        "count": {"type": "integer", "default": 1, "minimum": 1},
    },
    "required": ["item"],
}
STREET = {"type": "object", "properties": {"street": {"type": "string"}, "code": {"type": "string"}}}
STREET |= {"required": ["street"], "additionalProperties": False}
BRANCH = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "branches": {"type": "array", "items": {"$ref": "#/$defs/Branch"}}},
    "required": ["value"],
    "additionalProperties": False,
}
TEXT, WHOLE, NUMBER, FLAG, NULL = ({"type": kind} for kind in ("string", "integer", "number", "boolean", "null"))


def text(a: str): ...
def whole(a: int): ...
def number(a: float): ...
def flag(a: bool): ...
def bare(a): ...
def bare_with_default(a=2): ...
def anything(a: Any): ...
def default(a: str = "Paris"): ...
def optional(a: Optional[str]): ...  # noqa: UP045 (the older spelling is what is tested)
def optional_with_default(a: int | None = None): ...
def union(a: int | str): ...
def literal(a: Literal["one", "two"]): ...
def literal_numbers(a: Literal[1, 2] = 1): ...
def mixed_literal(a: Literal["auto", 1]): ...
def choice(a: Size): ...
def choice_with_default(a: Size = Size.SMALL): ...
def level(a: Level): ...
def any_list(a: list): ...
def numbers(a: list[int]): ...
def sequence(a: Sequence[str]): ...
def pair(a: tuple[int, str]): ...
def unique(a: set[str]): ...
def any_mapping(a: dict): ...
def mapping(a: dict[str, int]): ...
def frozen_mapping(a: Mapping[str, float]): ...
def guest(a: Guest): ...
def guest_with_default(a: Guest = Guest("Ann")): ...  # noqa: B008 (that such a default stands in the schema is what is tested)
def guests(a: list[Guest]): ...
def order(a: Order): ...
def guest_or_order(a: Guest | Order): ...
def street(a: Street): ...
def branch(a: Branch): ...
def date(a: datetime.date): ...
def instant(a: datetime.datetime): ...
def clock(a: datetime.time): ...
def identity(a: uuid.UUID): ...
def price(a: Decimal): ...
def described(a: Annotated[str, "The city."]): ...
def bounded(a: Annotated[int, Field(ge=1, le=5, description="How many.")] = 2): ...
def patterned(a: Annotated[str, Field(pattern="^[A-Z]{3}$")]): ...


def one_of(*schemas):
    return {"anyOf": list(schemas)}


def array(items, **more):
    return {"type": "array", "items": items, **more}


SIGNATURES: list[tuple[Callable[..., Any], dict[str, Any], bool, list[tuple[Any, Any]], list[Any]]] = [
    # The function, the schema of its parameter, whether it is required; what is accepted and arrives as what; what is refused.
    (text, TEXT, True, [("x", "x"), ("", "")], [1, None, True, ["x"]]),
    (whole, WHOLE, True, [(1, 1), (2.0, 2), ("3", 3)], [1.5, "x", None, [1]]),
    (number, NUMBER, True, [(1, 1.0), (1.5, 1.5), ("2.5", 2.5)], ["x", None]),
    (flag, FLAG, True, [(True, True), ("false", False)], ["maybe", 2, None]),
    (bare, TEXT, True, [("x", "x")], [1, None]),
    (bare_with_default, {"default": 2}, False, [(3, 3), ("x", "x"), (None, None)], []),
    (anything, {}, True, [(1, 1), ({"b": [None]}, {"b": [None]})], []),
    (default, {**TEXT, "default": "Paris"}, False, [("Rome", "Rome")], [1]),
    (optional, one_of(TEXT, NULL), True, [("x", "x"), (None, None)], [1]),
    (optional_with_default, {**one_of(WHOLE, NULL), "default": None}, False, [(1, 1), (None, None)], ["x"]),
    (union, one_of(WHOLE, TEXT), True, [(1, 1), ("1", "1"), ("x", "x")], [None, [1]]),
    (literal, {**TEXT, "enum": ["one", "two"]}, True, [("two", "two")], ["three", 1]),
    (literal_numbers, {**WHOLE, "enum": [1, 2], "default": 1}, False, [(2, 2)], [3]),
    (mixed_literal, {"enum": ["auto", 1]}, True, [("auto", "auto"), (1, 1)], ["x"]),
    (choice, {**TEXT, "enum": ["small", "large"]}, True, [("large", Size.LARGE)], ["LARGE", "huge"]),
    (choice_with_default, {**TEXT, "enum": ["small", "large"], "default": "small"}, False, [("large", Size.LARGE)], [1]),
    (level, {**WHOLE, "enum": [1, 2]}, True, [(2, Level.HIGH)], [3, "HIGH"]),
    (any_list, array({}), True, [([1, "x"], [1, "x"])], ["x", {"b": 1}]),
    (numbers, array(WHOLE), True, [([1, 2], [1, 2]), ([], [])], [["x"], 1]),
    (sequence, array(TEXT), True, [(["x"], ["x"])], [[1], "x"]),
    (pair, {"type": "array", "prefixItems": [WHOLE, TEXT], "minItems": 2, "maxItems": 2}, True, [([1, "x"], (1, "x"))], [[1]]),
    (unique, array(TEXT, uniqueItems=True), True, [(["x", "x"], {"x"})], [[1]]),
    (any_mapping, {"type": "object", "additionalProperties": True}, True, [({"b": 1}, {"b": 1})], [[1]]),
    (mapping, {"type": "object", "additionalProperties": WHOLE}, True, [({"b": 1}, {"b": 1})], [{"b": "x"}]),
    (frozen_mapping, {"type": "object", "additionalProperties": NUMBER}, True, [({"b": 1}, {"b": 1.0})], [{"b": "x"}]),
    (guest, GUEST, True, [({"name": "Ann", "age": 3}, Guest("Ann", 3))], [{}, {"name": "Ann", "x": 1}, "Ann"]),
    (guest_with_default, {**GUEST, "default": {"name": "Ann", "age": 0}}, False, [({"name": "Bo"}, Guest("Bo"))], [{"age": 1}]),
    (guests, array(GUEST), True, [([{"name": "Ann"}], [Guest("Ann")])], [[{"age": 1}]]),
    (order, ORDER, True, [({"item": "tea", "count": 2}, Order(item="tea", count=2))], [{"item": "tea", "count": 0}]),
    (guest_or_order, one_of(GUEST, ORDER), True, [({"item": "tea"}, Order(item="tea")), ({"name": "Bo"}, Guest("Bo"))], [{}]),
    (street, STREET, True, [({"street": "High"}, {"street": "High"})], [{"code": "1"}]),
    (branch, {"$ref": "#/$defs/Branch"}, True, [({"value": 1, "branches": [{"value": 2}]}, Branch(1, [Branch(2)]))], [{}]),
    (date, {**TEXT, "format": "date"}, True, [("2026-05-01", datetime.date(2026, 5, 1))], ["tomorrow", "2026-13-01"]),
    (instant, {**TEXT, "format": "date-time"}, True, [("2026-05-01T10:00", datetime.datetime(2026, 5, 1, 10))], ["ten"]),
    (clock, {**TEXT, "format": "time"}, True, [("10:30", datetime.time(10, 30))], ["half past ten"]),
    (identity, {**TEXT, "format": "uuid"}, True, [(str(uuid.UUID(int=1)), uuid.UUID(int=1))], ["1"]),
    (described, {**TEXT, "description": "The city."}, True, [("x", "x")], [1]),
    (bounded, {**WHOLE, "minimum": 1, "maximum": 5, "default": 2, "description": "How many."}, False, [(5, 5)], [0, 6]),
    (patterned, {**TEXT, "pattern": "^[A-Z]{3}$"}, True, [("LHR", "LHR")], ["lhr"]),
]  # fmt: skip


def named(case):
    return case[0].__name__


def bound(made, arguments, context=None, control=None):
    return made.bind(json.dumps(arguments), context or {}, control)


def received(function, arguments):
    """The keyword arguments with which the function would be called."""
    return bound(tool(function), arguments).call.keywords


@pytest.mark.parametrize("case", SIGNATURES, ids=named)
def test_a_signature_becomes_a_schema(case):
    function, expected, required, _, _ = case
    schema = dict(tool(function).spec.parameters)
    assert schema.pop("$defs", {}) == ({"Branch": BRANCH} if function is branch else {})
    assert schema == {"type": "object", "properties": {"a": expected}, **({"required": ["a"]} if required else {})}


@pytest.mark.parametrize("case", SIGNATURES, ids=named)
def test_arguments_arrive_in_the_annotated_types(case):
    function, _, required, accepted, refused = case
    for given, expected in accepted:
        (value,) = received(function, {"a": given}).values()
        assert (value, type(value)) == (expected, type(expected))
    for given in refused:
        with pytest.raises(ToolArgumentsError, match=rf"^The arguments of {function.__name__} do not fit: a"):
            received(function, {"a": given})
    if required:
        with pytest.raises(ToolArgumentsError, match=r"a is missing\.$"):
            received(function, {})
    else:
        assert received(function, {}) == {}  # the function's own default holds


def test_a_number_of_money_keeps_its_digits():
    assert received(price, {"a": "19.90"}) == {"a": Decimal("19.90")}


def test_names_that_a_model_class_has_are_names_like_others():
    def odd(*, model_config: str, schema: str, json: str, copy: int, title: str, properties: str, default: str, field_0: str): ...

    names = ["model_config", "schema", "json", "copy", "title", "properties", "default", "field_0"]
    assert tool(odd).spec.parameters["required"] == names
    assert tool(odd).spec.parameters["properties"]["title"] == TEXT
    assert received(odd, {**dict.fromkeys(names, "x"), "copy": 1})["model_config"] == "x"


def test_what_the_call_hands_in_is_not_in_the_schema():
    def order(item: str, call_context: dict, *, call_control): ...

    made = tool(order)
    assert made.spec.parameters == {"type": "object", "properties": {"item": TEXT}, "required": ["item"]}
    call = bound(made, {"item": "tea"}, {"call_id": "c", "caller": "", "callee": ""}, made).call
    assert call.keywords == {"item": "tea", "call_context": {"call_id": "c", "caller": "", "callee": ""}, "call_control": made}
    with pytest.raises(ToolArgumentsError, match="there is no argument 'call_context'; the arguments are: item"):
        bound(made, {"item": "tea", "call_context": {}})


def test_a_function_may_use_a_name_that_is_assigned_after_it() -> None:
    def look(city: str) -> str:
        return f"{rooms} in {city}"

    made = tool(look)
    rooms = "two rooms"
    assert made.spec.parameters["properties"] == {"city": {"type": "string"}}
    assert made("Rome") == "two rooms in Rome"


def test_a_local_type_that_the_function_uses_is_found():
    class Room(BaseModel):
        number: int

    def book(room: Room):
        return Room(number=room.number + 1)

    assert received(book, {"room": {"number": 1}}) == {"room": Room(number=1)}


def both(first: str, second: str): ...


class Desk:
    """A desk."""

    def book(self, room: int) -> int:
        return room

    async def __call__(self, room: int):
        """Book a room."""

    @classmethod
    def open(cls, room: int): ...

    @staticmethod
    def close(room: int): ...


@pytest.mark.parametrize(
    ("handler", "names"),
    [
        (Desk().book, ["room"]),
        (Desk(), ["room"]),
        (Desk.open, ["room"]),
        (Desk.close, ["room"]),
        (functools.partial(Desk().book), ["room"]),
        (functools.partial(guest_or_order, a=Guest("Ann")), []),
        (functools.partial(both, "x"), ["second"]),
    ],
)
def test_whatever_can_be_called_has_a_schema(handler, names):
    assert tool(name="x", handler=handler).spec.parameters.get("required", []) == names


def stars(*names): ...
def keywords(**names): ...
def slash(a, /): ...
def unknown(a: Nowhere): ...  # noqa: F821
def broken(a: 1 + None): ...
def callback(a: Callable[[int], int]): ...
def foreign(a: pytest.Mark): ...
def method(self, a: int): ...


NO_TOOLS = [
    (stars, r"Tool 'stars' takes \*names, which a model cannot fill in: name its parameters\."),
    (keywords, r"Tool 'keywords' takes \*names"),
    (slash, r"Parameter 'a' of tool 'slash' is positional only: take away the slash\."),
    (unknown, r"An annotation of tool 'unknown' cannot be read: name 'Nowhere' is not defined; define that name outside"),
    (broken, r"An annotation of tool 'broken' is no type"),
    (callback, r"A parameter of tool 'callback' has a type that no schema can be made of"),
    (method, r"Tool 'method' takes self: make it of an object's method"),
    (len, r"Parameter 'obj' of tool 'len' is positional only"),
    (dict.fromkeys, r"positional only"),
]


@pytest.mark.parametrize(("function", "sentence"), NO_TOOLS, ids=[case[0].__name__ for case in NO_TOOLS])
def test_what_a_model_cannot_call_is_told_where_the_tool_is_made(function, sentence):
    with pytest.raises(ConfigError, match=sentence):
        tool(function)


def test_a_class_of_the_users_that_refuses_an_argument_is_a_sentence_for_the_model():
    def use(code: Fussy): ...

    with pytest.raises(ToolArgumentsError, match=r"code\.code: Value error, there is only A1"):
        received(use, {"code": {"code": "B2"}})
    with pytest.raises(ToolArgumentsError, match=r"The arguments of use do not fit: RuntimeError: no such code\."):
        received(use, {"code": {"code": "crash"}})


def test_unknown_arguments_are_refused_with_what_there_is():
    with pytest.raises(ToolArgumentsError, match=r"there is no argument 'town'; the arguments are: a\.$"):
        received(text, {"a": "x", "town": 1})
    with pytest.raises(ToolArgumentsError, match=r"there is no argument 'town'; the arguments are: none\.$"):
        bound(Tool("idle", handler=lambda: None), {"town": 1})


def test_what_the_caller_said_does_not_stand_in_the_error():
    with pytest.raises(ToolArgumentsError) as refused:
        received(whole, {"a": "my card is 4111"})
    assert "4111" not in str(refused.value)
