"""Loads the server that the tests of this folder share, as `openai_server`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("openai_server", Path(__file__).with_name("openai_server.py"))
sys.modules["openai_server"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["openai_server"])
