from __future__ import annotations

import math

import pandas as pd
import pytest

from patter_nb.notebook.view import (
    Execution,
    Speech,
    clock_text,
    flag,
    ms_text,
    number,
    speech_of,
    tools_of,
    usd_text,
    whole_text,
    words,
)


@pytest.mark.parametrize("missing", [None, pd.NA, math.nan, "", "x", object()])
def test_a_missing_value_is_nan_false_and_nothing(missing: object) -> None:
    assert math.isnan(number(missing))
    assert flag(missing) is False
    assert words(missing) in ("", "x")


def test_a_truth_is_a_truth_in_every_type() -> None:
    assert flag(True)
    assert flag(pd.array([True], dtype="boolean")[0])
    assert not flag(False)


def test_words_are_on_one_line_and_show_no_number() -> None:
    assert words("call\n +1 (555) 765-4321\tplease") == "call +1•••••4321 please"


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "–"), (0.0, "0"), (0.2, "<1"), (0.5, "<1"), (0.6, "1"), (-0.2, "0"), (812.4, "812"), (1234.6, "1\u2009235")],
)
def test_milliseconds_are_told_whole(value: float, text: str) -> None:
    assert ms_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "unknown"), (0.0, "$0"), (0.00034, "$0.00034"), (0.0214, "$0.02140"), (2.5, "$2.50")]
)
def test_an_unknown_price_is_never_nothing(value: float, text: str) -> None:
    assert usd_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(math.nan, "–"), (0, "0:00"), (59.6, "1:00"), (605, "10:05")])
def test_a_length_is_told_in_minutes_and_seconds(value: float, text: str) -> None:
    assert clock_text(value) == text


def test_thousands_are_parted_by_a_thin_space() -> None:
    assert whole_text(1234567.2) == "1\u2009234\u2009567"


def test_speech_comes_from_the_events_that_tell_of_it_in_the_order_of_time() -> None:
    events = [
        {"kind": "agent_speech", "started_at": 3.0, "ended_at": 4.0, "interrupted": True, "reply": 2},
        {"kind": "caller_speech", "started_at": 1.0, "ended_at": 2.0},
        {"kind": "caller_speech", "started_at": 5.0, "ended_at": None},
        {"kind": "loop_stall", "started_at": 0.0, "seconds": 1.0},
    ]
    assert speech_of(events) == (Speech("caller", 1.0, 2.0), Speech("agent", 3.0, 4.0, True))


def test_pieces_lie_where_the_spans_lay_and_fill_the_gap(make_view) -> None:  # type: ignore[no-untyped-def]
    view = make_view(6)
    gaps = {int(row["turn"]): row["gap_ms"] for row in view.turns.to_dict("records") if row["kind"] == "caller"}
    assert set(view.pieces) == set(gaps) == {1, 2, 3, 4, 5, 6}
    for turn, pieces in view.pieces.items():
        ends = [0.0, *(piece.ended_ms for piece in pieces)]
        assert [piece.started_ms for piece in pieces] == pytest.approx(ends[:-1])
        assert ends[-1] == pytest.approx(gaps[turn])


def test_an_unmeasured_turn_has_no_pieces(make_view) -> None:  # type: ignore[no-untyped-def]
    assert set(make_view(3, changes={2: {"instants": {}}}).pieces) == {1, 3}


def test_tools_stand_by_their_turn_in_the_order_in_which_they_were_asked_for() -> None:
    columns = {
        "turn": [1, 3, 1],
        "name": ["look", "book", "pay"],
        "ms": [20.0, 5.0, math.nan],
        "error": [pd.NA, "busy", "cancelled"],
    }
    found = tools_of(pd.DataFrame({name: pd.array(values) for name, values in columns.items()}))
    assert found.keys() == {1, 3}
    assert found[1][0] == Execution("look", 20.0, failed=False)
    assert (found[1][1].name, math.isnan(found[1][1].ms), found[1][1].failed) == ("pay", True, True)
    assert found[3] == (Execution("book", 5.0, failed=True),)
    assert tools_of(pd.DataFrame()) == {}
