"""Loads the tables that the tests of this folder draw, under a name of their own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest

NAME = "tests_of_plots_tables"

spec = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name("tables.py"))
assert spec is not None
assert spec.loader is not None
sys.modules[NAME] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[NAME])


@pytest.fixture(scope="session")
def tables() -> dict[str, pd.DataFrame]:
    """The tables by name, made once."""
    return {name: make() for name, make in sys.modules[NAME].CASES.items()}
