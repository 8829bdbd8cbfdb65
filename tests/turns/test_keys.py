"""Keys of the telephone: words that are pressed."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import CancelReply, RecordEvent, StartReply
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    CallerHungUp,
    DtmfReceived,
    HangUpRequested,
    MuteRequested,
    ProviderReplyStarted,
    ReplyGenerated,
    SayRequested,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    TranscriptionFailed,
)
from patter_nb.turns.messages import Message


def press(call, at, keys):
    """One key every 0.2 s from `at` on."""
    commands = []
    for number, key in enumerate(keys):
        commands += call.tell(at + 0.2 * number, DtmfReceived(key))
    return commands


def presses(call, *keys):
    for at, digit in keys:
        call.tell(at, DtmfReceived(digit))
    return call


def answered_at(call):
    """When each answer to the caller was ordered."""
    return [at for at, command in call.log if isinstance(command, StartReply) and command.kind == "answer"]


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


def test_how_long_another_key_is_waited_for_is_a_number_of_the_policy(talk):
    call = presses(talk(keys_seconds=2.5), (1.0, "1"), (3.4, "2"))
    call.wait(9.0)
    assert answered_at(call) == [5.9]
    assert call.replies[0].messages == (Message("user", "[DTMF: 12]"),)


def test_what_is_pressed_after_the_last_key_is_another_utterance(talk):
    call = presses(talk(), (1.0, "1"), (1.1, "#"), (1.2, "5"))
    call.wait(9.0)
    assert call.replies[-1].messages == (Message("user", "[DTMF: 1#] [DTMF: 5]"),)
    assert answered_at(call) == [1.1, 2.2]


def test_a_row_of_keys_knows_of_no_speech(talk):
    call = presses(talk(), (1.0, "1"))
    call.wait(2.0)
    call.made(2.1, 1, "One it is.", seconds=1.0)
    call.heard(3.2, 1, 1.0)
    (row,) = call.rows
    assert (row.kind, row.turn, row.caller_text, row.heard_text) == ("caller", 1, "[DTMF: 1]", "One it is.")
    assert not {"speech_started_at", "speech_ended_at", "vad_stopped_at", "stt_final_at"} & set(row.instants)
    assert row.instants["endpointed_at"] == 2.0


def test_keys_of_two_turns_are_two_utterances_however_soon_they_follow(talk):
    call = presses(talk(keys_seconds=0.5), (1.0, "1"))
    call.wait(1.5)
    call.made(1.5, 1, "One.", seconds=0.1)
    call.heard(1.6, 1, 0.1)
    presses(call, (1.6, "2"))
    call.wait(9.0)
    assert [(order.turn, order.messages[-1].content) for order in call.replies] == [(1, "[DTMF: 1]"), (2, "[DTMF: 2]")]


def test_keys_of_a_caller_who_speaks_are_answered_with_their_words(talk):
    call = talk(keys_seconds=0.2)
    call.tell(1.0, SpeechStarted(1.0), DtmfReceived("1"))
    call.wait(2.0)
    assert call.replies == []
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.25, "is my number")
    call.wait(9.0)
    assert answered_at(call) == [2.32]
    assert call.replies[0].messages == (Message("user", "[DTMF: 1] is my number"),)


def test_the_silence_after_a_word_is_not_granted_to_a_key(talk):
    call = talk()
    call.voice(1.0, 1.3)
    presses(call, (1.5, "4"))
    call.final(1.55, "my number is")
    call.wait(9.0)
    assert answered_at(call) == [2.5]


@pytest.mark.parametrize("told", [SpeechStopped(1.5), None])
def test_another_key_is_waited_for_though_the_caller_has_fallen_silent(talk, told):
    call = talk()
    call.tell(1.1, DtmfReceived("4"))
    if told:
        call.tell(1.3, SpeechStarted(1.2), SpeechContinued(1.5))
        call.tell(1.6, told)
    call.final(1.65, "four")
    call.wait(9.0)
    assert answered_at(call) == [2.1]


def test_the_last_key_does_not_wait_but_words_on_their_way_are_waited_for(talk):
    call = talk()
    call.voice(1.0, 1.3)
    presses(call, (1.55, "4"), (1.6, "#"))
    call.wait(1.9)
    assert call.replies == []
    call.final(2.0, "it is")
    assert answered_at(call) == [2.0]


def test_a_key_needs_no_recogniser(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    call.tell(2.2, SpeechStopped(2.0), TranscriptionFailed("down"), DtmfReceived("1"))
    call.wait(9.0)
    assert [order.kind for order in call.replies] == ["answer"]


def test_a_key_opens_the_turn_in_which_a_voice_over_the_agent_goes_on(talk):
    call = speaking(talk())
    call.tell(4.1, SpeechStarted(4.0))
    call.final(4.15, "no")
    call.tell(4.2, DtmfReceived("0"))
    call.wait(5.5)
    assert len(call.replies) == 1
    call.tell(5.7, SpeechStopped(5.5))
    call.final(5.8, "please")
    call.wait(6.0)
    assert call.replies[-1].messages[-1] == Message("user", "no [DTMF: 0] please")


def test_keys_at_the_end_of_an_agent_that_must_not_be_interrupted_are_waited_for(talk):
    call = presses(speaking(talk(barge_in_seconds=None)), (4.5, "1"))
    call.heard(5.0, 1, 2.0)
    presses(call, (5.2, "2"))
    call.wait(9.0)
    assert answered_at(call) == [2.32, 6.2]
    assert call.replies[-1].messages[-1] == Message("user", "[DTMF: 12]")


def test_what_is_to_be_said_waits_for_keys_as_it_does_for_words(talk):
    call = presses(talk(), (1.0, "1"))
    call.tell(1.2, SayRequested("By the way."))
    call.wait(2.0)
    assert [order.kind for order in call.replies] == ["answer"]


def test_keys_told_to_a_muted_agent_stand_in_a_row_that_nobody_answers(talk):
    call = talk()
    call.tell(1.0, MuteRequested(True), DtmfReceived("1"))
    call.wait(2.0)
    assert [(row.kind, row.caller_text, row.reply) for row in call.rows] == [("caller", "[DTMF: 1]", 0)]


def test_a_hang_up_from_outside_does_not_lose_keys(talk):
    call = presses(talk(), (1.0, "1"))
    call.tell(1.2, HangUpRequested("enough"))
    assert [row.caller_text for row in call.rows] == ["[DTMF: 1]"]


def test_keys_after_the_caller_hung_up_are_none_of_theirs(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), CallerHungUp())
    assert call.tell(1.1, DtmfReceived("1")) == []


def test_where_a_provider_ends_turns_keys_are_answered_all_the_same(talk):
    call = presses(talk(ends_turns="provider"), (1.0, "1"))
    call.wait(9.0)
    assert answered_at(call) == [2.0]
