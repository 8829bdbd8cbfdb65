"""Loads the server that the tests of the web have, by its path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

NAME = "tests_of_web_listener"

if NAME not in sys.modules:
    spec = importlib.util.spec_from_file_location(NAME, Path(__file__).parents[1] / "web" / "listener.py")
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
