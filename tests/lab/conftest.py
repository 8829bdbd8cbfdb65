"""JupyterLab in a browser, for tests: the server once, a page for each test."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _beside(name: str) -> ModuleType:
    known = f"tests_of_lab_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        sys.modules[known] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[known]


harness = _beside("harness")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A JupyterLab of this interpreter. `tests_of_lab_harness.Lab` starts one with other settings."""
    harness.need_browser()
    server = harness.Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture
def open_page(lab: Any) -> Iterator[Callable[..., Any]]:
    """`open_page(cells, dark=False, microphone=None, permissions=(), at=lab)`: a `LabPage` on a new notebook of these cells.

    When the test ends its page is closed; a test that leaves an error in the console fails, unless it has taken it out of
    `page.errors`.
    """
    opened: list[Any] = []
    with ExitStack() as stack:

        def open_(
            cells: list[str],
            *,
            dark: bool = False,
            microphone: Path | None = None,
            permissions: tuple[str, ...] = (),
            at: Any = lab,
        ) -> Any:
            page = harness.LabPage(stack.enter_context(harness.chromium(microphone)), at, dark=dark, permissions=permissions)
            stack.callback(page.close)
            opened.append(page)
            page.open(cells)
            return page

        yield open_
    assert [error for page in opened for error in page.errors] == []


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: the folder that PATTER_NB_PICTURES names, so that they can be looked at; else one that is lost."""
    return Path(os.environ.get("PATTER_NB_PICTURES", tmp_path))
