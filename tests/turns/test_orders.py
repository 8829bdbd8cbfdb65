"""Orders from outside: say, inject, keys, transfer, hang up."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import (
    CancelReply,
    ClearAudio,
    EndCall,
    RecordEvent,
    RecordTurn,
    ReleaseCaller,
    SendDtmf,
    StartReply,
    TransferCall,
)
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    CallAnswered,
    CallerHungUp,
    DtmfReceived,
    DtmfRequested,
    FinalReceived,
    HangUpRequested,
    InjectRequested,
    KeysPlayed,
    LimitReached,
    MuteRequested,
    ReplyFailed,
    SayRequested,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    TranscriptionFailed,
    TransferAnswered,
    TransferFailed,
    TransferRequested,
)
from patter_nb.turns.messages import Message
from patter_nb.turns.policy import TurnPolicy


def speaking(call):
    """Reply 1 is heard from 3.0 s on until 5.0 s."""
    call.caller(1.0, 2.0, "when")
    call.made(2.8, 1, "Dinner is served from six.")
    call.heard(3.5, 1, 0.5)
    return call


def ends(call, reply, at):
    """The reply is synthesised and heard to its end at `at`."""
    call.made(at - 0.1, reply, "Said.", seconds=0.1)
    return call.heard(at, reply, 0.1)


# Say.


def test_something_to_say_is_said_at_once_when_nobody_speaks(talk):
    call = talk()
    assert call.tell(1.0, SayRequested("Hello?")) == [StartReply(1, 1, "said", (), "Hello?")]
    ends(call, 1, 2.0)
    assert [(row.turn, row.kind, row.heard_text) for row in call.rows] == [(1, "said", "Said.")]


def test_something_to_say_waits_for_the_present_reply(talk):
    call = speaking(talk())
    assert call.tell(4.0, SayRequested("By the way.")) == []
    commands = call.heard(5.0, 1, 2.0)
    assert isinstance(commands[0], RecordTurn)
    assert commands[1] == StartReply(2, 2, "said", (), "By the way.")


def test_something_to_say_waits_for_the_caller_and_his_answer(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), SayRequested("By the way."))
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.3, "when")
    call.wait(2.4)
    assert [order.kind for order in call.replies] == ["answer"]
    ends(call, 1, 4.0)
    assert [order.kind for order in call.replies] == ["answer", "said"]


def test_something_to_say_is_said_after_a_sound_without_words(talk):
    call = talk()
    call.voice(1.0, 2.0)
    call.tell(2.21, SayRequested("Hello?"))
    call.final(2.3, "")
    assert call.wait(2.4)[-1] == StartReply(1, 1, "said", (), "Hello?")


def test_things_to_say_keep_their_order(talk):
    call = talk()
    call.tell(1.0, SayRequested("One."), SayRequested("Two."), SayRequested("Three."))
    ends(call, 1, 2.0)
    ends(call, 2, 3.0)
    assert [order.text for order in call.replies] == ["One.", "Two.", "Three."]


def test_something_urgent_to_say_cuts_the_agent_off(talk):
    call = speaking(talk())
    commands = call.tell(4.0, SayRequested("Fire!", interrupt=True))
    assert commands[:3] == [
        CancelReply(1, 0.5),
        ClearAudio(),
        RecordEvent("cut_off", {"turn": 1, "reply": 1, "reason": "say"}),
    ]
    assert commands[-1] == StartReply(2, 2, "said", (), "Fire!")
    assert (call.rows[0].heard_text, call.rows[0].interrupted) == ("Dinner", False)


def test_something_urgent_is_said_before_what_waits(talk):
    call = speaking(talk())
    call.tell(4.0, SayRequested("By the way."), SayRequested("Fire!", interrupt=True))
    ends(call, 2, 5.0)
    assert [order.text for order in call.replies] == [None, "Fire!", "By the way."]


def test_an_answer_of_which_nothing_was_heard_is_given_after_something_urgent(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    assert call.tell(2.5, SayRequested("Fire!", interrupt=True)) == [
        CancelReply(1, 0.0),
        ClearAudio(),
        StartReply(2, 2, "said", (), "Fire!"),
    ]
    commands = ends(call, 2, 4.0)
    assert commands[-1] == StartReply(3, 1, "answer", (Message("assistant", "Said."), Message("user", "when")))
    ends(call, 3, 5.0)
    assert [(row.turn, row.kind, row.resumed, row.reply) for row in call.rows] == [(2, "said", 0, 2), (1, "caller", 0, 3)]


def test_something_urgent_is_said_over_a_caller_who_may_then_interrupt_it(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), SpeechContinued(2.0))
    assert call.tell(2.0, SayRequested("Fire!", interrupt=True)) == [StartReply(1, 1, "said", (), "Fire!")]
    call.made(2.1, 1, "Fire!")
    assert call.heard(2.4, 1, 0.2)[:2] == [CancelReply(1, 0.2), ClearAudio()]
    call.tell(3.2, SpeechStopped(3.0))
    call.final(3.3, "as I was saying")
    call.wait(4.0)
    assert call.replies[-1].messages[-1] == Message("user", "as I was saying")
    call.tell(5.0, CallerHungUp())
    assert [(row.kind, row.turn, row.interrupted) for row in call.rows] == [("said", 1, True), ("caller", 2, False)]
    assert call.rows[1].instants["speech_started_at"] == 1.0


def test_a_caller_over_whom_something_urgent_is_said_is_answered_after_it(talk):
    call = talk(barge_in_seconds=None)
    call.tell(1.0, SpeechStarted(1.0), SpeechContinued(2.0))
    call.tell(2.0, SayRequested("Fire!", interrupt=True))
    call.made(2.1, 1, "Fire!")
    call.heard(2.4, 1, 0.2)
    call.final(2.5, "I would like")
    call.tell(2.8, SpeechStopped(2.6))
    call.final(2.9, "a table")
    assert len(call.replies) == 1
    call.heard(4.2, 1, 2.0)
    assert call.replies[-1].messages[-1] == Message("user", "I would like a table")
    assert call.events("overlap") == []


def test_there_must_be_something_to_say(talk):
    with pytest.raises(ValueError, match=r"SayRequested\.text is empty"):
        talk().tell(1.0, SayRequested("  "))


def test_orders_wait_for_the_answer_of_the_call():
    engine = TurnEngine()
    assert engine.receive(SayRequested("Hello?"), 0.0) == []
    assert engine.receive(CallAnswered(), 1.0) == [StartReply(1, 1, "said", (), "Hello?")]


def test_what_could_not_be_said_is_reported(talk):
    call = speaking(talk())
    call.tell(4.0, SayRequested("By the way."), TransferRequested("+1555"))
    call.tell(4.1, LimitReached("money"))
    call.tell(4.2, SayRequested("Wait!"))
    assert [event["text"] for event in call.events("unsaid")] == ["By the way.", "Wait!"]
    assert TransferCall("+1555") not in call.commands


def test_what_could_not_be_said_before_the_caller_hung_up_is_reported(talk):
    call = speaking(talk())
    call.tell(4.0, SayRequested("By the way."), CallerHungUp())
    assert call.events("unsaid") == [{"text": "By the way."}]
    assert isinstance(call.commands[-1], EndCall)


def test_nothing_interrupts_a_goodbye(talk):
    call = talk()
    call.tell(1.0, LimitReached("money"))
    assert call.tell(2.0, SayRequested("Wait!", interrupt=True)) == [RecordEvent("unsaid", {"text": "Wait!"})]


# Inject.


def test_what_is_injected_is_part_of_the_conversation(talk):
    call = talk()
    assert call.tell(1.0, InjectRequested("The kitchen is closed.")) == []
    call.caller(2.0, 3.0, "when is dinner")
    assert call.replies[0].messages == (Message("system", "The kitchen is closed."), Message("user", "when is dinner"))


def test_what_is_injected_may_ask_for_an_answer(talk):
    call = talk()
    note = Message("user", "The caller pressed 1.")
    assert call.tell(1.0, InjectRequested(note.content, "user", reply=True)) == [StartReply(1, 1, "answer", (note,))]
    ends(call, 1, 2.0)
    assert [(row.kind, row.caller_text, row.heard_text) for row in call.rows] == [("said", "", "Said.")]


def test_an_answer_asked_for_waits_until_the_agent_is_silent(talk):
    call = speaking(talk())
    assert call.tell(4.0, InjectRequested("The kitchen is closed.", reply=True)) == []
    call.heard(5.0, 1, 2.0)
    assert call.replies[-1].messages[-1] == Message("system", "The kitchen is closed.")


def test_the_answer_to_the_caller_also_answers_what_was_injected(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0), InjectRequested("The kitchen is closed.", reply=True))
    call.tell(2.2, SpeechStopped(2.0))
    call.final(2.3, "when is dinner")
    call.wait(2.4)
    ends(call, 1, 4.0)
    assert len(call.replies) == 1


def test_one_answer_serves_all_that_was_injected(talk):
    call = speaking(talk())
    call.tell(4.0, InjectRequested("One.", reply=True), InjectRequested("Two.", reply=True))
    call.heard(5.0, 1, 2.0)
    ends(call, 2, 6.0)
    assert len(call.replies) == 2


def test_an_injected_answer_that_fails_is_replaced_by_the_fallback_line(talk):
    call = talk()
    call.tell(1.0, InjectRequested("Say hello.", reply=True))
    call.tell(1.5, ReplyFailed(1, "llm", "down"))
    assert call.replies[-1].text == TurnPolicy().fallback


def test_only_roles_of_the_conversation_can_be_injected(talk):
    with pytest.raises(ValueError, match=r"InjectRequested\.role is 'robot'; give one of system, user, assistant, tool"):
        talk().tell(1.0, InjectRequested("Hi.", "robot"))


# Keys, transfer, hang up.


def test_keys_are_reported_and_pressed(talk):
    call = talk()
    assert call.tell(1.0, DtmfReceived("5")) == [RecordEvent("dtmf_received", {"digit": "5"})]
    assert call.tell(1.5, DtmfRequested("12#")) == [SendDtmf("12#", 300), RecordEvent("dtmf_sent", {"digits": "12#"})]


def test_a_transfer_waits_until_what_is_being_said_was_heard(talk):
    call = speaking(talk())
    assert call.tell(4.0, TransferRequested("+1555")) == []
    assert call.heard(5.0, 1, 2.0)[-1] == TransferCall("+1555")


def test_a_transfer_does_not_wait_for_the_caller(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    assert call.tell(1.5, TransferRequested("+1555")) == [TransferCall("+1555")]


def test_a_hang_up_waits_until_what_is_being_said_was_heard(talk):
    call = speaking(talk())
    assert call.tell(4.0, HangUpRequested("the caller was served")) == []
    assert call.heard(5.0, 1, 2.0)[-1] == EndCall("the caller was served")


def test_a_hang_up_may_have_last_words(talk):
    call = speaking(talk())
    call.tell(4.0, HangUpRequested("served", "Goodbye!"))
    assert call.heard(5.0, 1, 2.0)[-1] == StartReply(2, 2, "goodbye", (), "Goodbye!")
    assert not call.engine.ended
    assert ends(call, 2, 6.0)[-1] == EndCall("served")
    assert [(row.turn, row.kind) for row in call.rows] == [(1, "caller"), (2, "goodbye")]


def test_a_hang_up_comes_before_the_answer_to_a_caller_who_interrupts(talk):
    call = speaking(talk())
    call.tell(4.0, HangUpRequested("served", "Goodbye!"))
    call.tell(4.4, SpeechStarted(4.1), SpeechContinued(4.4))
    assert call.replies[-1].kind == "goodbye"


def test_what_was_to_be_said_before_a_hang_up_is_said(talk):
    call = talk()
    call.tell(1.0, SayRequested("Wait."), HangUpRequested("served", "Goodbye!"))
    ends(call, 1, 2.0)
    assert [order.text for order in call.replies] == ["Wait.", "Goodbye!"]
    assert call.events("unsaid") == []


# Polite hang-ups, and an agent that must be silent.

DONE = HangUpRequested("done", polite=True)


def test_a_polite_hang_up_waits_for_a_sound_of_the_caller_and_is_carried_out_when_it_held_no_words(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    assert call.tell(1.5, DONE) == []
    call.tell(2.2, SpeechStopped(2.0), FinalReceived(""))
    assert call.wait(2.4)[-1] == EndCall("done")


@pytest.mark.parametrize("answered", [FinalReceived("one more thing"), TranscriptionFailed("broke")])
def test_a_polite_hang_up_is_withdrawn_when_the_caller_is_answered_before_it(talk, answered):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    assert call.tell(1.5, DONE) == []
    call.tell(2.2, SpeechStopped(2.0), answered)
    call.wait(2.4)
    assert call.events("hang_up_withdrawn") == [{"reason": "done"}]
    call.made(2.5, 1, "Of course.")
    call.heard(4.6, 1, 2.0)
    assert call.engine.state == "waiting"


def test_a_muted_agent_hangs_up_politely_after_what_it_does_not_answer(talk):
    call = talk()
    call.tell(1.0, MuteRequested(True), SpeechStarted(1.0), DONE)
    call.tell(2.2, SpeechStopped(2.0), FinalReceived("bye"))
    assert call.wait(2.4)[-1] == EndCall("done")


def test_a_polite_hang_up_follows_what_is_being_said(talk):
    call = speaking(talk())
    assert call.tell(4.0, DONE) == []
    assert call.heard(5.0, 1, 2.0)[-1] == EndCall("done")


def test_a_caller_who_cuts_in_is_not_hung_up_on(talk):
    call = speaking(talk())
    call.tell(4.0, DONE)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    assert call.events("hang_up_withdrawn") == [{"reason": "done"}]
    call.tell(5.2, SpeechStopped(5.0), FinalReceived("wait"))
    call.wait(6.0)
    assert call.replies[-1].messages[-1].content == "wait"
    assert call.engine.state == "answering"


HAND_ON = TransferRequested("+15551234567", polite=True)


def test_a_caller_who_objects_is_not_handed_on(talk):
    call = speaking(talk())
    call.tell(4.0, HAND_ON)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    assert call.events("transfer_withdrawn") == [{"number": "+15551234567"}]
    call.tell(5.2, SpeechStopped(5.0), FinalReceived("no"))
    call.wait(6.0)
    assert call.replies[-1].messages[-1].content == "no"


def test_a_polite_transfer_waits_for_the_caller_and_is_made_when_they_said_nothing(talk):
    call = speaking(talk())
    call.tell(4.0, HAND_ON)
    call.tell(4.9, SpeechStarted(4.8))
    assert not any(isinstance(command, TransferCall) for command in call.heard(5.0, 1, 2.0))
    call.tell(5.05, SpeechStopped(4.9), FinalReceived(""))
    assert TransferCall("+15551234567") in call.wait(6.0)


def test_a_transfer_from_outside_is_not_withdrawn(talk):
    call = speaking(talk())
    call.tell(4.0, TransferRequested("+15551234567"))
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    assert call.commands[-1] == TransferCall("+15551234567")


def test_going_on_before_the_farewell_is_heard_withdraws_it_too(talk):
    call = talk()
    call.caller(1.0, 2.0, "bye")
    call.tell(2.5, DONE)
    call.tell(2.8, SpeechStarted(2.6), SpeechContinued(2.8))
    assert call.events("hang_up_withdrawn")


def test_a_hang_up_from_outside_is_not_withdrawn(talk):
    call = speaking(talk())
    call.tell(4.0, HangUpRequested("enough"))
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    assert call.commands[-1] == EndCall("enough")


def test_a_polite_hang_up_that_came_after_the_caller_cut_in_holds(talk):
    call = speaking(talk())
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    call.tell(4.5, DONE)
    assert not call.events("hang_up_withdrawn")


def test_a_muted_agent_stops_and_begins_nothing(talk):
    call = speaking(talk())
    call.tell(4.0, MuteRequested(True), MuteRequested(True))
    assert (call.events("muted"), call.engine.state) == ([{}], "waiting")
    call.caller(5.0, 6.0, "hello")
    call.wait(8.0)
    assert len(call.replies) == 1
    assert [(row.caller_text, row.reply) for row in call.rows][-1] == ("hello", 0)
    assert call.conversation()[-1] == ("user", "hello")


def test_an_answer_that_was_not_heard_yet_is_not_given_when_the_agent_is_muted(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.5, MuteRequested(True))
    call.wait(9.0)
    assert len(call.replies) == 1
    assert (call.rows[0].caller_text, call.rows[0].heard_text) == ("when", "")


@pytest.mark.parametrize(
    "order", [SayRequested("Hm."), SayRequested("Hm.", interrupt=True), InjectRequested("Know.", reply=True)]
)
def test_what_it_is_told_to_say_waits_until_it_may(talk, order):
    call = talk()
    call.tell(1.0, MuteRequested(True), order)
    assert call.wait(3.0) == []
    call.tell(3.0, MuteRequested(False))
    assert call.events("unmuted") == [{}]
    assert len(call.replies) == 1


def test_a_muted_agent_hangs_up_and_transfers_without_a_word(talk):
    call = talk()
    call.tell(1.0, MuteRequested(True), SayRequested("Hm."), TransferRequested("+1555"))
    assert call.commands[-1] == TransferCall("+1555")
    call.tell(1.5, HangUpRequested("done", "Goodbye."))
    assert (call.commands[-1], call.replies) == (EndCall("done"), [])
    assert call.events("unsaid") == [{"text": "Goodbye."}, {"text": "Hm."}]


def test_a_recogniser_that_failed_is_not_spoken_of_by_a_muted_agent(talk):
    call = talk()
    call.tell(1.0, MuteRequested(True), SpeechStarted(1.0))
    call.tell(1.5, TranscriptionFailed("broke"))
    call.tell(2.2, SpeechStopped(2.0))
    call.wait(9.0)
    assert call.replies == []


def test_keys_are_pressed_when_the_agent_is_silent_and_in_their_order(talk):
    call = speaking(talk())
    assert call.tell(4.0, DtmfRequested("1", 200), DtmfRequested("2")) == []
    call.heard(5.0, 1, 2.0)
    assert [command for command in call.commands if isinstance(command, SendDtmf)] == [SendDtmf("1", 200), SendDtmf("2", 300)]


@pytest.mark.parametrize("leave", [TransferRequested("+15551234567"), HangUpRequested("enough"), DONE])
def test_nobody_leaves_before_keys_that_were_pressed_have_sounded(talk, leave):
    call = talk()
    call.tell(1.0, DtmfRequested("12"), DtmfRequested("3"))
    assert call.tell(1.1, leave) == []
    assert call.tell(2.0, KeysPlayed()) == []
    left = call.tell(2.5, KeysPlayed())
    assert left[-1] in (TransferCall("+15551234567"), EndCall("enough"), EndCall("done"))
    assert call.tell(3.0, KeysPlayed()) == []


def test_what_was_said_to_follow_the_hang_up_waits_behind_it_for_keys(talk):
    call = talk()
    call.tell(1.0, DtmfRequested("12"))
    call.tell(1.1, SayRequested("Now."))
    assert [order.text for order in call.replies] == ["Now."]
    call.tell(1.2, HangUpRequested("enough", "Goodbye."))
    ends(call, 1, 1.5)
    assert len(call.replies) == 1
    call.tell(2.0, KeysPlayed())
    assert [order.text for order in call.replies] == ["Now.", "Goodbye."]


def test_keys_that_nobody_reports_count_as_played_in_the_end(talk):
    call = talk()
    call.tell(1.0, DtmfRequested("12", 100), DtmfRequested("3", 200))
    assert call.engine.next_timer() > 100  # nothing waits for them
    call.tell(1.1, HangUpRequested("enough"))
    assert call.engine.next_timer() == pytest.approx(1.0 + 2.0 + 2 * 0.6 + 0.7)
    assert call.wait(4.8) == []
    assert call.wait(4.91)[-1] == EndCall("enough")


def test_keys_that_nobody_reports_leave_no_timer_behind_while_the_caller_speaks(talk):
    call = talk()
    call.tell(1.0, DtmfRequested("1", 100))
    call.tell(1.1, SpeechStarted(1.0), DONE)
    assert call.engine.next_timer() == pytest.approx(3.6)
    call.wait(3.7)
    assert call.engine.next_timer() > 100


def test_keys_that_played_are_not_waited_for_in_vain_while_somebody_speaks(talk):
    call = talk()
    call.tell(1.0, DtmfRequested("1", 100))
    call.tell(1.1, SayRequested("Long."), HangUpRequested("enough"))
    assert call.engine.next_timer() > 10
    ends(call, 1, 9.0)
    assert call.commands[-1] == EndCall("enough")


def test_what_was_not_done_before_the_call_ended_is_told(talk):
    call = speaking(talk())
    call.tell(4.0, DtmfRequested("12#"), TransferRequested("+15551234567"))
    call.tell(4.0, InjectRequested("x", reply=True), SayRequested("Wait."))
    call.tell(4.1, CallerHungUp())
    assert call.events("undone") == [
        {"order": "send_dtmf", "what": "12#"},
        {"order": "transfer", "what": "+15551234567"},
        {"order": "inject", "what": "x"},
    ]
    assert call.events("unsaid") == [{"text": "Wait."}]


def test_what_was_only_to_be_known_or_to_end_the_call_without_a_word_is_not_told_as_undone(talk):
    call = speaking(talk())
    call.tell(4.0, HangUpRequested("enough"), HangUpRequested("really", "Goodbye."), InjectRequested("x"))
    call.tell(4.1, CallerHungUp())
    assert (call.events("undone"), call.events("unsaid")) == ([], [{"text": "Goodbye."}])


def test_a_muted_agent_tells_the_goodbye_that_it_does_not_say(talk):
    call = talk()
    call.tell(1.0, MuteRequested(True), HangUpRequested("enough", "Goodbye."))
    assert (call.events("unsaid"), call.commands[-1]) == ([{"text": "Goodbye."}], EndCall("enough"))
    other = talk()
    other.tell(1.0, MuteRequested(True), HangUpRequested("enough"))
    assert (other.events("unsaid"), other.commands[-1]) == ([], EndCall("enough"))


def test_nothing_is_done_for_a_call_that_was_handed_on(talk):
    call = talk()
    call.tell(1.0, DtmfRequested("1"), KeysPlayed(), TransferRequested("+15551234567"), DtmfRequested("9"), SayRequested("Wait."))
    assert call.commands[-1] == TransferCall("+15551234567")
    assert call.engine.next_timer() > 100
    call.tell(1.1, CallerHungUp())
    assert call.events("undone") == [{"order": "send_dtmf", "what": "9"}]
    assert call.events("unsaid") == [{"text": "Wait."}]


# A carrier that takes its time.

COLD, WARM = TransferRequested("+1555"), TransferRequested("+1555", mode="warm", summary="A guest.")
REFUSED = Message("system", "The call could not be handed on: nobody answers")


def test_a_transfer_is_ordered_with_its_mode_and_its_summary(talk):
    call = talk()
    assert call.tell(1.0, WARM) == [TransferCall("+1555", "warm", "A guest.")]


def test_a_transfer_is_cold_or_warm(talk):
    with pytest.raises(ValueError, match=r"TransferRequested\.mode is 'hot'; give one of cold, warm"):
        talk().tell(1.0, TransferRequested("+1555", mode="hot"))


@pytest.mark.parametrize("order", [COLD, WARM])
def test_a_transfer_that_fails_is_told_to_the_model_which_answers_to_that(talk, order):
    call = talk()
    call.tell(1.0, order)
    assert call.tell(3.0, TransferFailed("nobody answers")) == [StartReply(1, 1, "answer", (REFUSED,))]
    assert not call.engine.transferring
    assert call.tell(3.1, TransferFailed("again")) == []
    ends(call, 1, 4.0)
    call.caller(5.0, 6.0, "oh")
    assert call.replies[-1].messages[-1] == Message("user", "oh")


def test_a_failure_is_told_when_nobody_speaks(talk):
    call = speaking(talk())
    call.tell(4.0, SpeechStarted(4.0))
    assert call.tell(4.1, TransferFailed("early")) == []
    call.tell(4.1, SpeechStopped(4.1), FinalReceived(""))
    call.heard(5.0, 1, 2.0)
    call.tell(5.1, WARM)
    call.tell(5.2, SayRequested("One moment."))
    assert call.tell(5.3, TransferFailed("nobody answers")) == []
    assert ends(call, 2, 6.0)[-1].messages[-1] == REFUSED


def test_while_it_rings_for_a_warm_transfer_the_call_goes_on(talk):
    call = talk()
    call.tell(1.0, WARM)
    call.caller(2.0, 3.0, "are you there")
    assert call.replies[-1].kind == "answer"
    ends(call, 1, 4.0)
    assert call.tell(4.5, DtmfRequested("1"))[0] == SendDtmf("1", 300)
    call.tell(4.9, KeysPlayed(), SayRequested("Still ringing."))
    ends(call, 2, 6.0)
    assert [order.text for order in call.replies] == [None, "Still ringing."]


@pytest.mark.parametrize("handed_on", [(COLD,), (WARM, TransferAnswered())], ids=["cold", "warm"])
def test_a_caller_whom_the_carrier_takes_is_told_nothing_new(talk, handed_on):
    call = talk()
    call.tell(1.0, *handed_on)
    call.caller(2.0, 3.0, "hello")
    call.tell(3.5, SayRequested("Wait."), DtmfRequested("1"))
    call.wait(9.0)
    assert call.replies == []
    assert [(row.caller_text, row.reply) for row in call.rows] == [("hello", 0)]
    call.tell(9.0, TransferFailed("nobody answers"))
    assert call.replies[0].text == "Wait."
    ends(call, 1, 10.0)
    assert call.replies[1].messages[-2:] == (REFUSED, Message("assistant", "Said."))
    assert ("user", "hello") in call.conversation()


def test_somebody_who_answers_waits_until_the_agent_has_finished(talk):
    call = talk()
    call.tell(1.0, WARM)
    call.caller(2.0, 3.0, "hello")
    call.made(3.5, 1, "Dinner is served from six.")
    call.heard(4.5, 1, 0.5)
    assert call.tell(5.0, TransferAnswered()) == []
    assert [type(command) for command in call.heard(6.0, 1, 2.0)] == [RecordTurn, ReleaseCaller]
    assert call.commands.count(ReleaseCaller()) == 1
    assert call.wait(60.0) == []


def test_somebody_who_answers_is_not_kept_waiting_by_a_silent_agent_or_a_caller_who_speaks(talk):
    call = talk()
    call.tell(1.0, WARM, SpeechStarted(1.0))
    assert call.tell(2.0, TransferAnswered()) == [ReleaseCaller()]


def test_somebody_who_answers_waits_for_a_long_speech_no_longer_than_a_while(talk):
    call = talk()
    call.tell(1.0, WARM, SayRequested("Long."))
    call.made(1.1, 1, "Long.", seconds=60.0)
    call.heard(2.0, 1, 0.5)
    call.tell(3.0, TransferAnswered())
    assert call.engine.next_timer() == 11.0
    assert call.wait(10.9) == []
    assert call.wait(11.1) == [ReleaseCaller()]
    assert call.engine.next_timer() > 100


def test_nobody_is_released_to_an_answer_that_comes_for_no_transfer(talk):
    call = talk()
    assert call.tell(1.0, TransferAnswered()) == []
    call.tell(1.1, WARM, TransferFailed("nobody answers"))
    assert call.tell(1.2, TransferAnswered()) == []
    assert len(call.replies) == 1


def test_a_failure_after_the_answer_gives_the_caller_back(talk):
    call = talk()
    call.tell(1.0, WARM, SayRequested("Long."))
    call.made(1.1, 1, "Long.", seconds=60.0)
    call.heard(2.0, 1, 0.5)
    call.tell(3.0, TransferAnswered(), TransferFailed("nobody answers"))
    call.wait(30.0)
    assert ReleaseCaller() not in call.commands
    call.heard(62.0, 1, 60.0)
    assert call.replies[-1].messages[-1].content == REFUSED.content or call.replies[-1].messages[-2] == REFUSED


@pytest.mark.parametrize("first", [COLD, WARM])
def test_a_second_transfer_is_refused_while_one_waits_or_is_under_way(talk, first):
    call = speaking(talk())
    call.tell(4.0, first)
    assert call.engine.transferring
    with pytest.raises(ValueError, match="a transfer is under way already"):
        call.tell(4.1, COLD)
    call.heard(5.0, 1, 2.0)
    with pytest.raises(ValueError, match="a transfer is under way already"):
        call.tell(5.1, COLD)
    call.tell(5.2, TransferFailed("nobody answers"))
    ends(call, 2, 6.0)
    assert call.tell(6.1, COLD) == [TransferCall("+1555")]


def test_a_transfer_that_was_withdrawn_makes_room_for_another(talk):
    call = speaking(talk())
    call.tell(4.0, HAND_ON)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    assert not call.engine.transferring
    call.tell(4.5, COLD)
    assert call.commands[-1] == TransferCall("+1555")


def test_a_hang_up_while_it_rings_says_goodbye_and_ends_the_call(talk):
    call = talk()
    call.tell(1.0, WARM)
    call.tell(2.0, HangUpRequested("enough", "Goodbye."))
    call.tell(2.5, TransferAnswered())
    assert ReleaseCaller() not in call.commands
    assert ends(call, 1, 3.0)[-1] == EndCall("enough")


def test_a_hang_up_ends_a_call_that_the_carrier_does_not_take(talk):
    call = talk()
    call.tell(1.0, COLD)
    assert call.tell(2.0, HangUpRequested("enough", "Goodbye."))[-1] == EndCall("enough")
    assert call.events("unsaid") == [{"text": "Goodbye."}]


def test_a_failure_while_the_call_ends_is_nobodys_news_any_more(talk):
    call = talk()
    call.tell(1.0, WARM)
    call.tell(2.0, HangUpRequested("enough", "Goodbye."))
    assert call.tell(2.5, TransferFailed("nobody answers")) == []
    ends(call, 1, 3.0)
    assert call.events("undone") == []


def test_a_caller_who_is_waited_for_may_be_released_late_when_the_call_ends_first(talk):
    call = talk(max_duration_seconds=4.0)
    call.tell(1.0, WARM, SayRequested("Long."))
    call.made(1.1, 1, "Long.", seconds=60.0)
    call.heard(2.0, 1, 0.5)
    call.tell(3.0, TransferAnswered())
    call.wait(20.0)
    assert ReleaseCaller() not in call.commands
    assert isinstance(call.commands[-1], EndCall)
