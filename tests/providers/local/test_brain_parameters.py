"""What one argument looks like, how it is asked for, and what an answer to that says."""

from __future__ import annotations

import pytest

from patter_nb.providers.base import ToolSpec
from patter_nb.providers.local.brain_parameters import Parameter, parameters, words_of


def of(schema, *, name="size", required=True):
    spec = ToolSpec("tool", "", {"type": "object", "properties": {name: schema}, "required": [name] if required else []})
    (parameter,) = parameters(spec)
    return parameter


STRING, WHOLE, ANY_NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
SIZES = {"type": "string", "enum": ["small", "extra_large", "large"]}
TOPPINGS = {"type": "array", "items": {"type": "string", "enum": ["ham", "olives"]}}

KINDS = [
    (STRING, Parameter("size", "string", True)),
    ({}, Parameter("size", "string", True)),
    ({"type": "integer", "minimum": 1, "maximum": 4}, Parameter("size", "integer", True, (), 1.0, 4.0)),
    (SIZES, Parameter("size", "choice", True, ("small", "extra_large", "large"))),
    ({"enum": [1, 2]}, Parameter("size", "choice", True, (1, 2))),
    ({"const": "pizza"}, Parameter("size", "choice", True, ("pizza",))),
    (TOPPINGS, Parameter("size", "array", True, ("ham", "olives"))),
    ({"type": "array", "items": STRING}, Parameter("size", "array", True)),
    ({"type": "array", "items": {"type": "object"}}, Parameter("size", "object", True)),
    ({"type": "object"}, Parameter("size", "object", True)),
    ({"$ref": "#/$defs/Node"}, Parameter("size", "object", True)),
    ({"anyOf": [WHOLE, {"type": "null"}]}, Parameter("size", "integer", True)),
    ({"anyOf": [{"type": "null"}, SIZES]}, Parameter("size", "choice", True, ("small", "extra_large", "large"))),
    ({"type": ["null", "number"]}, Parameter("size", "number", True)),
]


@pytest.mark.parametrize(("schema", "expected"), KINDS)
def test_what_a_schema_says(schema, expected):
    assert of(schema) == expected


def test_what_is_not_required_is_not():
    assert not of(STRING, required=False).required


@pytest.mark.parametrize(("name", "words"), [("order_id", "order id"), ("partySize", "party size"), ("X-Day", "x day")])
def test_names_are_said_as_words(name, words):
    assert words_of(name) == words


QUESTIONS = [
    (STRING, "order_id", "What is the order id?"),
    (WHOLE, "party_size", "What is the party size?"),
    (WHOLE, "nights", "How many nights?"),
    (WHOLE, "people", "How many people?"),
    (WHOLE, "status", "What is the status?"),
    (FLAG, "with_breakfast", "Yes or no: with breakfast?"),
    (SIZES, "size", "What is the size: small, extra large or large?"),
    (TOPPINGS, "toppings", "What are the toppings: ham or olives?"),
    ({"enum": ["only"]}, "size", "What is the size?"),
    ({"enum": list("abcdef")}, "letter", "What is the letter?"),
]


@pytest.mark.parametrize(("schema", "name", "question"), QUESTIONS)
def test_how_it_is_asked_for(schema, name, question):
    assert of(schema, name=name).question == question


ANSWERS = [
    (STRING, "city", "It's Paris.", "Paris"),
    (STRING, "city", "um, in New York please", "New York"),
    (STRING, "city", "My city is Rome, thanks.", "Rome"),
    (STRING, "city", "What do you mean?", None),
    (STRING, "city", "When is dinner", None),
    (STRING, "city", "please", None),
    (STRING, "city", "well that is a rather long story that nobody here wants to hear", None),
    (STRING, "name", "I'm John Smith.", "John Smith"),
    (STRING, "message", "I am late", "I am late"),
    (STRING, "order_id", "It's one two three four.", "1234"),
    (STRING, "order_id", "5 5 0 1 2", "55012"),
    (STRING, "order_id", "that would be A-17", "A-17"),
    (STRING, "order_id", "the blue book", "blue book"),
    (STRING, "phone", "+1 555 010 9999", "+1 555 010 9999"),
    (STRING, "phone_number", "five five five one two three four", "5551234"),
    (STRING, "email", "jo.doe@example.com, please", "jo.doe@example.com"),
    (STRING, "day", "on Friday", "Friday"),
    (STRING, "date", "the 5th of May please", "the 5th of May"),
    (STRING, "date", "next Monday", "next Monday"),
    (STRING, "date", "June fifth", "June fifth"),
    (STRING, "time", "at seven", "seven"),
    (STRING, "time", "7:30", "7:30"),
    (STRING, "time", "about 7 p.m.", "7 p.m."),
    (STRING, "time", "seven thirty in the evening", "seven thirty in the evening"),
    (STRING, "time", "ten o'clock", "ten o'clock"),
    (STRING, "time", "noon", "noon"),
    (WHOLE, "people", "Four people.", 4),
    (WHOLE, "people", "It's twenty one.", 21),
    (WHOLE, "people", "Some.", None),
    (WHOLE, "people", "2.5", None),
    ({"type": "integer", "minimum": 1, "maximum": 8}, "people", "twelve", None),
    (ANY_NUMBER, "amount", "2.5", 2.5),
    (FLAG, "breakfast", "Yes please", True),
    (FLAG, "breakfast", "with breakfast", True),
    (FLAG, "breakfast", "without breakfast", False),
    (FLAG, "breakfast", "No.", False),
    (FLAG, "breakfast", "Perhaps", None),
    (SIZES, "size", "An extra large one", "extra_large"),
    (SIZES, "size", "The large one", "large"),
    (SIZES, "size", "medium", None),
    ({"enum": [1, 2]}, "size", "number 2", 2),
    (TOPPINGS, "toppings", "ham and olives", ["ham", "olives"]),
    (TOPPINGS, "toppings", "olive", ["olives"]),
    (TOPPINGS, "toppings", "cheese", None),
    ({"type": "array", "items": STRING}, "guests", "Tom and Ann", ["Tom and Ann"]),
]


@pytest.mark.parametrize(("schema", "name", "text", "value"), ANSWERS)
def test_what_an_answer_says(schema, name, text, value):
    found = of(schema, name=name).answered(text)
    assert found == value
    assert type(found) is type(value)
