"""The demo brain quotes its prompt, changes with it, makes nothing up, and says what it is."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.providers.base import CallContext, TextDelta, ToolSpec
from patter_nb.providers.local.brain import (
    NOT_KNOWN,
    NOT_KNOWN_EITHER,
    NOTHING_MORE,
    PROGRAM,
    DemoBrain,
    answer,
    read_notes,
    stems,
)
from patter_nb.testing import check_llm
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price, Usage

HOTEL = """You are Mia, the receptionist of the Acme Hotel. Be brief and friendly. Never promise a discount.
Dinner is served from six to ten. Breakfast is served from seven to eleven on the terrace.
A double room costs ninety five dollars a night, breakfast included. The pool is open until nine in the evening.
Parking is free for guests, behind the house. Dogs are welcome and stay for free.
The nearest station is Market Street, five minutes on foot.
If the caller asks for the manager, say she is away."""
DENTIST = """You are the receptionist of Bright Smile Dental.
- We are open Monday to Friday from 8 a.m. to 5 p.m.
- A cleaning costs 95 dollars
- Our address is 12 Elm Street, next to the library.
Dr. Lee is our dentist. We accept Visa and most insurance plans. Your holiday times are 9 to noon. Your job is to help."""

DINNER = "Dinner is served from six to ten."
BREAKFAST = "Breakfast is served from seven to eleven on the terrace."
ROOM = "A double room costs ninety five dollars a night, breakfast included."
PARKING = "Parking is free for guests, behind the house."
PERSONA = "I'm Mia, the receptionist of the Acme Hotel."
OPEN = "We are open Monday to Friday from 8 a.m. to 5 p.m."
CLEANING = "A cleaning costs 95 dollars."
ADDRESS = "Our address is 12 Elm Street, next to the library."


def talk(prompt: str, *lines: str) -> list[str]:
    """The answers to a caller's lines, one after the other."""
    messages = [Message("system", prompt)]
    for line in lines:
        messages.append(Message("user", line))
        messages.append(Message("assistant", answer(messages)))
    return [message.content for message in messages if message.role == "assistant"]


FIRST_ANSWERS = {
    (HOTEL, "Hi, when is dinner?"): DINNER,
    (HOTEL, "hi when is dinner"): DINNER,
    (HOTEL, "And how much is a double room?"): ROOM,
    (HOTEL, "Is there a place to park my car?"): PARKING,
    (HOTEL, "Wait, can I bring my dog?"): "Dogs are welcome and stay for free.",
    (HOTEL, "How far is the station?"): "The nearest station is Market Street, five minutes on foot.",
    (HOTEL, "Do you have a swimming pool?"): "The pool is open until nine in the evening.",
    (HOTEL, "When is breakfast, and how much is a room?"): f"{BREAKFAST} {ROOM}",
    (HOTEL, "Hello?"): f"Hello! {PERSONA} How can I help?",
    (HOTEL, "Good evening!"): f"Hello! {PERSONA} How can I help?",
    (HOTEL, "Who am I speaking to?"): PERSONA,
    (HOTEL, "Are you a real person?"): PROGRAM,
    (HOTEL, "Great, thanks, goodbye."): "You're welcome. Goodbye!",
    (HOTEL, "Thank you so much."): "You're welcome.",
    (HOTEL, "Bye!"): "Goodbye!",
    (HOTEL, "Um"): "What would you like to know?",
    (HOTEL, "Do you have a gym?"): NOT_KNOWN,
    (HOTEL, "What is the capital of France?"): NOT_KNOWN,
    (HOTEL, "Can I have a discount?"): NOT_KNOWN,
    (HOTEL, "Is the manager there?"): NOT_KNOWN,
    (DENTIST, "What are your hours?"): OPEN,
    (DENTIST, "When are you open?"): OPEN,
    (DENTIST, "How much is a cleaning?"): CLEANING,
    (DENTIST, "Where are you?"): ADDRESS,
    (DENTIST, "Who is the dentist?"): "Dr. Lee is our dentist.",
    (DENTIST, "Do you take insurance?"): "We accept Visa and most insurance plans.",
    (DENTIST, "What are the times on a holiday?"): "Our holiday times are 9 to noon.",
    (DENTIST, "What does a cleaning cost and where are you?"): f"{CLEANING} {ADDRESS}",
}


@pytest.mark.parametrize(("case", "expected"), FIRST_ANSWERS.items(), ids=[line for _, line in FIRST_ANSWERS])
def test_what_it_answers(case: tuple[str, str], expected: str) -> None:
    assert talk(*case) == [expected]


def test_an_edit_of_the_prompt_changes_the_next_answer() -> None:
    edited = HOTEL.replace("six to ten", "seven to eleven").replace("Mia", "Leo")
    assert talk(edited, "When is dinner?") == ["Dinner is served from seven to eleven."]
    assert talk(edited, "What is your name?") == ["I'm Leo, the receptionist of the Acme Hotel."]
    assert talk(HOTEL.replace(DINNER, ""), "When is dinner?") == [NOT_KNOWN]


def test_a_fact_is_not_repeated_forever() -> None:
    assert talk(HOTEL, *["When is dinner?"] * 4) == [DINNER, f"As I said: {DINNER}", f"As I said: {DINNER}", NOTHING_MORE]


def test_a_second_unknown_question_in_a_row_gets_another_sentence() -> None:
    answers = talk(HOTEL, "Is there a gym?", "Is there a sauna?", "When is dinner?", "Is there a bank?")
    assert answers == [NOT_KNOWN, NOT_KNOWN_EITHER, DINNER, NOT_KNOWN]


def test_a_question_that_names_nothing_is_about_what_was_named_before() -> None:
    assert talk(DENTIST, "Do you do a cleaning?", "And how much is it?") == [CLEANING, f"As I said: {CLEANING}"]


def test_what_was_told_during_the_call_counts_as_well() -> None:
    messages = [
        Message("system", HOTEL),
        Message("user", "Hello"),
        Message("assistant", "Hello!"),
        Message("system", "The sauna opens at four."),
        Message("user", "When does the sauna open?"),
    ]
    assert answer(messages) == "The sauna opens at four."


def test_instructions_are_not_facts() -> None:
    notes = read_notes(HOTEL)
    assert notes.persona == PERSONA
    assert len(notes.facts) == 7
    assert not any(word in fact for fact in notes.facts for word in ("brief", "discount", "manager"))


def test_without_a_word_of_the_caller_it_greets() -> None:
    assert answer([Message("system", HOTEL)]) == f"Hello! {PERSONA} How can I help?"
    assert answer([]) == "Hello! How can I help?"


def test_words_lose_their_endings() -> None:
    assert stems("The dogs' parking places, served!") == {"dog", "park", "plac", "serv"}
    assert stems("What's the price?") == stems("prices")


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_is_said_the_answer_is_made_of_the_prompt_and_fixed_sentences(prompt: str, line: str) -> None:
    said = answer([Message("system", f"{HOTEL}\n{prompt}"), Message("user", line)])
    assert said.strip()
    notes = read_notes(f"{HOTEL}\n{prompt}")
    fixed = (NOT_KNOWN, PROGRAM, "Hello!", "How can I help?", "You're welcome.", "Goodbye!")
    for part in sorted((*notes.facts, notes.persona, *fixed), key=len, reverse=True):
        said = said.replace(part, "")
    assert said.replace("What would you like to know?", "").strip() == ""


def test_it_says_what_it_is() -> None:
    brain = DemoBrain()
    for text in (DemoBrain.__doc__ or "", repr(brain), brain._repr_html_()):
        assert "demo brain" in text
        assert "no language model" in text
    assert brain.price == Price()


def test_it_streams_words_and_reports_its_usage_once() -> None:
    async def events() -> list[object]:
        async with DemoBrain().open(CallContext("call")) as stream:
            messages = [Message("system", HOTEL), Message("user", "When is dinner?")]
            tool = ToolSpec("unused", "Is left unused.", {"type": "object"})
            return [event async for event in stream.reply(messages, (tool,))]

    *deltas, usage = asyncio.run(events())
    assert deltas == [TextDelta(word) for word in ("Dinner ", "is ", "served ", "from ", "six ", "to ", "ten.")]
    assert usage == Usage("llm", "local", "demo-brain")


def test_it_keeps_the_protocol() -> None:
    asyncio.run(check_llm(DemoBrain()))
