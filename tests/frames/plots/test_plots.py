"""What every plot keeps to, whatever the table: nothing lies over anything else, nothing leaves the canvas, nobody is warned."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from tests_of_plots_tables import CASES, fake_events, fake_turns

from patter_nb.errors import ConfigError
from patter_nb.frames import accessor, plots
from patter_nb.notebook.figure import figure_png
from patter_nb.notebook.theme import palette

Draw = Callable[..., Figure]

DRAWN: dict[str, Draw] = {
    "waterfall": plots.waterfall,
    "waterfall by revision": lambda turns, **more: plots.waterfall(turns, "revision", **more),
    "waterfall by call, mean": lambda turns, **more: plots.waterfall(turns, "call_id", "mean", **more),
    "ecdf": plots.ecdf,
    "ecdf of all, no objective": lambda turns, **more: plots.ecdf(turns, None, None, **more),
    "timeline": plots.timeline,
    "cost": plots.cost,
    "cost by call": lambda turns, **more: plots.cost(turns, "call", **more),
    "cost by service": lambda turns, **more: plots.cost(turns, "service", **more),
}
QUICK = ("waterfall", "waterfall by revision", "ecdf", "timeline", "cost")
TELLING = ("no calls", "one call", "all gaps missing", "a gap of a minute", "long words", "twelve revisions")
"""The plots and tables that are tried each time; all of them with each other are with the slow tests."""
both = [
    pytest.param(draw, case, id=f"{name}-{case}", marks=[] if name in QUICK and case in TELLING else [pytest.mark.slow])
    for name, draw in DRAWN.items()
    for case in CASES
]
quick = [pytest.param(draw, id=name, marks=[] if name in QUICK[1:3] else [pytest.mark.slow]) for name, draw in DRAWN.items()]


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, and where it lies in dots, as matplotlib measures it."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    found = [text for axes in figure.axes for text in axes.texts if text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in found]


@pytest.mark.parametrize(("draw", "case"), both)
def test_every_table_has_a_plot_that_can_be_read(tables: dict[str, pd.DataFrame], draw: Draw, case: str) -> None:
    figure = draw(tables[case], dark=False)
    canvas, found = figure.bbox, boxes(figure)
    for text, box in found:
        assert box.x0 >= canvas.x0, text
        assert box.y0 >= canvas.y0, text
        assert box.x1 <= canvas.x1, text
        assert box.y1 <= canvas.y1, text
    for (one, a), (other, b) in itertools.combinations(found, 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 3 or b.y1 <= a.y0 + 3
        assert apart, (one, other)
    assert round(figure.get_figwidth() * 100) == 880


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_every_plot_can_be_saved_as_a_picture(tables: dict[str, pd.DataFrame], draw: Draw) -> None:
    assert figure_png(draw(tables["five hundred turns"], dark=False)).startswith(b"\x89PNG")


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_very_many_turns_are_no_more_shapes_than_there_is_room_for(tables: dict[str, pd.DataFrame], draw: Draw) -> None:
    figure = draw(tables["a hundred thousand turns"], dark=False)
    points = sum(len(path.vertices) for axes in figure.axes for lines in axes.collections for path in lines.get_paths())
    assert points + len(figure.axes[-1].patches) < 16_000


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_plot_tells_those_who_do_not_see_it_what_it_says(tables: dict[str, pd.DataFrame], draw: Draw) -> None:
    figure = draw(tables["five hundred turns"])
    data, metadata = figure._repr_mimebundle_()  # type: ignore[attr-defined]
    assert metadata["image/png"] == {"width": 880, "alt": data["text/plain"]}
    reading = " ".join(text for axes in figure.axes for text in (each.get_text() for each in axes.texts))
    first = data["text/plain"].split(". ")[1].split(";")[0]
    assert first[:60] in reading


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_the_first_axes_have_the_coordinates_and_the_units_of_the_data(tables: dict[str, pd.DataFrame], draw: Draw) -> None:
    axes = draw(tables["five hundred turns"]).axes[0]
    assert any(unit in f"{axes.get_xlabel()} {axes.get_ylabel()}" for unit in (" ms", "USD"))
    assert axes.get_xlim()[1] > axes.get_xlim()[0]


@pytest.mark.parametrize("draw", quick)
def test_the_readers_own_settings_change_nothing_and_threads_draw_what_one_draws_alone(draw: Draw) -> None:
    tables = [fake_turns(count, min(count, 6), 2, seed=count) for count in (3, 20)]
    alone = [figure_png(draw(table, dark=False)) for table in tables]
    theirs = {
        "text.usetex": True, "text.color": "red", "font.family": "serif", "font.size": 40, "figure.autolayout": True,
        "lines.linewidth": 9, "lines.marker": "x", "lines.markersize": 30, "axes.facecolor": "red", "axes.grid": True,
    }  # fmt: skip
    with mpl.rc_context(theirs), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda table: figure_png(draw(table, dark=False)), tables)) == alone


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_dark_is_what_is_asked_for_or_the_readers_own_style(tables: dict[str, pd.DataFrame], draw: Draw) -> None:
    light, dark = (palette(dark=dark)["surface"] for dark in (False, True))
    turns = tables["one call"]
    with mpl.rc_context({"figure.facecolor": "black"}):
        drawn = [draw(turns), draw(turns, dark=False)]
    grounds = [mpl.colors.to_hex(figure.get_facecolor()) for figure in (*drawn, draw(turns), draw(turns, dark=True))]
    assert grounds == [dark, light, light, dark]


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_the_table_is_left_as_it_was(draw: Draw) -> None:
    turns = fake_turns(40, 4, 2)
    before = turns.copy(deep=True)
    draw(turns)
    pd.testing.assert_frame_equal(turns, before)


@pytest.mark.parametrize(
    "change",
    [
        lambda turns: turns.sample(frac=1.0, random_state=3),
        lambda turns: turns.assign(more=np.arange(len(turns))),
        lambda turns: turns.drop(columns=["missing", "error", "unknown", "loop_stall_ms", "interrupted", "caller_text"]),
        lambda turns: pd.concat([turns, turns.iloc[:2].assign(kind="greeting", gap_ms=np.nan)], ignore_index=True),
        lambda turns: turns.astype({"gap_ms": "Float64"}),
        lambda turns: turns.set_index("started_at"),
        lambda turns: turns.assign(revision=pd.array([None] * len(turns), dtype="Int64")),
    ],
    ids=["shuffled", "more columns", "fewer columns", "greetings too", "nullable floats", "another index", "no revisions"],
)
@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_tables_that_were_worked_on_are_drawn_too(draw: Draw, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert figure_png(draw(change(fake_turns(30, 3, 2)))).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("draw", "lacking"),
    [(plots.waterfall, "gap_ms"), (plots.ecdf, "gap_ms"), (plots.timeline, "gap_ms"), (plots.cost, "stt_usd")],
)
def test_a_table_without_the_column_is_told_which_one(draw: Draw, lacking: str) -> None:
    with pytest.raises(ConfigError, match=rf"{draw.__name__}\(\) needs the columns? {lacking}.*, which this frame has not"):
        draw(pd.DataFrame({"turn": [1]}))


def test_every_plot_is_a_method_of_a_frames_voice(tables: dict[str, pd.DataFrame]) -> None:
    turns = tables["one call"]
    voice = accessor.Voice(turns)
    for mine, theirs in (
        (voice.waterfall(), plots.waterfall(turns)),
        (voice.waterfall("revision", "mean", dark=True), plots.waterfall(turns, "revision", "mean", dark=True)),
        (voice.ecdf(slo=700, by=None), plots.ecdf(turns, 700, None)),
        (voice.timeline(), plots.timeline(turns)),
        (voice.cost(by="service"), plots.cost(turns, "service")),
        (accessor.Voice(fake_events(2)).timeline(), plots.timeline(fake_events(2))),
    ):
        assert figure_png(mine) == figure_png(theirs)


def test_plots_load_neither_pyplot_nor_anything_heavy_before_they_draw() -> None:
    code = """if True:
        import sys
        import patter_nb.frames.plots
        assert not {"pandas", "matplotlib", "IPython"} & set(sys.modules)
        import pandas
        turns = pandas.DataFrame({"gap_ms": [500.0, 700.0], "call_id": "a", "turn": [1, 2]})
        patter_nb.frames.plots.ecdf(turns, by=None), patter_nb.frames.plots.waterfall(turns)
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)
