"""The arguments of a request: found by name, by number or by shape, each once."""

from __future__ import annotations

import pytest

from patter_nb.providers.base import ToolSpec
from patter_nb.providers.local.brain_arguments import filled, missing, told_beside
from patter_nb.providers.local.brain_parameters import parameters

STRING, WHOLE, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


def tool(name, description, /, optional=(), **properties):
    required = [each for each in properties if each not in optional]
    return ToolSpec(name, description, {"type": "object", "properties": properties, "required": required})


WEATHER = tool("get_weather", "Get the current weather in a city.", city=STRING)
PRICE = tool("product_price", "Tell the price of a product.", product=STRING)
STATUS = tool("order_status", "Look up the status of an order.", order_id=STRING)
TABLE = tool("book_table", "Book a table.", day=STRING, time=STRING, people=WHOLE)
ROOM = tool(
    "check_room",
    "Whether a room is available.",
    optional=("breakfast", "nights", "adults"),
    kind={"enum": ["single", "double"]},
    breakfast=FLAG,
    nights=WHOLE,
    adults=WHOLE,
)
CANCEL = tool("cancel_booking", "Cancel a booking.", name=STRING)
MESSAGE = tool("leave_message", "Leave a message for somebody.", subject=STRING, text=STRING)
FIXED = tool("order", "Order.", item={"const": "pizza"}, count={"type": "integer", "minimum": 1, "maximum": 9})
GUESTS = tool("count_guests", "Count.", adults=WHOLE, children=WHOLE)
NONE = tool("hours", "The hours of the spa.")

REQUESTS = [
    (WEATHER, "What's the weather like in New York today?", {"city": "New York"}),
    (WEATHER, "What's the weather?", {}),
    (WEATHER, "Paris weather please", {"city": "Paris"}),
    (WEATHER, "How is the weather for Berlin, and is it cold?", {"city": "Berlin"}),
    (WEATHER, "My city is Rome and I need the weather", {"city": "Rome"}),
    (PRICE, "Tell me the price of a green tea", {"product": "green tea"}),
    (PRICE, "What's the price of the product number 17?", {"product": "17"}),
    (STATUS, "What is the status of order 1234?", {"order_id": "1234"}),
    (STATUS, "Where is order A-17?", {"order_id": "A-17"}),
    (STATUS, "The status of order one two three, please", {"order_id": "123"}),
    (STATUS, "Where is my order?", {}),
    (TABLE, "A table for four on Friday at seven", {"day": "Friday", "time": "seven", "people": 4}),
    (TABLE, "A table tomorrow at noon for twenty people", {"day": "tomorrow", "time": "noon", "people": 20}),
    (TABLE, "A table", {}),
    (ROOM, "Is a double room available for three nights with breakfast?", {"kind": "double", "breakfast": True, "nights": 3}),
    (ROOM, "A single, no breakfast, two adults, 5 nights", {"kind": "single", "breakfast": False, "nights": 5, "adults": 2}),
    (ROOM, "Are 7 single rooms there?", {"kind": "single"}),
    (ROOM, "A single, but I don't want any breakfast", {"kind": "single", "breakfast": False}),
    (GUESTS, "2 and 3", {"adults": 2, "children": 3}),
    (GUESTS, "three children, 2 adults", {"adults": 2, "children": 3}),
    (GUESTS, "only 2", {"adults": 2}),
    (CANCEL, "Cancel the booking for Sarah Connor please", {"name": "Sarah Connor"}),
    (CANCEL, "My name is John Smith, cancel my booking", {"name": "John Smith"}),
    (CANCEL, "Cancel my booking", {}),
    (MESSAGE, "Leave a message for Tom", {}),
    (FIXED, "Twelve or three of them", {"item": "pizza", "count": 3}),
    (NONE, "What are the hours?", {}),
]


@pytest.mark.parametrize(("spec", "text", "values"), REQUESTS)
def test_what_a_request_holds(spec, text, values):
    assert filled(spec, text) == values


def test_what_is_missing_is_told_in_the_tools_own_order():
    assert [each.name for each in (missing(TABLE, {}), missing(TABLE, {"day": "today"})) if each] == ["day", "time"]
    assert missing(TABLE, {"day": "today", "time": "noon", "people": 2}) is None
    assert missing(ROOM, {"kind": "single"}) is None
    assert missing(NONE, {}) is None


def test_an_answer_tells_more_than_it_was_asked_for_but_no_plain_string():
    assert told_beside(parameters(TABLE), "Friday at noon for two") == {"day": "Friday", "time": "noon", "people": 2}
    assert told_beside(parameters(WEATHER), "in Paris") == {}
