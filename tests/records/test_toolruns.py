"""Executions of tools."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from patter_nb.records.facts import CallFacts, EventFacts
from patter_nb.records.log import CallLog
from patter_nb.records.readings import LATE_TOOL, TOOL_PROGRESS, CallReading
from patter_nb.records.store import Store
from patter_nb.records.tables import tools_frame
from patter_nb.records.toolruns import tool_runs
from patter_nb.turns.facts import ToolRun, TurnFacts

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]
Read = Callable[..., CallReading]

BOOK = ToolRun("t1", "book", '{"seats": 2}', "booked", None, called_at=2.5, returned_at=2.75, attempts=2)
CANCELLED = ToolRun("t2", "pay", "{}", None, "cancelled", called_at=3.0, attempts=3)


def late(turn: int = 1, identity: str = "t2", at: float = 9.5, **outcome: Any) -> EventFacts:
    data = {"turn": turn, "reply": turn, "id": identity, "result": None, "error": None, "at": at, **outcome}
    return EventFacts(at, LATE_TOOL, data)


def progress(identity: str, text: str = "still looking") -> EventFacts:
    return EventFacts(2.6, TOOL_PROGRESS, {"id": identity, "name": "book", "text": text})


def test_an_execution_has_a_row_with_its_turn_and_its_figures(turn: Turn, read: Read) -> None:
    found = tools_frame([read(turn(1, tools=(BOOK,), revision=3), events=(progress("t1"), progress("t1"), progress("other")))])
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    assert rows == [
        {
            "call_id": "call_1", "turn": 1, "revision": 3, "id": "t1", "name": "book", "arguments": '{"seats": 2}',
            "result": "booked", "error": None, "called_at": 2.5, "ms": 250.0, "attempts": 2, "progress": 2, "late": False,
        }
    ]  # fmt: skip


def test_executions_stand_in_the_order_in_which_they_were_asked_for(turn: Turn, read: Read) -> None:
    calls = [read(turn(0, kind="greeting"), turn(1, tools=(BOOK, CANCELLED)), turn(2, tools=(replace(BOOK, id="t3"),)))] * 2
    assert tools_frame(calls)[["turn", "id"]].to_numpy().tolist() == [[1, "t1"], [1, "t2"], [2, "t3"]] * 2


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (CANCELLED, "it did not return"),
        (ToolRun("t4", "pay", "{}", "done"), "the row is of a version that knew no times"),
        (ToolRun("t5", "pay", "{}", "done", None, None, 4.0), "nobody knows when it was asked for"),
    ],
)
def test_without_both_instants_there_is_no_length(run: ToolRun, why: str, turn: Turn, read: Read) -> None:
    (found,) = tool_runs(read(turn(1, tools=(run,))))
    assert math.isnan(found.ms), why
    assert found.late is False


@pytest.mark.parametrize(("result", "error"), [("paid", None), (None, "the card was refused")])
def test_what_returns_after_its_row_takes_the_place_of_the_cancelled_outcome(
    result: str | None, error: str | None, turn: Turn, read: Read
) -> None:
    reading = read(turn(1, tools=(BOOK, CANCELLED)), events=(late(result=result, error=error),))
    first, second = tool_runs(reading)
    assert (first.run, first.late) == (BOOK, False)
    assert second.run == ToolRun("t2", "pay", "{}", result, error, 3.0, 9.5, 3)
    assert (second.late, second.ms) == (True, 6500.0)
    assert reading.turns[0].facts.tools[1] is CANCELLED


def test_an_id_that_a_model_uses_again_in_a_later_turn_is_another_execution(turn: Turn, read: Read) -> None:
    again = replace(CANCELLED, called_at=12.0)
    reading = read(turn(1, tools=(CANCELLED,)), turn(2, tools=(again,)), events=(late(1, result="paid"),))
    first, second = tool_runs(reading)
    assert (first.run.result, first.late) == ("paid", True)
    assert (second.run, second.late) == (again, False)


def test_a_late_result_of_an_execution_that_no_row_has_changes_nothing(turn: Turn, read: Read) -> None:
    (found,) = tool_runs(read(turn(1, tools=(BOOK,)), events=(late(identity="gone", result="x"),)))
    assert found.run == BOOK


def test_numbers_in_arguments_results_and_errors_are_masked(turn: Turn, read: Read) -> None:
    number = "+15557654321"
    told = ToolRun("t1", "dial", f'{{"to": "{number}"}}', f"rang {number}", f"busy: {number}", 1.0, 2.0)
    found = tools_frame([read(turn(1, tools=(told,)))])
    assert "7654321" not in found.to_csv()
    shown = [found[name].tolist() for name in ("arguments", "result", "error")]
    assert shown == [['{"to": "+1•••••4321"}'], ["rang +1•••••4321"], ["busy: +1•••••4321"]]


def test_the_log_and_the_store_show_the_same_executions(log: CallLog, store: Store, call: Call, turn: Turn) -> None:
    for name in ("a", "b"):
        log.begin(call(name))
        log.event(name, 2.6, TOOL_PROGRESS, progress("t1").data)
        log.turn(name, turn(1, tools=(BOOK, CANCELLED)))
    log.event("b", 9.5, LATE_TOOL, late(result="paid +15557654321").data)
    assert log.flush(10)
    for frame in (log.tools_log(), store.tools_log()):
        assert frame["call_id"].tolist() == ["a", "a", "b", "b"]
        assert frame["late"].tolist() == [False, False, False, True]
        assert frame["progress"].tolist() == [1, 0, 1, 0]
        assert frame["result"].tolist()[3] == "paid +1•••••4321"
    pd.testing.assert_frame_equal(store.tools_log(), log.tools_log())
    pd.testing.assert_frame_equal(log.call_tools("b"), log.tools_log().iloc[2:].reset_index(drop=True))
    assert log.call_turns("b")["tools"].tolist() == ["book, pay"]
