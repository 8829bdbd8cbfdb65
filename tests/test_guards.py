"""The guards of conftest.py: no connection leaves this machine, and where CI=true a skipped test is a failed run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each test is a run of pytest

ABROAD = [
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.getaddrinfo("example.com", 80),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 53)),
    lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("reach", ABROAD)
def test_a_connection_that_would_leave_this_machine_is_refused(reach):
    with pytest.raises(RuntimeError, match="tests speak to loopback only"):
        reach()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_open(host):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection((host, server.getsockname()[1])) as client:
        assert client.getpeername() == server.getsockname()


RUNS = [
    ("def test_one(): pass", "true", 0, "1 passed"),
    ("import pytest\n@pytest.mark.skip\ndef test_one(): pass", "", 0, "1 skipped"),
    ("import pytest\n@pytest.mark.skip\ndef test_one(): pass", "true", 1, "skipped although CI=true"),
    ("import pytest\npytest.importorskip('absent')\ndef test_one(): pass", "true", 1, "skipped although CI=true"),
    ("import pytest\n@pytest.mark.xfail\ndef test_one(): assert 0", "true", 0, "1 xfailed"),
]


@pytest.mark.parametrize(("source", "ci", "code", "said"), RUNS)
def test_a_skip_fails_the_run_where_everything_is_installed(tmp_path, source, ci, code, said):
    (tmp_path / "test_it.py").write_text(f"{source}\ndef test_other(): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[1]}"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == code, done.stdout
    assert said.replace("1 passed", "2 passed") in done.stdout
