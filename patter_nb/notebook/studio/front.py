"""The front ends: plain ES modules and style sheets that lie beside this file, joined as a widget takes them. Nothing is built
and nothing is loaded from anywhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from patter_nb.notebook.studio.style import STUDIO_STYLE


@cache
def esm(*names: str) -> str:
    """One ES module of the files `static/<name>.js`, in this order; only the last one exports."""
    folder = files(__package__).joinpath("static")
    return "\n".join(folder.joinpath(f"{name}.js").read_text("utf-8") for name in names)


@cache
def css(*names: str) -> str:
    """The studio's style sheet, and after it those of the files `static/<name>.css`, as far as they are there.

    A page holds the first one once for each widget, the last of them after every other sheet. So those of the files weigh more.
    """
    folder = files(__package__).joinpath("static")
    sheets = [folder.joinpath(f"{name}.css") for name in names]
    own = [sheet.read_text("utf-8").replace(".pnb-ui", ".pnb-ui.pnb-ui") for sheet in sheets if sheet.is_file()]
    return "\n".join([STUDIO_STYLE, *own])
