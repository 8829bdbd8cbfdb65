from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests_of_plots_tables import CASES, dots, fake_turns, lines, rects, texts

from patter_nb.frames.plots.timeline import BANDS, MOST_DOTS, timeline_picture
from patter_nb.notebook.picture import Lines, Picture, Text


def points(picture: Picture) -> list[tuple[float, float]]:
    """Each dot, in the coordinates of the data."""
    assert picture.area is not None
    area, (found,) = picture.area, dots(picture)
    (left, right), (top, bottom) = area.across, area.down
    scale = (right - left) / area.width, (bottom - top) / area.height
    return [(left + (x - area.x) * scale[0], top + (y - area.y) * scale[1]) for x, y in found.points]


def test_a_call_lies_by_its_own_clock() -> None:
    turns = fake_turns(6)
    seconds, gaps = zip(*points(timeline_picture(turns)), strict=True)
    assert seconds == pytest.approx(((turns["started_at"] - turns["started_at"].min()).dt.total_seconds()).tolist())
    assert gaps == pytest.approx(turns["gap_ms"].tolist())


def test_the_clock_begins_with_the_first_turn_also_when_that_is_a_greeting() -> None:
    turns = fake_turns(3)
    before = turns["started_at"].min() - pd.Timedelta(seconds=4)
    greeting = turns.iloc[:1].assign(kind="greeting", gap_ms=np.nan, started_at=before)
    (first, _), *_ = points(timeline_picture(pd.concat([greeting, turns])))
    assert first == pytest.approx(4.0)


def test_several_calls_lie_in_a_row_in_the_order_of_time_whatever_the_order_of_the_table() -> None:
    turns = fake_turns(12, 3)
    found = points(timeline_picture(turns.sample(frac=1.0, random_state=1)))
    assert [x for x, _ in found] == pytest.approx(range(1, 13))
    assert [gap for _, gap in found] == pytest.approx(turns["gap_ms"].tolist())


def test_calls_that_were_on_at_the_same_time_lie_one_after_the_other() -> None:
    turns = fake_turns(12, 3, 3)
    seconds = turns.groupby("call_id").cumcount() * 7.3 + turns["revision"].astype(float)
    turns["started_at"] = turns["started_at"].min() + pd.to_timedelta(seconds, unit="s")
    picture = timeline_picture(turns.sample(frac=1.0, random_state=1))
    assert [gap for _, gap in points(picture)] == pytest.approx(turns["gap_ms"].tolist())
    assert len([shape for shape in lines(picture, "accent") if shape.width == 1.8]) == 3


def test_each_revision_begins_at_a_line_and_has_its_median() -> None:
    turns = fake_turns(30, 3, 3)
    picture = timeline_picture(turns)
    assert picture.area is not None
    starts = [shape for shape in lines(picture, "muted") if shape.dash]
    assert [shape.segments[0][0] for shape in starts] == pytest.approx([picture.area.x_of(at) for at in (0.5, 10.5, 20.5)])
    medians = [shape.segments[0][1] for shape in lines(picture, "accent") if shape.width == 1.8]
    assert medians == pytest.approx([picture.area.y_of(gap) for gap in turns.groupby("revision")["gap_ms"].median()])
    assert [text for text in texts(picture) if text.startswith("revision ")] == ["revision 1", "revision 2", "revision 3"]


def test_a_revision_whose_turns_lie_between_those_of_others_has_no_median_line() -> None:
    turns = fake_turns(12, 2)
    turns["revision"] = [1, 2] * 6
    picture = timeline_picture(turns)
    assert [shape for shape in lines(picture, "accent") if shape.width == 1.8] == []


def test_interruptions_stalls_and_missing_gaps_have_a_lane_each_with_a_tick_at_their_turn() -> None:
    turns = CASES["one call"]()
    picture = timeline_picture(turns)
    assert picture.area is not None
    since = (turns["started_at"] - turns["started_at"].min()).dt.total_seconds()
    happened = {"accent": turns["interrupted"].astype(bool), "error": turns["loop_stall_ms"] > 0, "muted": turns["gap_ms"].isna()}
    for role, which in happened.items():
        (lane,) = (shape for shape in lines(picture, role) if shape.width == 2.5)
        assert [segment[0] for segment in lane.segments] == pytest.approx([picture.area.x_of(at) for at in since[which]])
    assert {"interrupted", "loop stalled", "no gap"} <= set(texts(picture))
    told = picture.description
    assert "2 replies interrupted; the loop stood still in 1 turn, for 1\u2009200 ms at most." in told


def test_what_did_not_happen_has_no_lane() -> None:
    turns = fake_turns(5).assign(interrupted=False)
    assert not {"interrupted", "loop stalled", "no gap"} & set(texts(timeline_picture(turns)))


def test_a_gap_beyond_the_edge_is_told_at_its_place() -> None:
    picture = timeline_picture(CASES["a gap of a minute"]())
    assert picture.area is not None
    (label,) = (shape for shape in picture.shapes if isinstance(shape, Text) and shape.text == "60\u2009000 ↑")
    assert label.x == pytest.approx(picture.area.x_of(18.0) + 7)


def test_very_many_turns_are_bands_of_equally_many_with_their_median() -> None:
    turns = fake_turns(MOST_DOTS + 500, 50)
    picture = timeline_picture(turns)
    assert picture.area is not None
    assert dots(picture) == []
    bands = [rect for rect in rects(picture, "line") if rect.height > 10 and rect.y > picture.area.y]
    assert len(bands) == BANDS
    first = turns["gap_ms"].iloc[: len(turns) // BANDS]
    assert bands[0].y == pytest.approx(picture.area.y_of(first.quantile(0.95)))
    assert bands[0].y + bands[0].height == pytest.approx(picture.area.y_of(first.quantile(0.05)))
    middle = next(shape for shape in lines(picture, "agent") if isinstance(shape, Lines))
    assert middle.segments[0][1] == pytest.approx(picture.area.y_of(first.median()))


def test_the_reading_compares_the_last_two_revisions_and_says_when_that_is_too_little() -> None:
    turns = fake_turns(14, 3, 2)
    medians = turns.groupby("revision")["gap_ms"].median()
    less = f"{medians[2]:.0f} ms, {medians[1] - medians[2]:.0f} ms less than revision 1"
    told = f"Median of revision 2 is {less}; 4 turns in 1 call: too few to tell"
    assert told in timeline_picture(turns).description


def test_one_revision_is_read_by_its_median_and_its_longest_gap() -> None:
    turns = fake_turns(9)
    gaps = turns["gap_ms"]
    told = f"Revision 1: the median gap is {gaps.median():.0f} ms, the longest {gaps.max():.0f} ms; 9 turns in 1 call"
    assert told in timeline_picture(turns).description
