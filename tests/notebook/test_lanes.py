from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from patter_nb.notebook.lanes import GUTTER, HEIGHT, lane_shapes
from patter_nb.notebook.picture import Lines, Rect, Shape, Text
from patter_nb.notebook.view import Speech

STRETCHES = st.builds(
    lambda who, start, length, cut: Speech(who, start, start + length, cut),
    st.sampled_from(["caller", "agent"]), st.floats(0, 700), st.floats(0, 60), st.booleans(),
)  # fmt: skip


def blocks(shapes: list[Shape], who: str) -> list[Rect]:
    return [shape for shape in shapes if isinstance(shape, Rect) and shape.fill == who]


@given(st.lists(STRETCHES, max_size=60), st.floats(0, 800))
def test_lanes_keep_their_place_whatever_was_said(speech: list[Speech], seconds: float) -> None:
    shapes = lane_shapes(speech, seconds, top=100, width=880)
    for block in (*blocks(shapes, "caller"), *blocks(shapes, "agent")):
        assert block.x >= GUTTER
        assert block.x + block.width <= 880 + 1.5
        assert 100 <= block.y <= block.y + block.height <= 100 + HEIGHT


def test_the_caller_is_above_the_agent_and_time_is_to_scale() -> None:
    shapes = lane_shapes([Speech("caller", 10, 20), Speech("agent", 20, 40)], 100, top=0, width=GUTTER + 1 + 500)
    (caller,), (agent,) = blocks(shapes, "caller"), blocks(shapes, "agent")
    assert caller.y < agent.y
    assert (caller.x - GUTTER, caller.width, agent.x - GUTTER, agent.width) == (50, 50, 100, 100)


def test_an_interruption_is_marked_where_it_happened_and_counted() -> None:
    speech = [Speech("agent", 1, 3, True), Speech("agent", 5, 7), Speech("agent", 8, 9, True)]
    shapes = lane_shapes(speech, 10, top=0, width=GUTTER + 1 + 100)
    marks = [shape.segments[0][0] - GUTTER for shape in shapes if isinstance(shape, Lines) and shape.stroke == "accent"]
    assert marks == [30, 90]
    assert [shape.text for shape in shapes if isinstance(shape, Text) and shape.fill == "accent"] == ["interrupted 2 times"]
