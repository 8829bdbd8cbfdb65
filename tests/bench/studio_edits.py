"""Edits from the studio's widget while the kernel is idle, runs a cell, or awaits in one: do they arrive, in order, and when?

Each version of ipykernel runs in a kernel of its own, with the rest of this environment: it is installed by pip into a folder
that is thrown away. The widget's messages are sent as JupyterLab sends them: over a subshell where the kernel has them, else over
the shell. A reply is ordered every 20 ms in the kernel's loop, which takes what is staged; "answered" is the receipt, and
"live" the acknowledgement that comes from that swap itself. An edit that is staged while another one waits holds the changes of
both and takes its place: the swap of a later one makes all before it live.

    python tests/bench/studio_edits.py [--edits 50] [--pause-ms 40] [--versions 6.31.0 7.3.0 ""]

An empty version is the one that is installed.
"""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
SECONDS = 60
"""The longest that anything is waited for."""

SETUP = """
import asyncio, time
from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.live import Live
import patter_nb.notebook.studio.shell as shell
shell.TABS = shell.TABS[:3]
phone = Patter(store=False)
agent = phone.agent("Edit 0.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())
phone.studio(agent)
line = phone.line()
live = Live(line.newest, line, "call")
live.begin()

async def replies():
    turn = 0
    while True:
        turn += 1
        live.take(turn)
        await asyncio.sleep(0.02)

at_work = asyncio.get_running_loop().create_task(replies())
"""

CELLS = {"idle": "", "sync cell": "time.sleep(4)", "awaiting cell": "await asyncio.sleep(4)"}


@dataclass
class Outcome:
    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    live: dict[int, float] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def ms(self, at: dict[int, float]) -> str:
        waits = [(at[number] - self.sent[number]) * 1000 for number in at]
        return f"{np.median(waits):.0f} / {max(waits):.0f}" if waits else "-"

    def live_at(self) -> dict[int, float]:
        """When each edit was in force: by its own swap, or by that of a later one."""
        found: dict[int, float] = {}
        for number in sorted(self.sent, reverse=True):
            later = [self.live[other] for other in self.live if other >= number]
            if later:
                found[number] = min(later)
        return found


class Kernel:
    """A kernel with a studio in it, and the way to its Prompt tab."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.subshell: str | None = None
        self.page = 0
        self.comm = ""
        self.run(SETUP, opened=True)
        assert self.comm, "the studio opened no Prompt tab"
        info = client.kernel_info(reply=True, timeout=SECONDS)["content"]
        if "kernel subshells" in info.get("supported_features", []):
            self.subshell = self._control("create_subshell_request")["subshell_id"]

    def _control(self, kind: str) -> Any:
        message = self.client.session.msg(kind, {})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=SECONDS)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"]

    def run(self, code: str, *, opened: bool = False) -> str:
        """Run code and return what it printed; `opened`: look for the Prompt tab that it opens."""
        asked, printed = self.client.execute(code), ""
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            kind, content = message["msg_type"], message["content"]
            if opened and kind == "comm_open" and content["data"].get("state", {}).get("state", {}).get("tab") == "prompt":
                self.comm = content["comm_id"]
            if message["parent_header"].get("msg_id") != asked:
                continue
            if kind == "stream":
                printed += content["text"]
            if kind == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            if kind == "status" and content["execution_state"] == "idle":
                return printed

    def order(self, number: int, text: str) -> None:
        content = {"changes": {"system_prompt": text}, "scope": "all calls", "note": ""}
        order = {"page": f"page {self.page}", "number": number, "order": "apply", "content": content}
        data = {"method": "custom", "content": order}
        message = self.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def edits(self, count: int, pause_seconds: float, cell: str) -> Outcome:
        """Send so many edits, one after the other, while this cell runs."""
        self.page += 1
        before, found = int(self.run("print(len(line.revisions))")), Outcome()
        if cell:
            self.client.execute(cell)
            time.sleep(0.3)  # it runs now
        started = time.perf_counter()
        for number in range(1, count + 1):
            self._read(found, until=started + (number - 1) * pause_seconds)
            found.sent[number] = time.perf_counter()
            self.order(number, f"{self.page}: edit {number}.")
        self._read(found, until=started + SECONDS, count=count)
        self._read(found, until=time.perf_counter() + 0.5)
        found.texts = self.run(f"print(*[r.agent.system_prompt for r in line.revisions[{before}:]], sep='\\n')").splitlines()
        return found

    def _read(self, found: Outcome, *, until: float, count: int | None = None) -> None:
        """Read what comes, until then, or until the last of `count` edits is live and all are answered."""
        while (left := until - time.perf_counter()) > 0:
            if count is not None and count in found.live and len(found.answered) == count:
                return
            try:
                message = self.client.get_iopub_msg(timeout=left)
            except queue.Empty:
                return
            data = message["content"].get("data", {})
            told = data.get("content", {}) if isinstance(data, dict) and data.get("method") == "custom" else {}
            if message["msg_type"] != "comm_msg" or told.get("page") != f"page {self.page}":
                continue
            at = found.answered if told["kind"] == "answer" else found.live
            at.setdefault(told["number"], time.perf_counter())


@contextmanager
def kernel(version: str, folder: Path) -> Iterator[Kernel]:
    """A kernel of this version of ipykernel."""
    from jupyter_client.manager import KernelManager

    path = [str(ROOT)]
    if version:
        target = folder / version
        wanted = [f"ipykernel=={version}", *(["nest-asyncio"] if version < "7" else [])]
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--target", str(target)]
        subprocess.run([*pip, *wanted], check=True)
        path.insert(0, str(target))
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "PYTHONPATH": os.pathsep.join(path)}, cwd=str(folder))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--pause-ms", type=float, default=40)
    parser.add_argument("--versions", nargs="*", default=["6.31.0", "7.3.0", ""])
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {asked.edits} edits, one every {asked.pause_ms:g} ms; ms are p50 / max")
    print("| ipykernel | kernel | arrived | in order | answered, ms | live | of its own swap | live after, ms |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for version in asked.versions:
            with kernel(version, Path(folder)) as one:
                said = one.run("import ipykernel; print(ipykernel.__version__)").strip()
                assert said == (version or version_of("ipykernel")), said
                for name, cell in CELLS.items():
                    found = one.edits(asked.edits, asked.pause_ms / 1000, cell)
                    wanted = [f"{one.page}: edit {number}." for number in range(1, asked.edits + 1)]
                    live = found.live_at()
                    columns = (
                        said, name, f"{len(found.texts)} of {asked.edits}", "yes" if found.texts == wanted else "NO",
                        found.ms(found.answered), f"{len(live)} of {asked.edits}", len(found.live), found.ms(live),
                    )  # fmt: skip
                    print("|", *(f"{each} |" for each in columns), flush=True)


if __name__ == "__main__":
    main()
