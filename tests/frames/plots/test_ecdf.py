from __future__ import annotations

import math

import pandas as pd
import pytest
from tests_of_plots_tables import dots, fake_turns, lines, rects, texts

from patter_nb.errors import ConfigError
from patter_nb.frames.plots.ecdf import MOST_GROUPS, ecdf_picture
from patter_nb.notebook.picture import Picture


def one(*gaps: float, revision: int = 1) -> pd.DataFrame:
    """One call with these gaps."""
    return pd.DataFrame({"call_id": "a", "kind": "caller", "revision": revision, "gap_ms": list(gaps)})


def levels(picture: Picture, stroke: str) -> list[tuple[float, float]]:
    """Where the curve of this colour steps up: the ms and the share it steps to, in percent."""
    assert picture.area is not None
    area, (curve, *_) = picture.area, lines(picture, stroke)
    upright = [(x1, y2) for x1, y1, x2, y2 in curve.segments if x1 == x2 and y1 != y2]
    scale = area.across[1] / area.width
    return [((x - area.x) * scale, 100 - 100 * (y - area.y) / area.height) for x, y in upright]


def test_the_curve_steps_up_at_each_gap() -> None:
    steps = levels(ecdf_picture(one(400.0, 600.0, 800.0, 900.0), slo=None), "accent")
    assert [share for _, share in steps] == pytest.approx([25.0, 50.0, 75.0, 100.0])
    assert [ms for ms, _ in steps] == pytest.approx([400.0, 600.0, 800.0, 900.0], abs=1.0)  # a half pixel is 0.6 ms


def test_a_dot_and_the_table_tell_the_share_within_the_objective_which_counts_too() -> None:
    picture = ecdf_picture(one(400.0, 600.0, 800.0, 900.0), slo=800)
    assert picture.area is not None
    (dot,) = dots(picture)
    assert dot.points == ((picture.area.x_of(800.0), picture.area.y_of(75.0)),)
    assert "75%" in texts(picture)
    assert "within 800 ms" in texts(picture)
    (ground,) = rects(picture, "raised")
    assert ground.x + ground.width == pytest.approx(picture.area.x_of(800.0))


def test_the_table_has_n_and_percentiles_the_newest_first() -> None:
    turns = pd.concat([one(400.0, 600.0), one(500.0, 520.0, 530.0, revision=2)])
    said = texts(ecdf_picture(turns, slo=None))
    start = said.index("revision 2")
    assert said[start : start + 5] == ["revision 2", "3", "1", "520", "529"]
    assert said[start + 5 : start + 10] == ["revision 1", "2", "1", "500", "590"]


def test_of_too_few_calls_n_is_said_to_be_too_small_and_of_enough_the_interval_is_told() -> None:
    assert "n too small" in texts(ecdf_picture(fake_turns(20, 2)))
    said = texts(ecdf_picture(fake_turns(400, 40)))
    assert "n too small" not in said
    assert any(text.count(" to ") == 1 and text.endswith("%") for text in said)


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        (one(400.0, 600.0, 800.0, 900.0),
         "Revision 1: 75% of 4 turns in 1 call came within 800 ms, n too small for an interval; p95 is 885 ms."),
        (pd.concat([one(400.0, 900.0), one(500.0, 520.0, revision=2)]),
         "Revision 2: 100% within 800 ms, 50 points more than revision 1; 2 turns in 1 call: too few to tell."),
        (pd.concat([one(400.0), one(500.0, revision=2)]),
         "Revision 2: 100% within 800 ms, as many as revision 1; 1 turn in 1 call: too few to tell."),
    ],
    ids=["one revision", "two", "two alike"],
)  # fmt: skip
def test_the_reading_says_what_the_curves_say(turns: pd.DataFrame, told: str) -> None:
    assert told in ecdf_picture(turns).description


def test_a_difference_is_told_where_the_data_can_tell_it() -> None:
    turns = fake_turns(4000, 400, 2, better_ms=150)
    within = (turns["gap_ms"] <= 800).groupby(turns["revision"]).mean().mul(100).round()
    told = ecdf_picture(turns).description
    assert f"{within[2]:.0f}% within 800 ms, {within[2] - within[1]:.0f} points more than revision 1" in told
    low, high = (int(number) for number in told.split("the difference is ")[1].split(" points")[0].split(" to "))
    assert low < within[2] - within[1] < high


def test_without_an_objective_the_reading_is_of_p95() -> None:
    told = ecdf_picture(pd.concat([one(400.0, 900.0), one(500.0, 520.0, revision=2)]), slo=None).description
    assert "p95 of revision 2 is 519 ms, 356 ms less than revision 1; 2 turns in 1 call: too few to tell." in told


def test_of_many_groups_the_last_are_shown_and_that_is_said() -> None:
    picture = ecdf_picture(fake_turns(40, 1, 20))
    shown = [text for text in texts(picture) if text.startswith("revision ")]
    assert shown == [f"revision {number}" for number in range(20, 20 - MOST_GROUPS, -1)]
    assert "the last 12 of 20" in picture.description


def test_what_lies_beyond_the_edge_and_what_has_no_gap_is_counted() -> None:
    turns = one(*[500.0] * 30, 60_000.0, math.nan, math.nan)
    told = ecdf_picture(turns).description
    assert "beyond the edge: 1 turn, the longest 60\u2009000 ms; 2 turns without a gap left out" in told


def test_groups_may_be_of_several_columns() -> None:
    turns = pd.concat([one(400.0), one(500.0, revision=2)]).assign(carrier=["twilio", None])
    said = texts(ecdf_picture(turns, by=["revision", "carrier"]))
    assert "revision 1 · twilio" in said
    assert "revision 2 · no carrier" in said


@pytest.mark.parametrize("slo", [0, -5, math.inf, math.nan, "800", True])
def test_an_objective_that_is_none_is_refused(slo: object) -> None:
    with pytest.raises(ConfigError, match=r"slo is .*; it must be a number of milliseconds above 0, or None for no objective\."):
        ecdf_picture(one(400.0), slo)  # type: ignore[arg-type]
