"""Loads what the tests of this folder share by its path, as `tests_of_serving_...`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

for name in ("kernels", "scenarios", "stalled"):
    spec = importlib.util.spec_from_file_location(f"tests_of_serving_{name}", Path(__file__).with_name(f"{name}.py"))
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
