"""The conversation as it was heard."""

from __future__ import annotations

from patter_nb.turns.events import CallerHungUp, InjectRequested, InstantRecorded, SayRequested, SpeechContinued, SpeechStarted
from patter_nb.turns.messages import Message


def test_only_what_was_heard_is_remembered(talk):
    call = talk("Good evening, this is Acme.")
    call.made(0.1, 1, "Good evening, this is Acme.", seconds=2.7)
    assert call.conversation() == []
    call.heard(1.5, 1, 1.35)
    assert call.conversation() == [("assistant", "Good evening,")]
    call.heard(2.8, 1, 2.7)
    assert call.conversation() == [("assistant", "Good evening, this is Acme.")]


def test_a_reply_of_which_nothing_was_heard_leaves_no_message(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.made(2.5, 1, "At six.")
    call.tell(2.7, CallerHungUp())
    assert call.conversation() == [("user", "when")]


def test_the_words_of_a_turn_that_went_on_are_one_message(talk):
    call = talk()
    call.caller(1.0, 2.0, "when is")
    call.final(2.5, "dinner")
    assert call.conversation() == [("user", "when is dinner")]


def test_overlap_is_no_part_of_the_conversation(talk):
    call = talk("Good evening!")
    call.made(0.1, 1, "Good evening!")
    call.heard(1.0, 1, 0.9)
    call.final(1.5, "mhm")
    call.heard(2.2, 1, 2.0)
    assert call.conversation() == [("assistant", "Good evening!")]


def test_a_sound_without_words_is_no_part_of_the_conversation(talk):
    call = talk()
    call.caller(1.0, 2.0, "")
    assert call.conversation() == []


def test_what_the_caller_says_is_known_before_he_is_answered(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    call.final(1.5, "when is")
    assert call.conversation() == [("user", "when is")]


def test_injected_messages_stand_where_they_were_injected(talk):
    call = talk("Hi!")
    call.made(0.1, 1, "Hi!")
    call.heard(2.2, 1, 2.0)
    call.tell(3.0, InjectRequested("The kitchen is closed."))
    call.caller(4.0, 5.0, "when")
    assert call.engine.messages == (
        Message("assistant", "Hi!"),
        Message("system", "The kitchen is closed."),
        Message("user", "when"),
    )


def test_a_turn_stands_where_it_was_answered(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, SayRequested("Fire!", interrupt=True))
    call.made(2.6, 2, "Fire!", seconds=0.5)
    call.heard(3.2, 2, 0.5)
    call.made(3.5, 3, "At six.")
    call.heard(5.6, 3, 2.0)
    assert call.conversation() == [("assistant", "Fire!"), ("user", "when"), ("assistant", "At six.")]


def test_messages_only_grow_at_their_end(talk):
    """A model that caches the beginning of a prompt finds it again."""
    call = talk()
    for number, start in enumerate((1.0, 11.0, 21.0), start=1):
        call.caller(start, start + 1, f"question {number}")
        call.made(start + 2, number, f"Answer {number}.")
        call.heard(start + 5, number, 2.0)
    prompts = [order.messages for order in call.replies]
    assert [len(prompt) for prompt in prompts] == [1, 3, 5]
    assert prompts[1][:1] == prompts[0]
    assert prompts[2][:3] == prompts[1]


def test_an_interrupted_reply_is_remembered_as_far_as_it_was_heard(talk):
    call = talk("Good evening, this is Acme.")
    call.made(0.1, 1, "Good evening, this is Acme.", seconds=2.7)
    call.heard(1.5, 1, 1.35)
    call.tell(1.9, SpeechStarted(1.6), SpeechContinued(1.9), InstantRecorded(1, "cleared_at", 1.9))
    assert call.conversation() == [("assistant", "Good evening,")]
    assert call.rows[0].heard_text == "Good evening,"
