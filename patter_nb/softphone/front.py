"""The front end: one ES module and one style sheet, shared by the page and the widget. Plain files, nothing is built."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from patter_nb.notebook.studio.style import STUDIO_STYLE

SOURCES = ("engine", "carrier", "transport", "panel")
"""In this order one module; only the last one exports."""


def _static(name: str) -> str:
    return files(__package__).joinpath("static", name).read_text("utf-8")


@cache
def module() -> str:
    """The module. What runs on the browser's audio thread is a text in it, since a widget has no address to load it from."""
    worklet = f"const WORKLET = {json.dumps(_static('worklet.js'))};"
    return "\n".join([worklet, *(_static(f"{name}.js") for name in SOURCES)])


@cache
def style() -> str:
    """The style sheet of the softphone, upon the studio's."""
    return f"{STUDIO_STYLE}\n{_static('softphone.css')}"


@cache
def page_script() -> str:
    """What puts the softphone into the page."""
    return _static("page.js")


@cache
def page() -> str:
    """The page: a widget's view that fills a window. It holds no secret; the address does, behind its `#`."""
    return _static("page.html").replace("/* style */", style())
