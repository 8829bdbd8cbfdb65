"""Loads what the tests of attacks share by its path, in this order: each stands on the one before."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]

for folder, name in (("telephony", "wires"), ("security", "served"), ("security", "attacks")):
    full = f"tests_of_{folder}_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, TESTS / folder / f"{name}.py")
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])


@pytest.fixture
def run() -> Callable[[Any], Any]:
    return lambda main: asyncio.run(asyncio.wait_for(main, 60))
