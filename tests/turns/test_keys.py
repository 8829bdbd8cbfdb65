"""Keys of the telephone: words that are pressed."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import CancelReply, RecordEvent
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    DtmfReceived,
    HangUpRequested,
    ProviderReplyStarted,
    ReplyGenerated,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
)
from patter_nb.turns.messages import Message


def press(call, at, keys):
    """One key every 0.2 s from `at` on."""
    commands = []
    for number, key in enumerate(keys):
        commands += call.tell(at + 0.2 * number, DtmfReceived(key))
    return commands


def speaking(call):
    """Reply 1 is heard from 3.0 to 5.0 s."""
    call.caller(1.0, 2.0, "hello")
    call.made(2.6, 1, "Press one for dinner.")
    call.heard(3.5, 1, 0.5)
    return call


def test_keys_that_follow_each_other_are_one_utterance_and_are_answered(talk):
    call = talk()
    press(call, 1.0, "12")
    assert call.wait(2.19) == []
    (order,) = call.wait(2.2)
    assert order.messages == (Message("user", "[DTMF: 12]"),)
    assert call.events("dtmf_received") == [{"digit": "1"}, {"digit": "2"}]


def test_the_hash_key_ends_what_is_entered(talk):
    call = talk()
    press(call, 1.0, "7#")
    assert [reply.messages[-1].content for reply in call.replies] == ["[DTMF: 7#]"]
    assert call.now == 1.2


def test_keys_that_come_later_are_an_utterance_of_their_own(talk):
    call = talk(keys_seconds=0.1)
    call.tell(0.5, SpeechStarted(0.5))
    press(call, 1.0, "12")
    call.voice(2.0, 2.5)
    call.final(2.8, "please")
    call.wait(3.0)
    assert call.replies[0].messages[-1].content == "[DTMF: 1] [DTMF: 2] please"


def test_a_key_within_the_time_counts_to_the_very_end_of_it(talk):
    call = talk()
    call.tell(0.5, SpeechStarted(0.5))
    call.tell(1.0, DtmfReceived("1"))
    call.tell(2.0, DtmfReceived("2"))
    call.tell(3.1, DtmfReceived("3"))
    call.voice(3.2, 4.0)
    call.final(4.3, "")
    call.wait(6.0)
    assert call.replies[0].messages[-1].content == "[DTMF: 12] [DTMF: 3]"


def test_words_between_keys_part_them(talk):
    call = talk()
    call.tell(0.5, SpeechStarted(0.5))
    call.tell(1.0, DtmfReceived("1"))
    call.final(1.1, "or rather")
    call.tell(1.2, DtmfReceived("2"))
    call.voice(1.3, 1.5)
    call.final(1.8, "")
    call.wait(3.0)
    assert call.replies[0].messages[-1].content == "[DTMF: 1] or rather [DTMF: 2]"


def test_a_key_interrupts_an_agent_that_is_heard_at_once(talk):
    call = speaking(talk())
    commands = call.tell(4.0, DtmfReceived("1"))
    assert commands[:2] == [RecordEvent("dtmf_received", {"digit": "1"}), CancelReply(1, 0.5)]
    assert call.events("barge_in")[0]["started_at"] == 4.0
    (order,) = [each for each in call.wait(5.0) if type(each).__name__ == "StartReply"]
    assert order.messages[-1].content == "[DTMF: 1]"


def test_a_key_takes_back_an_answer_of_which_nothing_was_heard(talk):
    call = talk()
    call.caller(1.0, 2.0, "hello")
    call.tell(2.6, DtmfReceived("5"))
    call.wait(3.6)
    assert [reply.messages[-1].content for reply in call.replies] == ["hello", "hello [DTMF: 5]"]
    assert call.events("resumed")


@pytest.mark.parametrize(("policy", "greeting"), [({"barge_in_seconds": None}, ""), ({}, "Welcome!")])
def test_where_a_key_cannot_interrupt_it_is_answered_afterwards(talk, policy, greeting):
    call = talk(greeting, **policy)
    if greeting:
        call.made(0.1, 1, greeting)
        call.tell(0.2, DtmfReceived("1"))
        call.heard(2.0, 1, 2.0)
    else:
        speaking(call)
        call.tell(4.0, DtmfReceived("1"))
        call.heard(5.0, 1, 2.0)
    call.wait(6.0)
    assert not call.events("barge_in")
    assert call.replies[-1].messages[-1].content == "[DTMF: 1]"


def test_a_goodbye_is_said_to_its_end_and_the_key_stands_beside_it(talk):
    call = talk()
    call.tell(1.0, HangUpRequested("done", "Goodbye."))
    call.tell(1.1, SegmentReady(1, 0, "Goodbye."), SegmentSynthesized(1, 0, 1.0), ReplyGenerated(1), AudioHeard(1, 0, 0.2, 1.1))
    call.tell(1.2, DtmfReceived("9"))
    call.heard(2.0, 1, 1.0)
    (row,) = call.rows
    assert (row.kind, row.overlap_text, row.interrupted) == ("goodbye", "[DTMF: 9]", False)


def test_a_voice_that_is_on_ends_the_turn_by_its_own_rules(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), SpeechContinued(1.3))
    call.tell(1.4, DtmfReceived("#"))
    assert call.wait(5.0) == []


def test_whoever_answers_by_itself_is_only_told(talk):
    call = talk(ends_turns="provider", begins_replies="provider")
    assert call.tell(1.0, DtmfReceived("1")) == [RecordEvent("dtmf_received", {"digit": "1"})]
    call.tell(2.0, ProviderReplyStarted("r"))
    assert call.engine.messages == ()


def test_keys_before_the_answer_wait_for_it(talk):
    engine = talk().engine.__class__()
    engine.receive(DtmfReceived("1"), 0.5)
    engine.receive(CallAnswered(""), 1.0)
    (order,) = engine.handle_timer(1.5)
    assert order.messages[-1].content == "[DTMF: 1]"
