"""Lines of calls and turns, and all there is to say of one turn: read off real calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from patter_nb.callers import Line
from patter_nb.notebook.studio.calls_rows import call_row, turn_detail, turn_row
from patter_nb.notebook.studio.live_turn import legend
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.tools import tool
from patter_nb.turns.messages import ToolRequest

LINES = ["One?", Line("Two is what I want?", interrupt_after_seconds=2.0), "Three?"]


@pytest.fixture
def read(desk, reception):
    """What is known of a call that was held with these settings, and its revisions."""

    def read(lines: Any = LINES, **settings: Any) -> tuple[Any, Any]:
        async def main() -> Any:
            phone, agent = reception(**settings)
            call = await phone.test(agent, lines, speed="max")
            return phone._log.reading(call.id), dict(enumerate((facts for _, facts in phone._log.revision_facts()), start=1))

        return desk.run(main())

    return read


def detail(call: Any, number: int, revisions: Any) -> dict[str, Any]:
    turn = next(turn for turn in call.turns if turn.facts.turn == number)
    return turn_detail(turn, revisions.get(turn.facts.revision))


def test_a_call_is_a_line_with_its_gap_its_cost_and_its_end(read):
    call, _ = read()
    row = call_row(call)
    assert (row["agent"], row["revisions"], row["kind"], row["source"], row["turns"]) == ("reception", [1], "test", "3 lines", 3)
    assert row["caller"] == "+1•••••0001"
    assert row["gap_ms"] == pytest.approx(call.gap_ms(0.5))
    assert (row["ended"], row["error"]) == ("caller hung up", "")
    assert (row["usd"], row["unknown"]) == (pytest.approx(call.total.usd), [])


CASES = [
    # its direction, what its carrier told, how it ended; who it was with, how it stands, what is remarked
    ("outbound", [("dialed", {"carrier_call_id": "CA1"})], None, ("call to •••77", "dialing", [])),
    ("inbound", [("incoming", {"carrier_call_id": "CA1"})], None, ("call from •••34", "ringing", [])),
    (
        "outbound", [("carrier_status", {"status": "busy", "reason": None})], "busy",
        ("call to •••77", "busy", ["The line is busy: call again later."]),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("direction", "events", "end", "expected"), CASES)
def test_a_call_that_nobody_answered_is_a_line_without_a_length(direction, events, end, expected):
    log = CallLog(None)
    log.begin(
        CallFacts(
            call_id="c", agent="reception", revision=1, direction=direction, carrier="twilio", source="telephone",
            caller="+12125550134", callee="+12125559877", started_at=datetime.now(UTC),
        )
    )  # fmt: skip
    for kind, data in events:
        log.event("c", 0.0, kind, data)
    if end is not None:
        log.finish("c", duration_seconds=0.0, end_reason=end)
    row = call_row(log.reading("c"))
    assert (row["who"], row["standing"], row["remarks"]) == expected
    assert (row["seconds"], row["over"], row["turns"], row["gap_ms"], row["usd"]) == (None, end is not None, 0, None, 0.0)
    assert "5550134" not in str(row)
    assert "5559877" not in str(row)


def test_a_cost_that_is_not_known_says_why(read):
    call, _ = read(tts=ScriptedTTS())
    row = call_row(call)
    assert (row["usd"], row["usd_told"], row["unknown"]) == (None, "unknown", ["no price of tts scripted/tones"])


def test_a_turn_is_a_line_with_what_was_heard_and_what_was_not(read):
    call, _ = read()
    rows = {turn.facts.turn: turn_row(turn) for turn in call.turns}
    assert (rows[0]["kind"], rows[0]["heard"]) == ("greeting", "Acme, good evening!")
    assert (rows[0]["bar"], rows[0]["gap_ms"]) == (None, None)
    assert (rows[1]["said"], rows[1]["heard"]) == ("A table for two, please", "Table four is free for two at seven.")
    assert (rows[1]["unheard"], rows[1]["marks"]) == ("Under which name shall I put it aside?", ["interrupted"])
    assert (rows[1]["tools"], rows[3]["guardrails"]) == (1, 1)


def test_the_spans_of_a_turn_add_up_to_its_gap_and_name_whose_time_they_are(read):
    call, revisions = read()
    turn = detail(call, 2, revisions)
    known = [float(span["ms"].replace("\u2009", "")) for span in turn["spans"] if span["ms"] not in ("–", "<1")]
    assert sum(known) == pytest.approx(turn["gap_ms"], abs=2)
    endpointing = turn["spans"][0]
    assert (endpointing["name"], endpointing["owner"], endpointing["ms"]) == ("endpointing", "hangover_ms", "320")
    assert turn["spans"][-1]["column"] == "unexplained_ms"
    stall = next(span for span in turn["spans"] if span["name"] == "stall")
    assert (stall["ms"], stall["why"]) == ("–", "virtual time has no stalls")
    assert {span["column"] for span in turn["spans"]} <= set(legend())


def test_a_turn_without_a_gap_says_why_and_patters_missing_fields_do_too(read):
    call, revisions = read()
    greeting = detail(call, 0, revisions)
    assert (greeting["spans"], greeting["gap_reason"]) == ([], "a turn of kind 'greeting' answers no caller speech")
    missing = {field["name"]: field["why"] for field in greeting["patter"] if field["ms"] == "–"}
    assert missing["llm_ttft_ms"] != ""


def test_a_turn_tells_its_tools_guardrails_costs_and_the_prompt_it_was_answered_with_numbers_masked(read):
    call, revisions = read()
    first, last = detail(call, 1, revisions), detail(call, 3, revisions)
    (ran,) = first["runs"]
    assert (ran["name"], ran["arguments"], ran["state"]) == ("free_table", '{"guests": 2}', "returned")
    assert ran["result"] == "Table four is free for 2, says +1•••••4321."
    assert [(hit["name"], hit["matched"]) for hit in last["hits"]] == [("others", "grand palace")]
    assert [cost["part"] for cost in last["costs"]] == ["stt", "llm", "tts", "total"]
    assert last["costs"][2]["usd"].startswith("$")
    assert first["configured"]["prompt"] == "You are the receptionist. Ring +1•••••4321."
    assert first["configured"]["first_message"] == "Acme, good evening!"


def test_what_went_wrong_in_a_turn_is_told(read):
    @tool
    def look() -> str:
        """Look."""
        raise ValueError("the book is closed")

    llm = ScriptedLLM([[ToolRequest("t1", "look", "{}")], "I cannot see it.", "Second."], fails_at=2)
    call, revisions = read(["One?", "Two?"], llm=llm, tools=[look], stt=ScriptedSTT(["one", "two"]), guardrails=[])
    (ran,) = detail(call, 1, revisions)["runs"]
    assert (ran["state"], "the book is closed" in ran["result"], ran["arguments"]) == ("failed", True, "")
    failed = next(turn for turn in call.turns if turn.facts.error)
    assert turn_detail(failed, None)["errors"][0] == failed.facts.error
    assert turn_detail(failed, None)["configured"] is None
