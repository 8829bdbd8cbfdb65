"""A call kept from its stream: what each event changes, what a page is told of it, and that it stays small."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from patter_nb.callers import Line
from patter_nb.notebook.studio.live_state import MOST_BARS, MOST_LINES, LiveState
from patter_nb.notebook.studio.live_turn import ClosedTurn, closed_turn


def happened(kind: str, at: float = 1.0, **data: Any) -> Any:
    return SimpleNamespace(kind=kind, at=at, data=data)


def after(*events: Any) -> LiveState:
    state = LiveState()
    for event in events:
        state.take(event)
    return state


def closed(number: int = 1, **fields: Any) -> ClosedTurn:
    usual = {"kind": "caller", "at": 2.0, "said": "one", "overlap": "", "generated": "Yes.", "heard": "Yes.", "gap": ""}
    given: dict[str, Any] = {**usual, **fields}
    return ClosedTurn(number=number, **given)


def texts(state: LiveState, *kinds: str) -> list[tuple[str, str]]:
    return [(line["kind"], line["text"]) for line in state if line["kind"] in (kinds or ("caller", "agent", "sign"))]


@pytest.fixture
def held(desk, reception):
    """A whole call with everything in it, as its stream told it."""

    async def main() -> tuple[Any, LiveState]:
        phone, agent = reception()
        lines = ["One?", Line("Two is what I want?", interrupt_after_seconds=2.0), "Three?"]
        call = await phone.test(agent, lines, speed="max")
        state, turns = LiveState(), phone._log.reading(call.id).turns
        async for event in call.stream():
            state.take(event)
            if event.kind == "metrics":
                state.close(closed_turn(next(turn for turn in turns if turn.facts.turn == event.data["turn"].turn_index)))
        return call, state

    return desk.run(main())


def test_a_call_reads_as_it_was_heard_with_its_tool_its_guardrail_and_what_was_cut_off(held):
    _, state = held
    assert [(line["kind"], line.get("text") or line.get("name")) for line in state] == [
        ("agent", "Acme, good evening!"), ("caller", "A table for two, please"), ("tool", "free_table"),
        ("agent", "Table four is free for two at seven."), ("caller", "It is Johnson"), ("agent", "Thank you, Mr Johnson."),
        ("caller", "Better than the palace?"), ("agent", "Yes. We speak for our own house."), ("guardrail", "others"),
    ]  # fmt: skip
    cut = next(line for line in state if line["kind"] == "agent" and line["turn"] == 1)
    assert (cut["unheard"], cut["marks"]) == ("Under which name shall I put it aside?", ["interrupted"])
    assert not any(line.get("live") for line in state)


def test_a_tool_is_told_with_its_arguments_its_result_and_its_time_numbers_masked(held):
    _, state = held
    (ran,) = [line for line in state if line["kind"] == "tool"]
    assert (ran["arguments"], ran["state"], ran["ms"]) == ('{"guests": 2}', "returned", "0")
    assert ran["result"] == "Table four is free for 2, says +1•••••4321."


def test_each_turn_of_the_caller_has_a_bar_whose_pieces_reach_from_the_last_word_to_the_first_sound(held):
    call, state = held
    gaps = call.turns.set_index("turn")["gap_ms"]
    assert list(state.bars) == [1, 2, 3]
    for number, bar in state.bars.items():
        assert bar["pieces"][0][1] == 0.0
        assert bar["length"] == pytest.approx(gaps[number], abs=0.1)
        assert bar["pieces"][-1][2] == bar["length"]
    assert [bar["cut"] for bar in state.bars.values()] == [True, False, False]


def test_the_head_knows_how_the_call_ended_and_what_it_cost(held):
    call, state = held
    assert (state.head["phase"], state.head["ending"], state.head["turns"]) == ("ended", "caller hung up", 3)
    assert state.head["duration"] == pytest.approx(call.duration_seconds)
    assert state.head["usd"].startswith("$") or state.head["unknown"]
    assert state.head["parts"]["telephony"] == "$0"


def test_interim_words_stand_after_the_final_ones_until_they_are_final():
    state = after(happened("user_speech_started"), happened("interim", text="how"), happened("interim", text="how much"))
    (line,) = state
    assert (line["text"], line["interim"], line["live"]) == ("", "how much", True)
    state.take(happened("transcript", role="user", text="How much is it?"))
    state.take(happened("interim", text="and"))
    (line,) = state
    assert (line["text"], line["interim"]) == ("How much is it?", "and")


def test_who_speaks_and_who_is_waited_for():
    state = after(happened("answered"), happened("user_speech_started"))
    assert state.head["caller"]
    state.take(happened("user_speech_ended", at=3.5))
    assert (state.head["caller"], state.head["waiting_at"]) == (False, 3.5)
    state.take(happened("user_speech_eos", turn_idx=1, transcript_so_far="One?"))
    assert state.head["thinking"]
    state.take(happened("agent_speech_started"))
    assert (state.head["agent"], state.head["thinking"], state.head["waiting_at"]) == (True, False, None)
    state.take(happened("agent_speech_ended"))
    assert not state.head["agent"]


def test_a_caller_who_goes_on_adds_to_the_line_of_his_turn():
    state = after(
        happened("user_speech_started"), happened("transcript", role="user", text="A table"),
        happened("user_speech_eos", turn_idx=1, transcript_so_far="A table"),
        happened("segment", turn_idx=1, reply=1, text="Which?"),
        happened("user_speech_started"), happened("transcript", role="user", text="for two"),
        happened("user_speech_eos", turn_idx=1, transcript_so_far="A table for two"),
        happened("segment", turn_idx=1, reply=2, text="Gladly."),
    )  # fmt: skip
    assert texts(state) == [("caller", "A table for two"), ("agent", "Gladly.")]
    assert state.changes()["gone"] != []


def test_words_over_the_agent_say_so_and_those_of_the_next_turn_do_not():
    state = after(happened("segment", turn_idx=1, reply=1, text="Yes."), happened("agent_speech_started"))
    state.take(happened("user_speech_started"))
    state.take(happened("transcript", role="user", text="mhm"))
    state.close(closed(overlap="mhm"))
    (over,) = [line for line in state if line["kind"] == "caller" and line["over"]]
    assert over["text"] == "mhm"
    state.take(happened("user_speech_started"))
    state.take(happened("user_speech_eos", turn_idx=2, transcript_so_far="Two?"))
    assert [line["over"] for line in state if line["kind"] == "caller"] == [False, True, False]


def test_a_turn_that_nobody_answered_keeps_its_words_in_one_line():
    state = after(happened("user_speech_started"), happened("transcript", role="user", text="Anyone?"))
    state.close(closed(said="Anyone?", generated="", heard=""))
    assert texts(state, "caller") == [("caller", "Anyone?")]
    assert texts(state, "agent") == [("agent", "")]


def test_a_sound_without_words_leaves_nothing_when_the_call_is_over():
    state = after(happened("user_speech_started"), happened("call_ended", at=9.0, end_reason="caller hung up", error=None))
    assert list(state) == []
    assert state.head["duration"] == 9.0


def test_a_call_that_failed_says_why():
    state = after(happened("call_ended", end_reason="failed", error="LocalSTT needs the package 'onnxruntime'."))
    assert (state.head["phase"], state.head["error"]) == ("failed", "LocalSTT needs the package 'onnxruntime'.")


def test_stalls_of_one_cell_that_follow_one_another_are_one_line():
    stalls = [happened("stall", at=at, seconds=0.3, cell=cell) for at, cell in ((1.0, 4), (1.5, 4), (2.0, 5), (9.0, 5))]
    state = after(*stalls)
    assert [(line["cell"], line["ms"]) for line in state] == [(4, "600"), (5, "300"), (5, "300")]
    assert (state.head["stalls"], state.head["stall_ms"]) == (4, pytest.approx(1200.0))


SIGNS = [
    (happened("dtmf", digit="4"), "the caller pressed 4"),
    (happened("muted"), "the agent was muted"),
    (happened("unmuted"), "the agent may speak again"),
]


@pytest.mark.parametrize(("event", "told"), SIGNS, ids=[told for _, told in SIGNS])
def test_a_sign_is_a_line(event, told):
    assert texts(after(event)) == [("sign", told)]


def test_a_tool_that_reports_fails_or_never_returns_says_so():
    state = after(
        happened("tool_called", at=1.0, id="a", name="look", arguments="{}"), happened("tool_progress", id="a", text="half"),
        happened("tool_called", at=1.0, id="b", name="book", arguments="{}"),
    )  # fmt: skip
    assert state.head["tools"] == ["look", "book"]
    assert [line["progress"] for line in state] == ["half", ""]
    state.take(happened("tool_returned", at=1.5, id="a", name="look", result=None, error="no such table"))
    state.take(happened("call_ended", end_reason="caller hung up", error=None))
    told = [(line["state"], line["result"], line["ms"]) for line in state]
    assert told == [("failed", "no such table", "500"), ("unanswered", "", "")]


def test_a_revision_is_a_line_and_in_the_head():
    state = after(happened("revision", revision=4, note="shorter"))
    (line,) = state
    assert (line["kind"], line["revision"], line["note"], state.head["revision"]) == ("revision", 4, "shorter", 4)


def test_a_page_is_told_only_what_is_new():
    state = after(happened("answered"), happened("segment", turn_idx=0, reply=1, text="Hello!"))
    first = state.changes()
    assert ([line["text"] for line in first["lines"]], first["head"]["phase"]) == (["Hello!"], "on")
    assert state.changes() == {"lines": [], "gone": [], "bars": [], "dropped": 0}
    state.take(happened("segment", turn_idx=0, reply=1, text="Good evening!"))
    again = state.changes()
    assert [line["text"] for line in again["lines"]] == ["Hello! Good evening!"]
    assert "head" not in again
    assert [line["text"] for line in state.everything()["lines"]] == ["Hello! Good evening!"]


def test_a_long_call_keeps_its_last_lines_and_bars_and_says_how_many_are_gone():
    state = LiveState()
    for number in range(1, 501):
        state.take(happened("segment", turn_idx=number, reply=number, text="Yes."))
        state.close(closed(number, bar={"turn": number}))
    assert len(state.lines) == MOST_LINES
    assert state.dropped == 2 * 500 - MOST_LINES
    assert list(state.bars) == list(range(501 - MOST_BARS, 501))
    assert state.head["turns"] == 500
