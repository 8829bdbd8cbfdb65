"""Loads what the tests of this folder share by its path, as `tests_of_twilio_...`, and keeps this machine's keys out of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

for name, path in {
    "tests_of_web_listener": HERE.parents[1] / "web" / "listener.py",
    "tests_of_twilio_wire": HERE / "wire.py",
    "tests_of_twilio_oracles": HERE / "oracles.py",
}.items():
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])

KEYS = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"


@pytest.fixture(autouse=True)
def no_keys_but_the_tests_own(monkeypatch, tmp_path):
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)  # beside no .env
