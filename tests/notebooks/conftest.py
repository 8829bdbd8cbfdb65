"""Loads what the tests of this folder share by its path, as `tests_of_notebooks_...`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("tests_of_notebooks_scan", Path(__file__).with_name("scan.py"))
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
