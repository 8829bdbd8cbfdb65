from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from patter_nb.notebook.figure import DOTS_PER_PIXEL, MARGIN, call_figure, figure_png, is_dark, paint
from patter_nb.notebook.picture import Area, Dots, Picture
from patter_nb.notebook.theme import palette
from patter_nb.notebook.view import CallView
from patter_nb.notebook.waterfall import call_picture

Make = Callable[..., CallView]
WORDS = {
    "many scripts": "Hi 你好 مرحبا שלום नमस्ते こんにちは 🎉",
    "formulas": "$\\frac and 5$ \\alpha_{x}",
    "signs": "<b> & \x07 \ud800 % # é",
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("count", [0, 1, 6, 40])
def test_a_figure_has_the_size_of_its_picture_and_the_ground_of_its_page(make_view: Make, count: int, dark: bool) -> None:
    view = make_view(count)
    image = imread(io.BytesIO(figure_png(call_figure(view, dark=dark))))
    picture = call_picture(view)
    assert image.shape[1] == pytest.approx((picture.width + 2 * MARGIN) * DOTS_PER_PIXEL, abs=1)
    assert image.shape[0] == pytest.approx((picture.height + 2 * MARGIN) * DOTS_PER_PIXEL, abs=1)
    ground = [int(palette(dark=dark)["surface"][at : at + 2], 16) / 255 for at in (1, 3, 5)]
    assert np.allclose(image[0, 0, :3], ground, atol=0.01)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_no_words_make_matplotlib_complain(make_view: Make, words: str) -> None:
    figure = call_figure(make_view(2, changes={1: {"caller_text": words}, 2: {"error": words, "instants": {}}}))
    assert figure_png(figure).startswith(b"\x89PNG")


def test_the_readers_own_settings_of_matplotlib_change_nothing(make_view: Make) -> None:
    view = make_view(3)
    plain = figure_png(call_figure(view))
    theirs = {
        "text.usetex": True, "text.color": "red", "font.family": "serif", "font.size": 40, "figure.autolayout": True,
        "axes.facecolor": "red", "lines.linewidth": 9, "savefig.dpi": 30, "savefig.bbox": "tight",
    }  # fmt: skip
    with mpl.rc_context(theirs):
        assert figure_png(call_figure(view, dark=False)) == plain


def test_threads_draw_at_once_what_one_draws_alone(make_view: Make) -> None:
    views = [make_view(count) for count in (1, 3, 6, 2)]
    alone = [figure_png(call_figure(view)) for view in views]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda view: figure_png(call_figure(view)), views)) == alone


def test_a_notebook_shows_the_figure_without_pyplot(make_view: Make) -> None:
    figure = call_figure(make_view(1))
    data, metadata = figure._repr_mimebundle_()  # type: ignore[attr-defined]
    assert data["image/png"] == figure_png(figure)
    assert metadata["image/png"]["width"] == round(figure.get_figwidth() * 100)
    assert metadata["image/png"]["alt"] == data["text/plain"] == call_picture(make_view(1)).description


def test_what_is_drawn_on_the_first_axes_stands_where_its_data_lies() -> None:
    area = Area(100, 40, 600, 200, (0.0, 1200.0), (50.0, 0.0), "reply gap, ms", "turns")
    figure = paint(Picture(800, 300, (), "nothing", area), dark=False)
    axes = figure.axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.0, 1200.0), (0.0, 50.0))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("reply gap, ms", "turns")
    x, y = axes.transData.transform((300.0, 50.0)) / DOTS_PER_PIXEL
    assert (x, y) == pytest.approx((MARGIN + 100 + 150, 300 + MARGIN - 40))
    before = figure_png(figure)
    axes.axvline(300.0, color="red")
    assert figure_png(figure) != before


def test_a_dot_is_round_and_as_large_as_it_should_be() -> None:
    dots = Dots(((5.0, 5.0), (25.0, 5.0)), 3.0, "error")
    image = imread(io.BytesIO(figure_png(paint(Picture(30, 10, (dots,), "two dots"), dark=False))))
    red = image[:, :, 1] < 0.5
    assert red.sum() == pytest.approx(2 * np.pi * (3 * DOTS_PER_PIXEL) ** 2, rel=0.06)
    assert red.any(axis=1).sum() == pytest.approx(6 * DOTS_PER_PIXEL, abs=1)


@pytest.mark.parametrize(("ground", "dark"), [("white", False), ("black", True), ("none", False), ("#222233", True)])
def test_where_nobody_says_it_figures_are_as_dark_as_the_readers_own_style(ground: str, dark: bool, make_view: Make) -> None:
    with mpl.rc_context({"figure.facecolor": ground}):
        assert is_dark() == dark
        shown = call_figure(make_view(1))
    assert mpl.colors.to_hex(shown.get_facecolor()) == palette(dark=dark)["surface"]


def test_drawing_loads_no_pyplot_and_showing_a_card_no_matplotlib() -> None:
    code = """if True:
        import runpy, sys
        view = runpy.run_path(sys.argv[1])["fake_view"](3)
        import patter_nb.notebook.display as display
        display.mimebundle(view)
        assert "matplotlib" not in sys.modules
        from patter_nb.notebook.figure import call_figure, figure_png
        figure_png(call_figure(view))
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).with_name("conftest.py"))], check=True, timeout=120)


def test_modules_that_show_calls_import_neither_pandas_nor_matplotlib_nor_ipython() -> None:
    code = """if True:
        import sys
        import patter_nb.notebook.display, patter_nb.notebook.figure
        assert not {"pandas", "matplotlib", "IPython", "sqlalchemy"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
