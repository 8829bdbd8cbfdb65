"""What `binder/` asks for exists. That it works is shown by `tests/bench/binder.py`, which installs and starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_clone_is_installed_with_extras_that_exist_and_a_python_that_it_takes() -> None:
    (extras,) = re.findall(r"^\.\[(.+)\]$", (BINDER / "requirements.txt").read_text(), re.MULTILINE)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert {"local", "nb", "proxy"} <= set(extras.split(","))  # speech, the page, and the softphone's way through the hub
    assert PROJECT["requires-python"] == ">=" + (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")


def test_what_is_done_when_the_image_is_built_can_be_done(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MPLCONFIGDIR": str(tmp_path)}
    subprocess.run([BINDER / "postBuild"], check=True, timeout=120, cwd=tmp_path, env=environment)
    assert list(tmp_path.glob("fontlist-*.json"))
