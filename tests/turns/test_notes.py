"""What users' own stages did to a reply."""

from __future__ import annotations

from patter_nb.turns.commands import RecordEvent
from patter_nb.turns.events import (
    CallerHungUp,
    GuardrailHit,
    InstantRecorded,
    ReplyStarted,
    SpeechContinued,
    SpeechStarted,
    StageFailed,
)

HIT = {"name": "prices", "matched": "free", "added_ms": 4.0, "stage": "terms"}


def test_a_stage_that_failed_is_the_rows_error_and_no_failure_of_the_reply(talk):
    call = talk(max_failures=1)
    call.caller(1.0, 2.0, "hello")
    assert call.tell(2.5, StageFailed(1, "before_llm", "it broke")) == [
        RecordEvent("stage_failed", {"turn": 1, "reply": 1, "stage": "before_llm", "error": "it broke"})
    ]
    call.tell(2.6, StageFailed(1, "on_sentence", "it broke as well"))
    call.made(2.7, 1, "Hi.")
    call.heard(4.8, 1, 2.0)
    assert call.rows[0].error == "it broke"
    assert not call.events("reply_failed")


def test_what_belongs_to_no_reply_stands_in_the_turn_that_goes_on(talk):
    call = talk()
    call.tell(1.0, StageFailed(0, "before_send_to_stt", "too early"))
    call.tell(1.1, SpeechStarted(1.1))
    call.tell(1.2, StageFailed(0, "after_transcribe", "it broke"))
    call.tell(2.0, CallerHungUp())
    call.wait(4.0)
    assert [event["turn"] for event in call.events("stage_failed")] == [None, None]
    assert [row.error for row in call.rows] == ["it broke"]


def test_over_the_agent_it_stands_in_the_agents_turn(talk):
    call = talk()
    call.caller(1.0, 2.0, "hello")
    call.tell(2.5, StageFailed(0, "barge_in_strategies", "it broke"))
    call.made(2.7, 1, "Hi.")
    call.heard(4.8, 1, 2.0)
    assert (call.rows[0].error, call.events("stage_failed")[0]["turn"]) == ("it broke", 1)


def test_a_hit_names_its_guardrail_in_the_row(talk):
    call = talk()
    call.caller(1.0, 2.0, "hello")
    (told,) = call.tell(2.5, GuardrailHit(1, "prices", "free", 4.0, "terms"))
    assert told == RecordEvent("guardrail", {"turn": 1, "reply": 1, **HIT})
    call.made(2.7, 1, "Hi.")
    call.heard(4.8, 1, 2.0)
    assert call.rows[0].guardrails == ("prices",)


def test_what_comes_late_or_of_nowhere_is_an_event_and_changes_no_row(talk):
    call = talk()
    call.caller(1.0, 2.0, "hello")
    call.made(2.7, 1, "Hi.")
    call.heard(4.8, 1, 2.0)
    call.tell(5.0, GuardrailHit(1, "prices", "free", 4.0, "terms"), StageFailed(1, "x", "late"), StageFailed(99, "x", "nowhere"))
    assert (call.rows[0].guardrails, call.rows[0].error) == ((), None)
    assert [event["turn"] for event in call.events("stage_failed")] == [1, None]
    assert call.events("guardrail")[0]["turn"] == 1


def test_it_is_noted_also_of_a_caller_who_hung_up(talk):
    call = talk()
    call.tell(1.0, SpeechStarted(1.0))
    call.tell(1.5, CallerHungUp())
    call.tell(1.6, StageFailed(0, "after_transcribe", "it broke"))
    call.final(1.7, "bye")
    assert call.rows[0].error == "it broke"


def test_of_a_reply_that_was_taken_back_it_stands_in_the_row_of_its_turn(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.final(2.5, "is dinner")
    call.tell(2.6, GuardrailHit(1, "prices", "free", 4.0, "terms"), GuardrailHit(2, "insults", "fool", 4.0, "terms"))
    call.tell(3.0, CallerHungUp())
    assert call.rows[0].guardrails == ("prices", "insults")


def test_what_comes_before_a_row_that_waits_is_written_is_in_it(talk):
    call = talk()
    call.caller(1.0, 2.0, "hello")
    call.made(2.7, 1, "Hi, sir.")
    call.heard(3.4, 1, 0.4)
    call.tell(3.9, SpeechStarted(3.6), SpeechContinued(3.9))
    call.tell(4.0, GuardrailHit(1, "prices", "free", 4.0, "terms"), StageFailed(1, "on_sentence", "it broke"))
    assert call.rows == []
    call.tell(4.1, InstantRecorded(1, "cleared_at", 4.0))
    assert (call.rows[0].guardrails, call.rows[0].error) == (("prices",), "it broke")


def test_it_is_the_turn_that_is_listened_to_rather_than_the_one_that_speaks(talk):
    call = talk("Good evening.")
    call.made(0.5, 1, "Good evening.")
    call.final(0.6, "hello")
    call.tell(0.7, StageFailed(0, "after_transcribe", "it broke"))
    call.heard(2.6, 1, 2.0)
    call.tell(3.0, CallerHungUp())
    assert [(row.kind, row.error) for row in call.rows] == [("greeting", None), ("caller", "it broke")]


def test_a_row_tells_of_the_edit_that_brought_its_revision(talk):
    call = talk()
    call.caller(1.0, 2.0, "hello")
    call.tell(2.4, ReplyStarted(1, 4, edit_requested_at=1.5, edit_effective_turn=1), CallerHungUp())
    (row,) = call.rows
    assert (row.revision, row.edit_requested_at, row.edit_effective_turn) == (4, 1.5, 1)


def test_the_last_reply_of_a_turn_tells_with_what_it_was_answered(talk):
    call = talk()
    call.caller(1.0, 2.0, "when")
    call.tell(2.4, ReplyStarted(1, 4, edit_requested_at=1.5, edit_effective_turn=1))
    call.final(2.5, "is dinner")
    call.tell(2.6, ReplyStarted(2, 1), CallerHungUp())
    (row,) = call.rows
    assert (row.revision, row.edit_requested_at, row.edit_effective_turn) == (1, None, None)


def test_a_row_without_a_reply_has_no_revision(talk):
    call = talk()
    call.final(1.0, "when")
    call.tell(1.1, CallerHungUp())
    (row,) = call.rows
    assert (row.reply, row.revision, row.edit_requested_at, row.edit_effective_turn) == (0, None, None, None)
