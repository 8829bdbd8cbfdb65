from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests_of_plots_tables import SHARES, fake_turns, lines, rects, texts

from patter_nb.errors import ConfigError
from patter_nb.frames.plots.waterfall import middle_turns, waterfall_picture
from patter_nb.notebook.bars import BAR_HEIGHT
from patter_nb.notebook.picture import Picture, Rect
from patter_nb.notebook.theme import stage_role
from patter_nb.notebook.waterfall import SLOWEST


def widths_ms(picture: Picture, column: str) -> list[float]:
    """How long the pieces of a span are, row by row, in ms of the axis."""
    assert picture.area is not None
    per_ms = picture.area.width / picture.area.across[1]
    return [(bar.width + 1) / per_ms for bar in rects(picture, stage_role(column)) if bar.height == BAR_HEIGHT]


def reading(picture: Picture) -> str:
    return picture.description


def test_each_turn_has_its_spans_as_long_as_they_took() -> None:
    turns = fake_turns(6)
    picture = waterfall_picture(turns)
    for column in ("endpointing_ms", "tts_first_byte_ms"):
        assert widths_ms(picture, column) == pytest.approx(turns[column].tolist())
    for gap in turns["gap_ms"]:
        assert any(text.replace("\u2009", "") == f"{gap:.0f} ms" for text in texts(picture))


def test_of_many_turns_the_slowest_are_shown_in_the_order_of_time_and_everyone_has_a_tick() -> None:
    turns = fake_turns(40, 4)
    picture = waterfall_picture(turns)
    slowest = turns.nlargest(SLOWEST, "gap_ms").sort_values("started_at")
    assert widths_ms(picture, "endpointing_ms") == pytest.approx(slowest["endpointing_ms"].tolist())
    assert len(lines(picture, "agent")[0].segments) == 40
    assert f"Where the wait went: the {SLOWEST} slowest of 40 turns in 4 calls" in texts(picture)


def test_several_calls_are_numbered() -> None:
    picture = waterfall_picture(fake_turns(6, 2))
    numbers = [text for text in texts(picture) if " · " in text and text[0].isdigit()]
    assert numbers == ["1 · 1", "1 · 2", "1 · 3", "2 · 1", "2 · 2", "2 · 3"]
    assert "numbered call · turn" in texts(picture)
    assert "numbered call · turn" not in texts(waterfall_picture(fake_turns(6)))


def test_the_reading_tells_the_median_the_longest_and_what_took_most() -> None:
    turns = fake_turns(7, 2)
    told = reading(waterfall_picture(turns))
    assert f"Median {turns['gap_ms'].median():.0f} ms, longest {turns['gap_ms'].max():.0f} ms; 7 turns in 2 calls." in told
    assert "46% of all waiting was endpointing (hangover_ms), 2% is unexplained." in told


def test_the_mean_of_a_group_is_divided_to_the_last_millisecond() -> None:
    turns = fake_turns(60, 12, 2)
    picture = waterfall_picture(turns, "revision", "mean")
    means = turns.groupby("revision")[["gap_ms", *SHARES]].mean()
    assert widths_ms(picture, "endpointing_ms") == pytest.approx(means["endpointing_ms"].tolist())
    assert [text for text in texts(picture) if text.endswith(" ms") and text[0].isdigit()][-2:] != []
    for gap in means["gap_ms"]:
        assert f"{gap:.0f} ms" in texts(picture)


def test_the_median_of_a_group_shows_the_turns_around_it() -> None:
    turns = fake_turns(50, 10, 2)
    picture = waterfall_picture(turns, "revision")
    middles = [middle_turns(mine)["endpointing_ms"].mean() for _, mine in turns.groupby("revision")]
    assert widths_ms(picture, "endpointing_ms") == pytest.approx(middles)
    for gap in turns.groupby("revision")["gap_ms"].median():
        assert f"{gap:.0f} ms" in texts(picture)


@pytest.mark.parametrize(
    ("count", "middle"), [(1, [0]), (2, [0, 1]), (3, [1]), (4, [1, 2]), (5, [2]), (10, [4, 5]), (21, [8, 9, 10, 11, 12])]
)
def test_the_middle_turns_are_a_fifth_of_them_around_the_median(count: int, middle: list[int]) -> None:
    turns = pd.DataFrame({"gap_ms": np.random.default_rng(2).permutation(count).astype(float)})
    assert middle_turns(turns)["gap_ms"].tolist() == middle
    assert middle_turns(turns)["gap_ms"].mean() == turns["gap_ms"].median()


def test_with_enough_calls_the_interval_is_drawn_and_with_fewer_n_is_said_to_be_too_small() -> None:
    enough, few = (waterfall_picture(fake_turns(60, calls, 1), "revision") for calls in (12, 3))
    (whisker,) = lines(enough, "ink")
    assert enough.area is not None
    low, high = (each for each in whisker.segments[0][::2])
    assert low < enough.area.x_of(fake_turns(60, 12, 1)["gap_ms"].median()) < high
    assert lines(few, "ink") == []
    assert "n too small" in texts(few)


@pytest.mark.parametrize(
    ("turns", "verdict"),
    [
        (fake_turns(18, 3, 2), "too few to tell"),
        (fake_turns(600, 60, 2, better_ms=150), "the difference is"),
        (fake_turns(600, 60, 2, better_ms=0), "too few to tell"),
    ],
    ids=["few calls", "many calls and a difference", "many calls and none"],
)
def test_two_revisions_differ_only_where_the_data_can_tell(turns: pd.DataFrame, verdict: str) -> None:
    medians = turns.groupby("revision")["gap_ms"].median()
    told = reading(waterfall_picture(turns, "revision"))
    change = medians[2] - medians[1]
    compared = f"{medians[2]:.0f} ms, {abs(change):.0f} ms {'less' if change < 0 else 'more'} than revision 1"
    assert f"Median of revision 2 is {compared}" in told
    assert verdict in told


def test_a_span_that_was_not_measured_is_unexplained_in_the_mean_too() -> None:
    turns = fake_turns(6)
    turns.loc[:, "stt_final_ms"] = np.nan
    picture = waterfall_picture(turns, "revision", "mean")
    hatched = [bar for bar in rects(picture, "raised") if bar.height == BAR_HEIGHT]
    assert picture.area is not None
    per_ms = picture.area.width / picture.area.across[1]
    rest = turns["gap_ms"] - turns[[name for name in SHARES if name != "stt_final_ms"]].sum(axis=1)
    assert [(bar.width + 1) / per_ms for bar in hatched] == pytest.approx([rest.mean()])
    assert isinstance(hatched[0], Rect)


def test_a_statistic_that_is_neither_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"statistic is 'p95'; it must be 'median' or 'mean'\."):
        waterfall_picture(fake_turns(3), "revision", "p95")  # type: ignore[arg-type]
