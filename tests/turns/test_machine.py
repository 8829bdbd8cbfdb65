"""Machines that answer: what is said to those that record, and nothing that changes for anybody else."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import CancelReply, ClearAudio, EndCall, RecordEvent, StartReply
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    BargeInConfirmed,
    CallAnswered,
    CallerHungUp,
    DtmfReceived,
    FinalReceived,
    HangUpRequested,
    LimitReached,
    MachineDetected,
    MuteRequested,
    ReplyFailed,
    SayRequested,
    SegmentReady,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    TransferRequested,
)
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.script import let_time_pass

MESSAGE = "This is the hotel. Please call us back."
BEEP = MachineDetected("machine", "machine_end_beep", 4200.0)


def dialled(talk, greeting="Hello!", **policy):
    """A call that was just answered, for which there is a message."""
    call = talk(**policy)
    call.engine = TurnEngine(TurnPolicy(**policy))
    call.tell(0.0, CallAnswered(greeting, MESSAGE))
    return call


def leaving(talk, **policy):
    """The message is heard from 3 s on, and has 4 s."""
    call = dialled(talk, **policy)
    call.tell(2.0, BEEP)
    call.made(2.2, 2, MESSAGE, seconds=4.0)
    call.heard(4.0, 2, 1.0)
    return call


def test_a_machine_that_records_gets_the_message_at_once_and_the_call_ends_after_it(talk):
    call = dialled(talk)
    call.made(0.1, 1, "Hello!")
    call.heard(1.0, 1, 0.5)
    commands = call.tell(1.5, BEEP)
    assert commands[:4] == [
        RecordEvent("machine_detected", {"classification": "machine", "raw": "machine_end_beep", "after_ms": 4200.0}),
        CancelReply(1, 0.5),
        ClearAudio(),
        RecordEvent("cut_off", {"turn": 0, "reply": 1, "reason": "reached a machine"}),
    ]
    assert commands[-1] == StartReply(2, 1, "said", (), MESSAGE)
    call.made(1.6, 2, MESSAGE, seconds=4.0)
    assert call.heard(4.0, 2, 2.0) == []
    assert call.heard(6.0, 2, 4.0)[-1] == EndCall("left a voicemail")
    assert call.events("voicemail") == [{"text": MESSAGE}]
    assert [(row.kind, row.heard_text) for row in call.rows] == [("greeting", ""), ("said", MESSAGE)]


@pytest.mark.parametrize("raw", ["machine_end_beep", "machine_end_silence", "machine_end_other"])
def test_every_way_in_which_its_greeting_may_end_counts(talk, raw):
    call = dialled(talk, greeting="")
    assert call.tell(1.0, MachineDetected("machine", raw))[-1].text == MESSAGE


OTHERS = [("human", "human"), ("unknown", "unknown"), ("fax", "fax"), ("machine", "machine_start"), ("human", "machine_end_beep")]


@pytest.mark.parametrize("verdict", OTHERS)
def test_any_other_verdict_is_told_and_changes_nothing(talk, verdict):
    call = dialled(talk)
    assert [type(command) for command in call.tell(1.0, MachineDetected(*verdict))] == [RecordEvent]
    assert call.events("machine_detected") == [{"classification": verdict[0], "raw": verdict[1], "after_ms": None}]
    assert [order.kind for order in call.replies] == ["greeting"]


def test_a_machine_whose_greeting_begins_gets_the_message_when_it_ends(talk):
    call = dialled(talk, greeting="")
    assert len(call.tell(1.0, MachineDetected("machine", "machine_start"))) == 1
    assert call.tell(2.0, BEEP)[-1].text == MESSAGE


def test_without_a_message_a_machine_is_talked_to_as_anybody(talk):
    call = talk("Hello!")
    assert [type(command) for command in call.tell(1.0, BEEP)] == [RecordEvent]
    call.made(1.1, 1, "Hello!")
    call.heard(3.2, 1, 2.0)
    assert call.engine.state == "waiting"


def test_a_verdict_that_comes_before_the_stream_is_kept_and_the_greeting_is_not_said():
    engine = TurnEngine()
    assert [type(command) for command in engine.receive(BEEP, 0.0)] == [RecordEvent]
    assert engine.receive(CallAnswered("Hello!", MESSAGE), 1.0) == [StartReply(1, 1, "said", (), MESSAGE)]
    other = TurnEngine()
    other.receive(MachineDetected("human", "human"), 0.0)
    assert other.receive(CallAnswered("Hello!", MESSAGE), 1.0) == [StartReply(1, 0, "greeting", (), "Hello!")]


NOISES = [
    (SpeechStarted(4.1), SpeechContinued(4.5), SpeechContinued(4.9)),
    (SpeechStarted(4.1), SpeechContinued(4.9), BargeInConfirmed()),
    (DtmfReceived("1"),),
    (SayRequested("Wait!", interrupt=True),),
    (MachineDetected("human", "human"), BEEP),
    (HangUpRequested("enough"), LimitReached("money"), TransferRequested("+1555")),
]


@pytest.mark.parametrize("confirm_seconds", [None, 0.5])
@pytest.mark.parametrize("noise", NOISES, ids=[type(case[0]).__name__ for case in NOISES])
def test_nothing_interrupts_the_message(talk, noise, confirm_seconds):
    call = leaving(talk, confirm_seconds=confirm_seconds)
    call.tell(5.0, *noise)
    call.wait(6.5)
    assert not call.engine.ended
    assert call.heard(7.0, 2, 4.0)[-1] == EndCall("left a voicemail")
    assert call.rows[-1].heard_text == MESSAGE
    assert len(call.replies) == 2


def test_what_the_machine_says_meanwhile_is_overlap(talk):
    call = leaving(talk)
    call.tell(5.0, SpeechStarted(4.1), SpeechContinued(4.8))
    call.tell(5.2, SpeechStopped(5.0), FinalReceived("press one"))
    call.heard(7.0, 2, 4.0)
    assert call.rows[-1].overlap_text == "press one"
    assert len(call.replies) == 2


def test_what_the_machine_said_before_is_not_answered(talk):
    call = dialled(talk, greeting="")
    call.voice(1.0, 2.0)
    call.tell(2.25, BEEP)
    call.final(2.3, "leave a message")
    call.made(2.4, 1, MESSAGE, seconds=4.0)
    assert call.heard(6.5, 1, 4.0)[-1] == EndCall("left a voicemail")
    assert [(row.kind, row.caller_text) for row in call.rows] == [("caller", "leave a message"), ("said", "")]
    assert len(call.replies) == 1


def test_a_message_may_be_longer_than_a_goodbye_but_not_endless(talk):
    call = dialled(talk, greeting="", goodbye_seconds=1.0)
    call.tell(1.0, BEEP)
    call.made(1.1, 1, MESSAGE, seconds=300.0)
    call.heard(1.5, 1, 0.1)
    assert call.wait(180.9) == []
    call.wait(181.1)
    assert call.commands[-1] == EndCall("reached a machine")
    assert call.events("voicemail") == []


def test_a_message_that_is_cut_off_by_the_machine_was_not_left(talk):
    call = leaving(talk)
    assert call.tell(5.0, CallerHungUp())[-1] == EndCall("caller hung up")
    assert (call.events("voicemail"), call.events("unsaid")) == ([], [])
    assert call.rows[-1].heard_text == "This is"


@pytest.mark.parametrize("failure", [ReplyFailed(1, "tts", "down"), CallerHungUp()])
def test_a_message_of_which_nothing_was_heard_is_told_as_unsaid(talk, failure):
    call = dialled(talk, greeting="")
    call.tell(1.0, BEEP)
    call.tell(1.2, failure)
    assert (call.events("voicemail"), call.events("unsaid")) == ([], [{"text": MESSAGE}])
    assert call.commands[-1].reason in ("reached a machine", "caller hung up")


def test_a_message_whose_voice_breaks_off_was_not_left(talk):
    call = dialled(talk, greeting="")
    call.tell(1.0, BEEP, SegmentReady(1, 0, MESSAGE))
    call.heard(2.5, 1, 1.0)
    call.tell(3.0, ReplyFailed(1, "tts", "down", segment=0, seconds=2.0))
    call.heard(4.0, 1, 2.0)
    assert call.commands[-1] == EndCall("reached a machine")
    assert call.events("voicemail") == []


def test_a_muted_agent_leaves_no_message(talk):
    call = dialled(talk, greeting="")
    call.tell(0.5, MuteRequested(True))
    assert call.tell(1.0, BEEP)[-1] == EndCall("reached a machine")
    assert (call.events("unsaid"), call.replies) == ([{"text": MESSAGE}], [])


def test_a_call_that_the_carrier_has_already_leaves_no_message(talk):
    call = dialled(talk, greeting="")
    call.tell(0.5, TransferRequested("+1555"))
    assert [type(command) for command in call.tell(1.0, BEEP)] == [RecordEvent]


def test_a_call_that_ends_already_says_its_goodbye(talk):
    call = dialled(talk, greeting="")
    call.tell(1.0, HangUpRequested("enough", "Goodbye."))
    assert [type(command) for command in call.tell(1.1, BEEP)] == [RecordEvent]
    call.made(1.2, 1, "Goodbye.")
    assert call.heard(3.5, 1, 2.0)[-1] == EndCall("enough")


def test_a_machine_that_is_called_for_a_warm_transfer_of_ours_gets_the_message_all_the_same(talk):
    call = dialled(talk, greeting="")
    call.tell(0.5, TransferRequested("+1555", mode="warm"))
    assert call.tell(1.0, BEEP)[-1].text == MESSAGE


def test_the_timer_of_a_message_is_its_bound(talk):
    call = dialled(talk, greeting="")
    call.tell(1.0, BEEP)
    call.made(1.1, 1, MESSAGE)
    assert call.engine.next_timer() == 181.0
    assert let_time_pass(call.engine, 100.0) == []


def test_a_verdict_that_comes_when_the_far_end_has_hung_up_is_told_all_the_same(talk):
    call = dialled(talk, greeting="")
    call.voice(1.0, 2.0)
    call.tell(2.25, CallerHungUp())
    assert [type(command) for command in call.tell(2.3, BEEP)] == [RecordEvent]
    call.final(2.4, "bye")
    assert (call.commands[-1], call.replies) == (EndCall("caller hung up"), [])
