"""What is lost in mid-call: `python tests/bench/postgres_killed.py [times] [seed]`. Figures only.

Each call has scripted providers and runs at real speed, a turn in about two seconds. At a seeded moment its process is killed
(`kill -9`), or the kernel of Jupyter that holds it, or the PostgreSQL server that keeps it is stopped and started again after a
seeded while, in order ("fast") or as in a crash ("immediate"). "closed" are the turns that the call told of, "lost" those of them
that the store does not have afterwards, "late" is the worst lateness of a 2 ms ticker in the loop of a call that went on.
"""

from __future__ import annotations

import os
import queue
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from killed import CALL, CHILD

from patter_nb.records.store import Store

sys.path.append(str(Path(__file__).parents[1] / "records"))
from postgresql import Server

FIRST = "turn 0"
"""What the call tells when the greeting is over."""


@dataclass(slots=True)
class Outcome:
    """What was there when it was over."""

    lines: list[str] = field(default_factory=list)
    """What the call told."""
    stored: int = 0
    closing_events: int = 0
    went_on: bool = False

    @property
    def closed(self) -> int:
        """Turns that were closed, as the call told."""
        return sum(line.startswith("turn") for line in self.lines)

    @property
    def in_mid_call(self) -> bool:
        return self.went_on or "over" not in self.lines

    @property
    def end(self) -> list[str]:
        return next((line.split(" ", 3)[1:] for line in self.lines if line.startswith("end")), [])

    @property
    def reasons(self) -> list[str]:
        """Why the store could not be written, each once."""
        found = (re.search(r"\((.*)\); rows waiting", line) for line in self.lines if line.startswith("problem"))
        return list(dict.fromkeys(each[1] for each in found if each))


@contextmanager
def process(place: str, folder: Path) -> Iterator[tuple[Callable[[], str], Callable[[], None]]]:
    """A process that holds the call: its next line ("" at the end), and what kills it."""
    command = [sys.executable, "-c", CHILD, place]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield child.stdout.readline, partial(child.send_signal, signal.SIGKILL)


@contextmanager
def kernel(place: str, folder: Path) -> Iterator[tuple[Callable[[], str], Callable[[], None]]]:
    """A Jupyter kernel that holds the call in a cell: its next line ("" when it was killed), and what kills it."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    lines: list[str] = []

    def kill() -> None:
        os.kill(manager.provisioner.pid, signal.SIGKILL)

    def line() -> str:
        while not lines:
            try:
                message = client.get_iopub_msg(timeout=1.0)
            except queue.Empty:
                if not manager.is_alive():
                    return ""
                continue
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                lines.extend(message["content"]["text"].splitlines())
            elif message["msg_type"] == "error":
                raise RuntimeError(message["content"]["evalue"])
        return lines.pop(0)

    try:
        client.wait_for_ready(timeout=60)
        client.execute(f"import sys\nsys.argv = ['', {place!r}]\n{CALL}\nawait main()")
        yield line, kill
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def struck(
    place: str, folder: Path, seconds: float, *, holder: Callable[..., object] = process, strike: Callable[[], None] | None = None
) -> Outcome:
    """Hold a call there and strike so long after its greeting: kill whoever holds it, unless another `strike` is given."""
    found = Outcome(went_on=strike is not None)
    with holder(place, folder) as (line, kill):  # type: ignore[attr-defined]
        while FIRST not in found.lines:
            found.lines.append(line().strip())
        time.sleep(seconds)
        (strike or kill)()
        while told := line():
            found.lines.append(told.strip())
            if told.startswith("end"):
                break
    with closing(Store(place)) as store:
        found.stored = len(store.turns())
        found.closing_events = int((store.events()["kind"] == "turn_closed").sum())
    return found


def restarted(server: Server, how: str, seconds: float) -> None:
    server.stop(how)
    time.sleep(seconds)
    server.start()


def told(name: str, number: int, moment: str, found: Outcome) -> None:
    what = f"{found.closed} turns closed, {found.stored} stored with {found.closing_events} closing events"
    after = f"; the call: late by {found.end[0]} ms at most, written {found.end[1]}, {found.end[2]}" if found.end else ""
    print(f"{name} {number}, {moment}: {what}{after}", flush=True)
    for reason in found.reasons:
        print(f"    {reason}", flush=True)


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 12)
    outcomes: dict[str, list[Outcome]] = {}
    with ExitStack() as held:
        server = held.enter_context(closing(Server(safe=True)))

        def sqlite(folder: Path) -> str:
            return str(folder / "calls.sqlite3")

        def postgresql(_folder: Path) -> str:
            return server.create()

        ways: dict[str, tuple[Callable[[Path], str], Callable[..., object], str]] = {
            "kill -9 of the process, SQLite": (sqlite, process, ""),
            "kill -9 of the process, PostgreSQL": (postgresql, process, ""),
            "kill -9 of a Jupyter kernel, SQLite": (sqlite, kernel, ""),
            "kill -9 of a Jupyter kernel, PostgreSQL": (postgresql, kernel, ""),
            "PostgreSQL restarted": (postgresql, process, "fast"),
            "PostgreSQL crashed and started again": (postgresql, process, "immediate"),
        }
        for name, (place, holder, how) in ways.items():
            for number in range(times):
                seconds, down = draw.uniform(0.0, 12.0), draw.uniform(0.2, 6.0)
                strike = partial(restarted, server, how, down) if how else None
                with tempfile.TemporaryDirectory() as folder:
                    found = struck(place(Path(folder)), Path(folder), seconds, holder=holder, strike=strike)
                moment = f"{seconds:.1f} s after the greeting" + (f", down for {down:.1f} s" if how else "")
                told(name, number, moment, found)
                outcomes.setdefault(name, []).append(found)
    print(f"\n{'':42}{'calls':>6}{'mid-call':>9}{'closed':>7}{'stored':>7}{'lost':>5}{'doubled':>8}{'late ms':>8}")
    for name, each in outcomes.items():
        closed, stored = sum(found.closed for found in each), sum(found.stored for found in each)
        lost = sum(max(0, found.closed - found.stored) for found in each)
        doubled = sum(max(0, found.closing_events - found.stored) for found in each)
        late = max((float(found.end[0]) for found in each if found.end), default=float("nan"))
        counts = f"{len(each):>6}{sum(found.in_mid_call for found in each):>9}{closed:>7}{stored:>7}{lost:>5}{doubled:>8}"
        print(f"{name:42}{counts}{late:>8.1f}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
