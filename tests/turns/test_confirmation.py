"""Interruptions that somebody must confirm by the caller's words."""

from __future__ import annotations

import pytest

from patter_nb.turns.commands import CancelReply
from patter_nb.turns.events import (
    BargeInConfirmed,
    CallerHungUp,
    FinalReceived,
    InstantRecorded,
    ProviderReplyStarted,
    ProviderTurnEnded,
    ProviderTurnStarted,
    SayRequested,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
)

TEXT = "Dinner is served from six to ten."


def speaking(call):
    """Reply 1 is heard from 3.0 s on and goes on until 9.0 s."""
    call.caller(1.0, 2.0, "when")
    call.made(2.8, 1, TEXT, seconds=6.0)
    call.heard(3.4, 1, 0.4)
    return call


def over(talk, **policy):
    return speaking(talk(**{"confirm_seconds": 1.5, **policy}))


def test_voice_over_the_threshold_waits_for_a_confirmation(talk):
    call = over(talk)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    assert not call.events("barge_in")
    assert CancelReply(1, 0.4) in call.tell(4.6, BargeInConfirmed())
    assert call.events("barge_in")[0]["started_at"] == 4.0


def test_a_confirmation_before_the_threshold_counts_once_it_is_reached(talk):
    call = over(talk)
    call.tell(4.2, SpeechStarted(4.0), SpeechContinued(4.2))
    call.tell(4.25, BargeInConfirmed())
    assert not call.events("barge_in")
    call.tell(4.3, SpeechContinued(4.3))
    assert call.events("barge_in")


def test_a_voice_that_is_not_confirmed_in_time_is_a_backchannel_and_stays_one(talk):
    call = over(talk)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    call.wait(5.79)
    assert not call.events("backchannel")
    call.wait(5.8)
    assert call.events("backchannel") == [{"turn": 1, "reply": 1, "started_at": 4.0}]
    call.tell(6.0, SpeechContinued(6.0), BargeInConfirmed(), SpeechContinued(6.1))
    call.tell(6.5, SpeechStopped(6.3))
    call.final(6.6, "mhm mhm")
    assert not call.events("barge_in")
    assert len(call.events("backchannel")) == 1
    call.heard(9.0, 1, 6.0)
    assert (call.rows[0].overlap_text, call.rows[0].interrupted) == ("mhm mhm", False)


def test_a_later_stretch_is_judged_anew(talk):
    call = over(talk, confirm_seconds=0.2)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    call.wait(4.6)
    call.tell(4.8, SpeechStopped(4.5))
    call.final(4.9, "mhm")
    call.tell(5.9, SpeechStarted(5.5), SpeechContinued(5.9))
    call.tell(5.95, BargeInConfirmed())
    assert [event["started_at"] for event in call.events("barge_in")] == [5.5]


def stopped(talk, **policy):
    """Voice from 4.0 to 4.6 s; its final is awaited."""
    call = over(talk, **policy)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4))
    call.tell(4.8, SpeechStopped(4.6))
    return call


def test_the_words_of_a_voice_that_has_ended_may_confirm_it(talk):
    call = stopped(talk)
    call.tell(4.9, BargeInConfirmed(), FinalReceived("stop please"))
    assert call.events("barge_in")[0]["started_at"] == 4.0
    call.tell(4.95, InstantRecorded(1, "cleared_at", 4.95))
    call.wait(5.0)
    assert call.replies[-1].messages[-1].content == "stop please"
    assert (call.rows[0].overlap_text, call.rows[0].interrupted) == ("", True)
    call.tell(6.0, CallerHungUp())
    assert call.rows[1].instants["speech_started_at"] == 4.0
    assert call.rows[1].instants["speech_ended_at"] == 4.6


def test_words_of_it_that_came_before_go_with_it(talk):
    call = over(talk)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4), FinalReceived("stop", 4.0, 4.2))
    call.tell(4.8, SpeechStopped(4.6))
    call.tell(4.9, BargeInConfirmed(), FinalReceived("please", 4.3, 4.6))
    call.wait(6.0)
    assert call.replies[-1].messages[-1].content == "stop please"


EARLIER = [BargeInConfirmed(4.3, True), BargeInConfirmed(4.89), BargeInConfirmed(None, True)]
LATER = [BargeInConfirmed(4.9), BargeInConfirmed(5.1, True), BargeInConfirmed()]


@pytest.mark.parametrize("confirmed", EARLIER)
def test_a_confirmation_is_of_the_voice_whose_words_were_judged_also_when_another_has_begun(talk, confirmed):
    call = stopped(talk)
    call.tell(5.1, SpeechStarted(5.0), SpeechContinued(5.1))
    call.tell(5.15, confirmed)
    assert call.events("barge_in")[0]["started_at"] == 4.0
    call.tell(5.2, FinalReceived("stop"), InstantRecorded(1, "cleared_at", 5.2))
    call.wait(5.5)
    assert len(call.replies) == 1  # they still speak
    call.tell(6.0, SpeechContinued(5.9))
    call.tell(6.2, SpeechStopped(6.0), FinalReceived("right now"))
    call.wait(6.4)
    assert call.replies[-1].messages[-1].content == "stop right now"
    assert call.rows[0].overlap_text == ""
    call.tell(7.0, CallerHungUp())
    assert (call.rows[1].instants["speech_started_at"], call.rows[1].instants["speech_ended_at"]) == (4.0, 6.0)


@pytest.mark.parametrize("confirmed", LATER)
def test_a_confirmation_by_words_of_a_voice_that_goes_on_leaves_the_one_before_it_overlap(talk, confirmed):
    call = stopped(talk)
    call.tell(5.1, SpeechStarted(5.0), SpeechContinued(5.1))
    call.tell(5.15, confirmed)
    assert not call.events("barge_in")
    call.tell(5.2, FinalReceived("mhm", 4.1, 4.5))
    call.tell(5.3, SpeechContinued(5.3))
    assert call.events("barge_in")[0]["started_at"] == 5.0
    call.tell(5.4, InstantRecorded(1, "cleared_at", 5.4))
    call.tell(6.2, SpeechStopped(6.0), FinalReceived("stop"))
    call.wait(6.4)
    assert (call.rows[0].overlap_text, call.replies[-1].messages[-1].content) == ("mhm", "stop")


def test_words_that_came_before_are_said_before_those_of_the_voice_that_goes_on(talk):
    call = over(talk)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4), FinalReceived("stop", 4.0, 4.2))
    call.tell(4.8, SpeechStopped(4.6))
    call.tell(5.1, SpeechStarted(5.0), SpeechContinued(5.1), FinalReceived("now", 5.0, 5.1))
    call.tell(5.2, BargeInConfirmed(4.5, True), FinalReceived("please", 4.3, 4.6))
    call.tell(6.2, SpeechStopped(6.0), FinalReceived(""))
    call.wait(6.4)
    assert call.replies[-1].messages[-1].content.startswith("stop now")


def test_words_that_do_not_confirm_it_are_overlap_and_make_it_a_backchannel(talk):
    call = stopped(talk)
    call.final(4.9, "mhm")
    assert call.events("backchannel") == [{"turn": 1, "reply": 1, "started_at": 4.0}]
    call.tell(5.0, BargeInConfirmed())
    assert not call.events("barge_in")


@pytest.mark.parametrize(
    ("policy", "at", "interrupts"),
    [({"confirm_seconds": 0.65}, 4.9, True), ({"confirm_seconds": 0.5}, 4.9, False), ({"barge_in_seconds": 0.7}, 4.9, False),
     ({"barge_in_seconds": 0.6}, 4.9, True), ({"barge_in_seconds": 0.5, "confirm_seconds": 0.5}, 5.0, True)],
)  # fmt: skip
def test_a_late_confirmation_counts_within_its_time_and_for_a_voice_that_was_long_enough(talk, policy, at, interrupts):
    call = stopped(talk, **policy)
    call.tell(at, BargeInConfirmed())
    assert bool(call.events("barge_in")) is interrupts


def test_a_short_voice_is_overlap_and_no_backchannel(talk):
    call = over(talk)
    call.tell(4.1, SpeechStarted(4.0), SpeechContinued(4.1))
    call.tell(4.3, SpeechStopped(4.1))
    call.final(4.4, "uh")
    assert not call.events("backchannel")


def test_a_provider_that_takes_the_floor_needs_nobody_to_confirm_it(talk):
    call = over(talk)
    call.tell(4.0, ProviderTurnStarted(3.9))
    assert call.events("barge_in")


@pytest.mark.parametrize("seconds", [None, 1.5])
def test_a_confirmation_of_nothing_changes_nothing(talk, seconds):
    call = speaking(talk(confirm_seconds=seconds))
    assert call.tell(4.0, BargeInConfirmed()) == []
    call.tell(4.5, SpeechStarted(4.2), SpeechContinued(4.5))
    assert bool(call.events("barge_in")) is (seconds is None)


def test_a_confirmation_is_for_a_heard_agent_only(talk):
    call = talk("Welcome!", confirm_seconds=1.5)
    call.made(0.1, 1, "Welcome!")
    call.tell(0.6, SpeechStarted(0.2), SpeechContinued(0.6))
    call.tell(0.7, BargeInConfirmed())
    assert not call.events("barge_in")
    call.heard(1.0, 1, 0.4)
    assert call.events("barge_in"), "it was confirmed, and the agent is heard by now"


def test_an_agent_that_has_ended_is_not_interrupted_afterwards(talk):
    call = stopped(talk)
    call.heard(4.85, 1, 6.0)
    call.tell(4.9, BargeInConfirmed())
    assert not call.events("barge_in")
    call.final(5.0, "stop please")
    call.wait(6.0)
    assert call.rows[0].interrupted is False


def with_words(talk, **policy):
    """Voice from 4.0 to 4.6 s, of which "no" was transcribed while it went on."""
    call = over(talk, **policy)
    call.tell(4.4, SpeechStarted(4.0), SpeechContinued(4.4), FinalReceived("no"))
    call.tell(4.8, SpeechStopped(4.6))
    return call


def test_words_that_may_still_interrupt_are_not_told_as_overlap(talk):
    call = with_words(talk)
    call.tell(4.9, BargeInConfirmed(), FinalReceived("stop"))
    call.wait(6.0)
    assert call.replies[-1].messages[-1].content == "no stop"
    assert call.events("overlap") == []


def test_they_are_told_in_their_order_once_nobody_took_them_for_an_interruption(talk):
    call = with_words(talk)
    call.final(4.9, "problem")
    assert [event["text"] for event in call.events("overlap")] == ["no", "problem"]
    call.heard(9.0, 1, 6.0)
    assert call.rows[0].overlap_text == "no problem"


@pytest.mark.parametrize("last", [FinalReceived(""), None])
def test_they_are_overlap_at_the_latest_when_the_row_is_written(talk, last):
    call = with_words(talk)
    call.tell(4.9, *[last] if last else [])
    call.heard(9.0, 1, 6.0)
    call.wait(13.0)
    assert call.rows[0].overlap_text == "no"
    assert call.events("overlap") == [{"turn": 1, "text": "no"}]


def test_words_of_an_earlier_voice_do_not_go_with_a_later_one(talk):
    call = with_words(talk)
    call.final(4.9, "")
    call.tell(5.4, SpeechStarted(5.0), SpeechContinued(5.4))
    call.tell(5.8, SpeechStopped(5.6))
    call.tell(5.9, BargeInConfirmed(), FinalReceived("stop"))
    call.tell(6.0, InstantRecorded(1, "cleared_at", 5.95))
    call.wait(7.0)
    assert call.replies[-1].messages[-1].content == "stop"
    assert call.rows[0].overlap_text == "no"


@pytest.mark.parametrize("policy", [{"confirm_seconds": None, "barge_in_seconds": 1.0}, {"barge_in_seconds": 1.0}])
def test_words_nobody_can_confirm_are_overlap_when_the_voice_ends(talk, policy):
    assert with_words(talk, **policy).events("overlap") == [{"turn": 1, "text": "no"}]


def test_words_of_a_backchannel_are_overlap_when_the_voice_ends(talk):
    assert with_words(talk, confirm_seconds=0.2).events("overlap") == [{"turn": 1, "text": "no"}]


def test_a_strategy_has_its_time_from_when_the_agent_is_heard(talk):
    call = talk("Good evening, this is Acme.", confirm_seconds=0.5)
    call.made(0.1, 1, "Good evening, this is Acme.", seconds=6.0)
    call.tell(2.0, SpeechStarted(0.5), SpeechContinued(2.0))
    call.heard(2.2, 1, 0.2)
    call.wait(2.49)
    assert not call.events("backchannel")
    assert call.tell(2.49, BargeInConfirmed())[0] == CancelReply(1, 0.2)


def test_from_then_on_it_may_miss_it_too(talk):
    call = talk("Good evening, this is Acme.", confirm_seconds=0.5)
    call.made(0.1, 1, "Good evening, this is Acme.", seconds=6.0)
    call.tell(2.0, SpeechStarted(0.5), SpeechContinued(2.0))
    call.heard(2.2, 1, 0.2)
    call.wait(2.5)
    assert call.events("backchannel") == [{"turn": 0, "reply": 1, "started_at": 0.5}]


def test_a_caller_over_whom_something_urgent_is_said_may_interrupt_it(talk):
    call = talk(confirm_seconds=1.0)
    call.tell(1.0, SpeechStarted(1.0), SpeechContinued(2.0))
    call.tell(2.0, SayRequested("Fire!", interrupt=True))
    call.made(2.1, 1, "Fire!")
    call.heard(2.4, 1, 0.2)
    assert not call.events("barge_in")
    call.tell(2.5, BargeInConfirmed())
    assert call.events("barge_in")[0]["started_at"] == 1.0


def test_a_turn_of_the_callers_own_is_no_backchannel_whenever_older_words_come(talk):
    call = talk(ends_turns="provider", begins_replies="provider", confirm_seconds=1.0)
    call.tell(1.0, ProviderTurnStarted(1.0))
    call.tell(2.0, ProviderTurnEnded(1.8), ProviderReplyStarted("r"))
    call.made(2.2, 1, TEXT, seconds=6.0)
    call.heard(2.6, 1, 0.2)
    call.final(2.7, "hm", 0.1, 0.5)
    assert call.events("backchannel") == []
