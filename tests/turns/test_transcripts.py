"""Finals that text stages had before the engine: when they came, and when those stages began and ended."""

from __future__ import annotations

import pytest

from patter_nb.turns.events import CallerHungUp, DtmfReceived, FinalReceived, ProviderTurnEnded, SpeechStarted, SpeechStopped

HOOKS = ("transcript_hooks_started_at", "transcript_hooks_ended_at")


def told(row):
    return tuple(row.instants.get(name) for name in ("stt_final_at", *HOOKS))


def said(call):
    """Voice from 1.0 to 2.0 s; its final is asked for at 2.2 s."""
    call.voice(1.0, 2.0)
    return call


@pytest.mark.parametrize(
    ("finals", "instants"),
    [
        ([FinalReceived("when")], (2.6, None, None)),
        ([FinalReceived("when", arrived_at=2.4)], (2.4, 2.4, 2.6)),
        ([FinalReceived("when", 1.0, 2.0, arrived_at=2.6)], (2.6, 2.6, 2.6)),
        ([FinalReceived("when", arrived_at=2.4), FinalReceived("is dinner", arrived_at=2.5)], (2.5, 2.5, 2.6)),
        ([FinalReceived("when", arrived_at=2.4), FinalReceived("is dinner")], (2.6, None, None)),
        ([FinalReceived("when", arrived_at=2.4), FinalReceived("")], (2.4, 2.4, 2.6)),
    ],
)
def test_a_final_came_when_the_recogniser_gave_it_and_not_when_the_stages_were_done(talk, finals, instants):
    call = said(talk(hangover_seconds=5.0))
    call.tell(2.6, *finals[:1])
    call.tell(2.6, *finals[1:])
    call.tell(3.0, CallerHungUp())
    assert told(call.rows[0]) == instants


def test_an_empty_final_came_then_too(talk):
    call = said(talk())
    call.tell(2.3, DtmfReceived("1"))
    call.tell(2.6, FinalReceived("", arrived_at=2.4), CallerHungUp())
    assert told(call.rows[0]) == (2.4, 2.4, 2.6)


def test_stages_are_waited_for_like_the_recogniser_itself(talk):
    call = said(talk())
    call.tell(2.9, FinalReceived("when", arrived_at=2.3))
    assert call.replies[0].reply == 1
    call.tell(3.0, CallerHungUp())
    instants = call.rows[0].instants
    assert (instants["endpointed_at"], instants["stt_final_at"], instants["reply_ordered_at"]) == (2.32, 2.3, 2.9)


def test_words_that_take_an_answer_back_bring_their_instants(talk):
    call = said(talk())
    call.tell(2.25, FinalReceived("when", arrived_at=2.22))
    call.wait(2.4)
    call.tell(2.6, FinalReceived("is dinner", arrived_at=2.5), CallerHungUp())
    assert told(call.rows[0]) == (2.5, 2.5, 2.6)


def test_words_over_the_agent_are_no_transcript_of_its_turn(talk):
    call = said(talk())
    call.final(2.3, "when")
    call.wait(2.4)
    call.made(2.5, 1, "At six.")
    call.heard(3.0, 1, 0.4)
    call.tell(3.2, SpeechStarted(3.1))
    call.tell(3.4, SpeechStopped(3.2))
    call.tell(3.6, FinalReceived("mhm", arrived_at=3.5))
    call.heard(4.6, 1, 2.0)
    assert call.rows[0].overlap_text == "mhm"
    assert told(call.rows[0]) == (2.3, None, None)


def test_what_a_provider_tells_with_the_end_of_the_turn_passed_no_stages(talk):
    call = talk(ends_turns="provider")
    call.tell(1.5, FinalReceived("when", arrived_at=1.4))
    call.tell(2.0, ProviderTurnEnded(1.8, "is dinner"), CallerHungUp())
    assert told(call.rows[0]) == (2.0, None, None)
