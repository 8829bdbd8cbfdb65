from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patter_nb.notebook.bars import BAR_HEIGHT
from patter_nb.notebook.picture import BOLD, Lines, Picture, Rect, Text, text_width
from patter_nb.notebook.view import CallView, caller_rows
from patter_nb.notebook.waterfall import (
    MOST_ROWS,
    SLOWEST,
    UNEXPLAINED,
    call_picture,
    chosen_rows,
    gap_of,
    pieces_of_row,
)

Make = Callable[..., CallView]
FAILURE = "LocalTTS failed in the middle of a reply: its worker process was killed. "
BROKEN = {"instants": {}, "heard_text": "", "error": FAILURE * 3}


def texts(picture: Picture) -> list[str]:
    return [shape.text for shape in picture.shapes if isinstance(shape, Text)]


def boxes(picture: Picture) -> Iterator[tuple[str, float, float, float, float]]:
    """Each shape's extent: what it is, left, top, right, bottom."""
    for shape in picture.shapes:
        if isinstance(shape, Rect):
            yield "rect", shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
        elif isinstance(shape, Lines):
            xs = [x for x1, _, x2, _ in shape.segments for x in (x1, x2)] or [0.0]
            ys = [y for _, y1, _, y2 in shape.segments for y in (y1, y2)] or [0.0]
            yield "lines", min(xs), min(ys), max(xs), max(ys)
        else:
            width = text_width(shape.text, shape.size) * (BOLD if shape.bold else 1)
            left = shape.x - {"start": 0, "middle": width / 2, "end": width}[shape.anchor]
            yield shape.text, left, shape.y - shape.size * 0.8, left + width, shape.y + shape.size * 0.25


def assert_tidy(picture: Picture) -> None:
    """Nothing leaves the picture, and no text lies over another one."""
    found = list(boxes(picture))
    for what, left, top, right, bottom in found:
        inside = left >= -9 and top >= -1 and right <= picture.width + 9 and bottom <= picture.height + 1
        assert inside, (what, left, top, right, bottom)
    words = [box for box in found if box[0] not in ("rect", "lines")]
    for (a, left, top, right, bottom), (b, *other) in itertools.combinations(words, 2):
        apart = right <= other[0] + 0.01 or other[2] <= left + 0.01 or bottom <= other[1] + 0.01 or other[3] <= top + 0.01
        assert apart, (a, b)


CASES = {
    "no turns": {"count": 0},
    "no turns, no speech": {"count": 0, "speech": ()},
    "running": {"count": 0, "state": "running", "speech": (), "duration_seconds": 0.0},
    "one turn": {"count": 1},
    "six turns": {"count": 6},
    "as many as fit": {"count": MOST_ROWS},
    "one too many": {"count": MOST_ROWS + 1},
    "forty turns": {"count": 40, "cut": tuple(range(1, 40, 3))},
    "a failed turn": {"count": 3, "changes": {2: BROKEN}},
    "nothing measured": {"count": 3, "changes": dict.fromkeys((1, 2, 3), BROKEN)},
    "forty, nothing measured": {"count": 40, "changes": dict.fromkeys(range(1, 41), BROKEN)},
    "long words": {"count": 2, "changes": {1: {"caller_text": "really " * 60}, 2: {"caller_text": "晚饭" * 60}}},
    "no pieces known": {"count": 4, "pieces": {}},
    "keys, and a turn while the agent was mute": {
        "count": 3,
        "changes": {
            1: {"instants": {}, "caller_text": "[DTMF: 42#]"},
            2: {**BROKEN, "error": None, "agent_text": "", "reply": 0},
        },
    },
}


@pytest.mark.parametrize("width", [300, 560, 880, 1400])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_call_has_a_tidy_picture(make_view: Make, case: dict, width: float) -> None:  # type: ignore[type-arg]
    assert_tidy(call_picture(make_view(**case), width=width))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=st.lists(st.one_of(st.just(math.nan), st.floats(0, 60_000)), max_size=20), width=st.floats(560, 1500))
def test_a_picture_is_tidy_whatever_the_gaps_are(make_view: Make, gaps: list[float], width: float) -> None:
    view = make_view(len(gaps), pieces={})
    turns = view.turns.copy()
    turns.loc[turns["kind"] == "caller", "gap_ms"] = gaps
    assert_tidy(call_picture(replace(view, turns=turns), width=width))


def test_few_turns_are_all_shown_and_many_by_their_slowest_in_the_order_of_the_call(make_view: Make) -> None:
    few, many = caller_rows(make_view(MOST_ROWS)), caller_rows(make_view(40))
    assert chosen_rows(few) == few
    shown = chosen_rows(many)
    assert [row["turn"] for row in shown] == sorted(row["turn"] for row in shown)
    assert sorted((gap_of(row) for row in shown), reverse=True) == sorted(map(gap_of, many), reverse=True)[:SLOWEST]


def test_a_selection_is_said_and_everyone_has_a_tick(make_view: Make) -> None:
    picture = call_picture(make_view(40))
    assert f"Reply gap: the {SLOWEST} slowest of 40 turns" in texts(picture)
    assert "all 40 turns" in texts(picture)
    assert any(isinstance(shape, Lines) and shape.stroke == "agent" and len(shape.segments) == 40 for shape in picture.shapes)


def test_each_bar_ends_with_its_total_and_an_interrupted_one_is_marked(make_view: Make) -> None:
    view = make_view(3, cut=(2,))
    said = texts(call_picture(view))
    for row in caller_rows(view):
        assert f"{row['gap_ms']:.0f} ms" in said
    assert said.count("cut") == 1
    assert "interrupted once" in said


def test_bars_are_as_long_as_the_gaps(make_view: Make) -> None:
    view = make_view(2)
    picture = call_picture(view)
    gaps = [gap_of(row) for row in caller_rows(view)]
    told = {shape.text: shape.x - 8 for shape in picture.shapes if isinstance(shape, Text)}
    left = min(shape.x for shape in picture.shapes if isinstance(shape, Rect) and shape.height == BAR_HEIGHT)
    first, second = (told[f"{gap:.0f} ms"] - left for gap in gaps)
    assert first / second == pytest.approx(gaps[0] / gaps[1])


def test_without_pieces_the_known_spans_stand_in_a_row_and_the_rest_is_unexplained(make_view: Make) -> None:
    row = {"turn": 1, "gap_ms": 500.0, "endpointing_ms": 300.0, "stt_final_ms": math.nan, "llm_first_token_ms": 50.0}
    pieces = pieces_of_row(make_view(0), row)
    assert pieces == (("endpointing_ms", 0.0, 300.0), ("llm_first_token_ms", 300.0, 350.0), (UNEXPLAINED, 350.0, 500.0))


def test_the_reading_tells_medians_n_and_only_colours_that_are_there(make_view: Make) -> None:
    view = make_view(6)
    said = texts(call_picture(view))
    assert f"median {view.latency.at['gap_ms', 'p50']:.0f} ms, n = 6" in said
    assert f"endpointing {view.latency.at['endpointing_ms', 'p50']:.0f}" in said
    assert not any(text.startswith("stall") for text in said)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (BROKEN, "no reply: LocalTTS failed"),
        ({"instants": {}, "heard_text": ""}, "no reply was heard"),
        ({"instants": {}}, "gap not measured"),
        ({"instants": {}, "caller_text": "[DTMF: 42#]"}, "no gap: keys were pressed"),
        ({"instants": {}, "caller_text": "[DTMF: 42#]", "heard_text": ""}, "no reply was heard"),
    ],
)
def test_a_turn_without_a_gap_says_why(make_view: Make, change: dict, why: str) -> None:  # type: ignore[type-arg]
    assert any(text.startswith(why) for text in texts(call_picture(make_view(2, changes={1: change}))))


def test_a_call_without_turns_says_so(make_view: Make) -> None:
    assert "The caller took no turn." in texts(call_picture(make_view(0)))
    assert "The caller has not taken a turn yet." in texts(call_picture(make_view(0, state="running")))
