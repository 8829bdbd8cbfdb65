"""Dialogues with tools: which one the demo brain asks for, with what, what it asks the caller, and what it says of results."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.providers.base import CallContext, TextDelta, ToolSpec
from patter_nb.providers.local.brain import NOT_KNOWN, PROGRAM, DemoBrain, answer, respond
from patter_nb.providers.local.brain_tools import CONNECTING, DID_NOT_WORK, DONE, in_words
from patter_nb.turns.messages import Message, ToolRequest

HOTEL = """You are Mia, the receptionist of the Acme Hotel. Be brief and friendly. Never promise a discount.
Dinner is served from six to ten. Breakfast is served from seven to eleven on the terrace.
A double room costs ninety five dollars a night, breakfast included. The pool is open until nine in the evening.
Parking is free for guests, behind the house. Dogs are welcome and stay for free.
If the caller asks for a human, transfer them to +1 555 000 1234."""
CLINIC = """You are the phone assistant of Northside Clinic. Keep it short.
We are open Monday to Friday from 8 a.m. to 6 p.m. A check-up costs 80 dollars. Parking is behind the building.
Transfer questions about bills to +44 20 7946 0001. Transfer callers with an emergency to +44 20 7946 0002."""

DINNER = "Dinner is served from six to ten."
ROOM = "A double room costs ninety five dollars a night, breakfast included."
POOL = "The pool is open until nine in the evening."
OPEN = "We are open Monday to Friday from 8 a.m. to 6 p.m."
SHIPPED = "It has been shipped."

STRING, WHOLE, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


def tool(spec_name: str, description: str, optional: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    required = [each for each in properties if each not in optional]
    return ToolSpec(spec_name, description, {"type": "object", "properties": properties, "required": required})


TRANSFER = tool("transfer_call", "Hand the call to another phone number.", number=STRING)
END = tool("end_call", "End the call, once the caller has nothing more to ask or says goodbye.", ("reason",), reason=STRING)
STATUS = tool("order_status", "Look up the status of an order.", order_id=STRING)
TOOLS = (
    STATUS,
    tool("book_table", "Book a table in the restaurant.", day=STRING, time=STRING, people=WHOLE),
    tool("get_weather", "Get the current weather in a city.", city=STRING),
    tool(
        "check_room",
        "Whether a room of this kind is available.",
        ("nights", "breakfast"),
        kind={"enum": ["single", "double", "suite"]},
        nights=WHOLE,
        breakfast=FLAG,
    ),
    tool("cancel_booking", "Cancel a booking.", name=STRING),
    tool(
        "order_pizza",
        "Order a pizza.",
        ("count",),
        size={"enum": ["small", "large"]},
        toppings={"type": "array", "items": {"enum": ["ham", "cheese", "olives"]}},
        count=WHOLE,
    ),
    tool("spa_hours", "The opening hours of the spa."),
    tool("send_brochure", "Send the brochure by email.", email=STRING),
    tool(
        "schedule_appointment",
        "Schedule an appointment.",
        patient_name=STRING,
        date=STRING,
        reason={"enum": ["checkup", "x-ray"]},
    ),
    tool("cancel_appointment", "Cancel an appointment.", appointment_id=WHOLE),
    tool("account_balance", "Tell the balance of an account.", account_number=STRING),
    tool("convert_currency", "Convert an amount of pounds into another currency.", amount=WHOLE, target={"enum": ["EUR", "USD"]}),
    tool("search_product", "Search for a product in the shop.", ("in_stock",), query=STRING, in_stock=FLAG),
    tool("unfillable", "Order the weather room table.", thing={"type": "object"}),
    TRANSFER,
    END,
)


@dataclass(frozen=True)
class Asked:
    """The tool that is expected after a line, and its arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    before: str = ""


def call(spec_name: str, before: str = "", **arguments: Any) -> Asked:
    return Asked(spec_name, arguments, before)


def talk(prompt: str, *lines: str, tools: tuple[ToolSpec, ...] = TOOLS, result: str = SHIPPED) -> list[str | Asked]:
    """What comes after each line: an answer, or a tool, whose result is said."""
    messages, came = [Message("system", prompt)], []
    for line in lines:
        messages.append(Message("user", line))
        text, wanted = respond(messages, tools)
        came.append(text if wanted is None else Asked(wanted.name, dict(wanted.arguments), text))
        if wanted is not None:
            request = ToolRequest(f"t{len(messages)}", wanted.name, json.dumps(wanted.arguments))
            messages += [Message("assistant", text, (request,)), Message("tool", result, tool_id=request.id)]
            text, wanted = respond(messages, tools)
            assert wanted is None
        messages.append(Message("assistant", text))
    return came


DIALOGUES: list[tuple[str, list[tuple[str, str | Asked]]]] = [
    (HOTEL, [("What is the status of order 1234?", call("order_status", order_id="1234"))]),
    (
        HOTEL,
        [("Where is my order?", "What is the order id?"), ("It's one two three four.", call("order_status", order_id="1234"))],
    ),
    (HOTEL, [("Can I book a table for four on Friday at seven?", call("book_table", day="Friday", time="seven", people=4))]),
    (
        HOTEL,
        [
            ("I'd like to book a table.", "What is the day?"),
            ("Friday, please.", "What is the time?"),
            ("At 7 pm", "How many people?"),
            ("Four.", call("book_table", day="Friday", time="7 pm", people=4)),
            ("Thanks, bye", "You're welcome. Goodbye!"),
        ],
    ),
    (
        HOTEL,
        [
            ("I'd like to book a table.", "What is the day?"),
            ("Tomorrow at noon for two", call("book_table", day="Tomorrow", time="noon", people=2)),
        ],
    ),
    (
        HOTEL,
        [
            ("What's the weather like in New York today?", call("get_weather", city="New York")),
            ("And when is dinner?", DINNER),
            ("What is the weather?", "What is the city?"),
            ("Paris", call("get_weather", city="Paris")),
        ],
    ),
    (
        HOTEL,
        [
            (
                "Is a double room available for three nights with breakfast?",
                call("check_room", kind="double", nights=3, breakfast=True),
            )
        ],
    ),
    (
        HOTEL,
        [
            ("Is a room available?", "What is the kind: single, double or suite?"),
            ("A suite, please.", call("check_room", kind="suite")),
        ],
    ),
    (HOTEL, [("Is there a double room without breakfast available?", call("check_room", kind="double", breakfast=False))]),
    (HOTEL, [("How much is a double room?", ROOM)]),
    (HOTEL, [("Cancel my booking please.", "What is the name?"), ("I'm John Smith.", call("cancel_booking", name="John Smith"))]),
    (HOTEL, [("Please cancel the booking for Sarah Connor.", call("cancel_booking", name="Sarah Connor"))]),
    (
        HOTEL,
        [("I want to order a large pizza with ham and olives.", call("order_pizza", size="large", toppings=["ham", "olives"]))],
    ),
    (HOTEL, [("What are the opening hours of the spa?", call("spa_hours")), ("When does the pool open?", POOL)]),
    (
        HOTEL,
        [
            ("Send me the brochure by email", "What is the email?"),
            ("jo@example.com", call("send_brochure", email="jo@example.com")),
        ],
    ),
    (HOTEL, [("Where is my order?", "What is the order id?"), ("When is dinner?", DINNER), ("Bye", "Goodbye!")]),
    (HOTEL, [("Where is my order?", "What is the order id?"), ("Oh, never mind.", NOT_KNOWN)]),
    (HOTEL, [("When is dinner, and where is my order 77?", call("order_status", DINNER, order_id="77"))]),
    (HOTEL, [("Do you have a gym?", NOT_KNOWN), ("Goodbye!", "Goodbye!")]),
    (HOTEL, [("Please end the call.", NOT_KNOWN)]),
    (HOTEL, [("Can I speak to a human please?", call("transfer_call", number="+15550001234"))]),
    (HOTEL, [("Operator!", call("transfer_call", number="+15550001234"))]),
    (HOTEL, [("Are you a real person?", PROGRAM)]),
    (
        CLINIC,
        [
            ("I need an appointment for an x-ray on Tuesday.", "What is the patient name?"),
            ("Peter Miller", call("schedule_appointment", patient_name="Peter Miller", date="Tuesday", reason="x-ray")),
        ],
    ),
    (
        CLINIC,
        [
            (
                "Can you schedule a checkup for Anna Lee next Monday?",
                call("schedule_appointment", patient_name="Anna Lee", date="next Monday", reason="checkup"),
            )
        ],
    ),
    (CLINIC, [("Please cancel appointment number 42.", call("cancel_appointment", appointment_id=42))]),
    (
        CLINIC,
        [
            ("What's the balance of my account?", "What is the account number?"),
            ("It's 5 5 0 1 2", call("account_balance", account_number="55012")),
        ],
    ),
    (CLINIC, [("Convert 20 pounds to USD.", call("convert_currency", amount=20, target="USD"))]),
    (CLINIC, [("Do you have the product Aspirin?", call("search_product", query="Aspirin"))]),
    (CLINIC, [("What are your hours?", OPEN), ("How much is a check-up?", "A check-up costs 80 dollars.")]),
    (CLINIC, [("Can I talk to someone about my bills?", call("transfer_call", number="+442079460001"))]),
    (CLINIC, [("An emergency, put me through please.", call("transfer_call", number="+442079460002"))]),
]


@pytest.mark.parametrize(("prompt", "lines"), DIALOGUES, ids=[lines[0][0] for _, lines in DIALOGUES])
def test_dialogues(prompt: str, lines: list[tuple[str, str | Asked]]) -> None:
    assert talk(prompt, *(said for said, _ in lines)) == [expected for _, expected in lines]


GUESTS = tool("invite_guests", "Invite guests.", adults=WHOLE, children=WHOLE)
UNFILLABLE = tool("invite_guests", "Invite guests.", plan={"type": "object"})


def test_the_number_of_an_answer_is_taken_once() -> None:
    came = talk("You are Mia.", "Invite guests", "Two", "Three", tools=(GUESTS,))
    assert came == ["How many adults?", "How many children?", call("invite_guests", adults=2, children=3)]


def test_a_tool_that_no_rule_can_fill_is_not_asked_for() -> None:
    assert talk("You are Mia.", "Invite guests", tools=(UNFILLABLE,)) == [NOT_KNOWN]


@pytest.mark.parametrize(("line", "expected"), [("The order?", "Orders take a week."), ("My order?", call("orders"))])
def test_what_belongs_to_the_caller_is_rather_a_tools_business_than_the_notes(line: str, expected: str | Asked) -> None:
    assert talk("Orders take a week.", line, tools=(tool("orders", "Orders."),)) == [expected]


MISUNDERSTOOD: list[tuple[str, str, str | Asked]] = [
    (HOTEL, "I want to order two small pizzas with ham", call("order_pizza", size="small", toppings=["ham"], count=2)),
    (HOTEL, "Will it rain in Paris?", call("get_weather", city="Paris")),
    (CLINIC, "How much is fifty pounds in euros?", call("convert_currency", amount=50, target="EUR")),
    (CLINIC, "Search for running shoes", call("search_product", query="running shoes")),
    (CLINIC, "Could you book me in for an x-ray?", "What is the patient name?"),
]
"""What a caller means and no rule finds: an optional number without its name beside it, paraphrases, one word in common."""


@pytest.mark.xfail(strict=True, reason="rules over shared words")
@pytest.mark.parametrize(("prompt", "line", "expected"), MISUNDERSTOOD, ids=[line for _, line, _ in MISUNDERSTOOD])
def test_what_it_does_not_understand(prompt: str, line: str, expected: str | Asked) -> None:
    assert talk(prompt, line) == [expected]


# Results.

RESULTS = {
    SHIPPED: SHIPPED,
    "shipped yesterday": "Shipped yesterday.",
    '{"state_now": "shipped", "parcels": 2, "late": false, "by": null}': "State now: shipped, parcels: 2, late: no, by: nothing.",
    '{"rooms": [{"kind": "single", "free": true}, {"kind": "suite", "free": false}]}': (
        "Rooms: kind: single, free: yes and kind: suite, free: no."
    ),
    '["tea", "milk", "bread"]': "Tea, milk and bread.",
    "[]": "Nothing.",
    '"shipped"': "Shipped.",
    "42": "42.",
    "true": "Yes.",
    "null": "Nothing.",
    "": DONE,
    "{}": DONE,
    '{"error": "no such order"}': DID_NOT_WORK,
    '{"error": null, "state": "shipped"}': "Error: nothing, state: shipped.",
    "order_status raised KeyError: '1234'": DID_NOT_WORK,
    "order_status took longer than 10 s.": DID_NOT_WORK,
    "order_status answered with status 500.": DID_NOT_WORK,
    "order_status has no argument 'x'; it takes order_id.": DID_NOT_WORK,
    "The arguments of order_status do not fit: order_id: Input should be a valid integer.": DID_NOT_WORK,
    "order_id of order_status is 3; it must be of type string.": DID_NOT_WORK,
    "There is no tool named 'order_status'; the tools are: none.": DID_NOT_WORK,
    "What order_status returned cannot be told to the model: no": DID_NOT_WORK,
    "cancelled before it returned": DID_NOT_WORK,
    "There is no order 1234.": "There is no order 1234.",
}


def after(*results: str, name: str = "order_status", tools: tuple[ToolSpec, ...] = TOOLS) -> str:
    requests = tuple(ToolRequest(f"t{place}", name, "{}") for place in range(len(results)))
    messages = [
        Message("system", HOTEL),
        Message("user", "What is the status of order 1234?"),
        Message("assistant", "", requests),
        *(Message("tool", result, tool_id=request.id) for result, request in zip(results, requests, strict=True)),
    ]
    text, wanted = respond(messages, tools)
    assert wanted is None
    return text


@pytest.mark.parametrize(("result", "said"), RESULTS.items(), ids=list(RESULTS))
def test_what_it_says_of_a_result(result: str, said: str) -> None:
    assert after(result) == said


def test_several_results_are_said_in_their_order() -> None:
    assert after("One.", "Two.") == "One. Two."


def test_a_result_is_said_even_when_the_tools_are_gone() -> None:
    assert after("One.", tools=()) == "One."


@pytest.mark.parametrize(("result", "said"), [("The call is handed over.", CONNECTING), ("transfer_call failed", DID_NOT_WORK)])
def test_a_transfer_is_told_in_a_sentence_for_callers(result: str, said: str) -> None:
    assert after(result, name="transfer_call") == said


def test_what_came_after_a_result_is_answered() -> None:
    request = ToolRequest("t1", "order_status", "{}")
    messages = [
        Message("system", HOTEL),
        Message("user", "What is the status of order 1234?"),
        Message("assistant", "", (request,)),
        Message("tool", "cancelled before it returned", tool_id="t1"),
        Message("user", "When is dinner?"),
    ]
    assert respond(messages, TOOLS) == (DINNER, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
)


@given(JSON)
def test_every_result_can_be_said(value: Any) -> None:
    assert isinstance(in_words(value), str)
    assert after(json.dumps(value)).strip()


# Transfers.


@pytest.mark.parametrize(
    ("prompt", "description", "expected"),
    [
        ("You are Mia.", "Hand the call over.", PROGRAM),
        ("You are Mia. Our number is 555 0100.", "Hand the call over.", PROGRAM),
        ("You are Mia.", "Hand the call over to +49 30 901820, the front desk.", call("transfer_call", number="+4930901820")),
        ("You are Mia. People: +1 (555) 010-2222", "Hand the call over.", call("transfer_call", number="+15550102222")),
    ],
)
def test_a_transfer_needs_a_number_that_is_written_down(prompt: str, description: str, expected: str | Asked) -> None:
    spec = ToolSpec("transfer_call", description, TRANSFER.parameters)
    assert talk(prompt, "I want to talk to a human.", tools=(spec,)) == [expected]


WANTED = ["Transfer me.", "Connect me with sales", "put me through", "Could I speak with somebody?", "a real person please"]
NOT_WANTED = ["Are you a person?", "Is the manager in?", "How do I connect to the wifi?", "Is a transfer free?"]


@pytest.mark.parametrize("line", [*WANTED, *NOT_WANTED])
def test_who_wants_a_person(line: str) -> None:
    (came,) = talk(HOTEL, line)
    assert isinstance(came, Asked) is (line in WANTED)


def test_a_transfer_tool_of_another_form_is_left_alone() -> None:
    spec = tool("transfer_call", "Hand over to +1 555 000 1234.", department=STRING)
    assert talk(HOTEL, "A human please", tools=(spec,)) == [PROGRAM]


@pytest.mark.parametrize("line", ["Please end the call.", "Goodbye, nothing more.", "Hand the call to another phone number."])
def test_the_tools_of_the_call_are_never_chosen_by_their_words(line: str) -> None:
    (came,) = talk(CLINIC, line, tools=(TRANSFER, END))
    assert isinstance(came, str)


# Going on with a request.


def test_a_question_of_which_only_the_beginning_was_heard_is_answered_all_the_same() -> None:
    messages = [Message("system", HOTEL), Message("user", "Where is my order?"), Message("assistant", "What is")]
    messages.append(Message("user", "It's 1234."))
    _, wanted = respond(messages, TOOLS)
    assert wanted is not None
    assert wanted.arguments == {"order_id": "1234"}


def test_after_another_question_of_the_agents_nothing_is_filled_in() -> None:
    messages = [Message("system", HOTEL), Message("user", "Where is my order?"), Message("assistant", "In which town?")]
    assert respond([*messages, Message("user", "1234")], TOOLS) == (NOT_KNOWN, None)


def test_a_request_that_was_carried_out_is_over() -> None:
    came = talk(HOTEL, "What is the status of order 1234?", "1234")
    assert came[1:] == [NOT_KNOWN]


def test_without_tools_it_answers_as_ever() -> None:
    for line in ("When is dinner?", "Where is my order?", "A human please"):
        messages = [Message("system", HOTEL), Message("user", line)]
        assert respond(messages, ()) == (answer(messages), None)
    assert respond([Message("system", HOTEL)], TOOLS) == (answer([Message("system", HOTEL)]), None)


@given(st.text(max_size=60), st.text(max_size=30))
def test_whatever_is_said_arguments_fit_the_tool(line: str, following: str) -> None:
    for came in talk(HOTEL, line, f"order status room table weather {line}", following):
        if isinstance(came, Asked):
            spec = next(spec for spec in TOOLS if spec.name == came.name)
            assert set(spec.parameters["required"]) <= set(came.arguments) <= set(spec.parameters["properties"])
        else:
            assert came.strip()


# The stream.


def test_requests_come_after_the_words_each_under_its_own_id() -> None:
    async def events() -> list[list[object]]:
        async with DemoBrain().open(CallContext("call")) as stream:
            messages = [Message("system", HOTEL), Message("user", "When is dinner, and where is my order 77?")]
            return [[event async for event in stream.reply(messages, TOOLS)] for _ in range(2)]

    first, second = asyncio.run(events())
    assert first[:2] == [TextDelta("Dinner "), TextDelta("is ")]
    assert first[-2] == ToolRequest("demo-1", "order_status", '{"order_id": "77"}')
    assert second[-2] == ToolRequest("demo-2", "order_status", '{"order_id": "77"}')


def test_it_is_not_told_how_to_speak_on_a_telephone() -> None:
    assert DemoBrain.phone_preamble is False
