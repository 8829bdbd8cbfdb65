"""Loads what the tests of this folder share by its path, as `tests_of_telephony_...`; a loop that ends in time."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for name in ("wires", "stage"):
    spec = importlib.util.spec_from_file_location(f"tests_of_telephony_{name}", Path(__file__).with_name(f"{name}.py"))
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])


@pytest.fixture
def run() -> Callable[[Any], Any]:
    return lambda main: asyncio.run(asyncio.wait_for(main, 60))
