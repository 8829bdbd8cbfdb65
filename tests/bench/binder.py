"""Binder, tried on this machine: its requirements in an environment of their own, its server under a prefix, a notebook on it.

    python tests/bench/binder.py [--notebook 01_first_call.ipynb] [--keep FOLDER]

What is committed is copied to a folder of its own, as Binder does. Then, with nothing of this environment:
`binder/requirements.txt` is installed, `binder/postBuild` is run, JupyterLab is started below /user/x/, the notebook's cells are
run by a kernel of that server over its WebSocket, and a softphone's page is fetched through the proxy of the same address.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).parents[2]
PREFIX = "/user/x/"
CELL_SECONDS = 300


def run(*command: str, cwd: Path, environment: dict[str, str] | None = None) -> float:
    """The seconds that it took; what it says is shown when it fails."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - began


def environment_of(venv: Path, home: Path) -> dict[str, str]:
    """As bare as a container's: no variable of this one but the language."""
    return {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "USER": "x"}


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@contextlib.contextmanager
def server(clone: Path, environment: dict[str, str], token: str) -> Iterator[tuple[str, int]]:
    """JupyterLab below the prefix; its address and its process."""
    options = ["--no-browser", "--ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.base_url={PREFIX}", "--allow-root"]
    with subprocess.Popen(
        ["jupyter", "lab", *options, f"--IdentityProvider.token={token}"],
        cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        executable=str(Path(environment["PATH"].split(":")[0]) / "jupyter"),
    ) as program:  # fmt: skip
        assert program.stdout is not None
        told = []
        try:
            for line in program.stdout:
                told.append(line)
                if found := re.search(r"(http://127[^/]+)/user/x/lab", line):
                    yield found[1] + PREFIX, program.pid
                    return
            sys.exit(f"the server did not start:\n{''.join(told[-30:])}")
        finally:
            program.terminate()


def memory(process: int) -> float:
    """Megabytes that this process and all below it hold."""
    kilobytes, waiting = 0, [process]
    while waiting:
        status = Path(f"/proc/{waiting.pop()}")
        with contextlib.suppress(OSError):
            kilobytes += int((re.search(r"VmRSS:\s+(\d+)", (status / "status").read_text()) or [0, 0])[1])
            for task in (status / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return kilobytes / 1e3


class Kernel:
    """A kernel of the server, spoken to over its WebSocket, as the page does."""

    def __init__(self, url: str, token: str, folder: str) -> None:
        self._open = contextlib.ExitStack()
        headers = {"Authorization": f"token {token}"}
        self._http = self._open.enter_context(httpx.Client(base_url=url, headers=headers, timeout=60))
        self.id = self._http.post("api/kernels", json={"name": "python3", "path": folder}).raise_for_status().json()["id"]
        socket = f"{url.replace('http', 'ws', 1)}api/kernels/{self.id}/channels"
        wire = connect(socket, additional_headers=headers, max_size=None)
        self._socket: ClientConnection = self._open.enter_context(wire)

    def execute(self, code: str) -> str:
        """Run a cell; what it printed. Ends the script when it raises."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": self.id, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        asked = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
        self._socket.send(json.dumps(asked))
        said, replied, idle = "", None, False
        while replied is None or not idle:
            came: dict[str, Any] = json.loads(self._socket.recv(timeout=CELL_SECONDS))
            if came["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            kind, content = came["msg_type"], came["content"]
            said += content["text"] if kind == "stream" else ""
            replied = content if kind == "execute_reply" else replied
            idle = idle or (kind == "status" and content["execution_state"] == "idle")
        if replied["status"] != "ok":
            sys.exit(f"{code}\nraised {replied.get('ename')}: {replied.get('evalue')}")
        return said

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def close(self) -> None:
        self._http.delete(f"api/kernels/{self.id}")
        self._open.close()


LAST_CALL = """
import patter_nb
found = [each for each in list(globals().values()) if isinstance(each, patter_nb.Patter)]
print(len(found[0].turns), round(found[0].turns.gap_ms.median()))
"""
SOFTPHONE = "from patter_nb import Softphone\nsoftphone = Softphone()\nprint(softphone.url)"


def use(url: str, process: int, token: str, notebook: Path) -> None:
    began = time.monotonic()
    kernel = Kernel(url, token, "notebooks")
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        kernel.execute("".join(cell["source"]))
    turns, gap = kernel.execute(LAST_CALL).split()
    print(f"{notebook.name}: {len(cells)} cells in {time.monotonic() - began:.1f} s, {turns} turns, median gap {gap} ms")
    print(f"memory of the server and all below it: {memory(process):.0f} MB")
    page = kernel.execute(SOFTPHONE).strip()
    port = httpx.URL(page).port
    through = kernel.get(f"proxy/{port}/softphone")
    print(f"{PREFIX}proxy/PORT/softphone: {through.status_code}, {len(through.content)} bytes")
    print(f"{PREFIX}lab: {kernel.get('lab').status_code}")
    kernel.close()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--notebook", default="01_first_call.ipynb")
    asked.add_argument("--keep", type=Path, help="a folder to work in that is kept, and used again if it is there")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        clone, venv, home = folder / "clone", folder / "venv", folder / "home"
        clone.mkdir(parents=True, exist_ok=True)
        home.mkdir(exist_ok=True)
        run("bash", "-c", f"git archive HEAD | tar -x -C '{clone}'", cwd=ROOT)
        python = (clone / "binder" / "runtime.txt").read_text().strip().replace("-", "")
        run(python, "-m", "venv", str(venv), cwd=clone)
        environment = environment_of(venv, home)
        installs = {key: value for key, value in os.environ.items() if key.startswith("PIP_")} | environment
        seconds = run(str(venv / "bin/pip"), "install", "-q", "-r", "binder/requirements.txt", cwd=clone, environment=installs)
        print(f"binder/requirements.txt: {seconds:.0f} s, {megabytes(venv):.0f} MB on disk")
        print(f"binder/postBuild: {run(str(clone / 'binder/postBuild'), cwd=clone, environment=environment):.1f} s")
        token = secrets.token_hex(16)
        with server(clone, environment, token) as (url, process):
            use(url, process, token, clone / "notebooks" / given.notebook)


if __name__ == "__main__":
    main()
