"""Loads what the tests of this folder share by its path, as `tests_of_tunnels_...`; a stand-in for `cloudflared` on the PATH."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

for name in ("stand_ins",):
    spec = importlib.util.spec_from_file_location(f"tests_of_tunnels_{name}", Path(__file__).with_name(f"{name}.py"))
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])


@pytest.fixture
def cloudflared(tmp_path, monkeypatch):
    """Puts a program on the PATH that does what the lines of Python say: `cloudflared("say(ADDRESS); stay()")`."""
    stand_in = sys.modules["tests_of_tunnels_stand_ins"].Cloudflared(tmp_path)
    monkeypatch.setenv("PATH", f"{stand_in.folder}{os.pathsep}{os.environ['PATH']}")
    return stand_in
