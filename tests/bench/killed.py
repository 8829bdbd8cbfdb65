"""What is lost when a process is killed in mid-call: `python tests/bench/killed.py [times]`. Figures only.

The child closes a turn every 200 ms with an event every 20 ms, tells of each turn once it was handed over, and is killed at a
seeded moment. "lost" are turns it told of that the store does not have.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from patter_nb.records.store import Store

CHILD = """
import sys, time
from datetime import UTC, datetime
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts

log = CallLog(Store(sys.argv[1]))
log.begin(CallFacts(call_id="call_1", agent="a", revision=1, direction="test", started_at=datetime.now(UTC)))
for number in range(1000):
    for part in range(10):
        log.event("call_1", number + part / 10, "note", {"turn": number})
        time.sleep(0.02)
    log.turn("call_1", TurnFacts(number, "caller", number, caller_text="x" * 200))
    print(number, flush=True)
"""


def kill_once(path: Path, seconds: float) -> tuple[int, int, int]:
    """Turns told of, turns in the store, events in the store, of a child that lived so long after its first turn."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        told = 1 + len(child.stdout.read().splitlines())
    store = Store(path)
    turns, events = len(store.turns()), len(store.events())
    store.close()
    return told, turns, events


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    draw = random.Random(12)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(times):
            told, turns, events = kill_once(Path(folder) / f"{number}.sqlite3", draw.uniform(0.2, 2.0))
            lost += max(0, told - turns)
            print(f"kill {number}: {told} turns told of, {turns} stored, {events - 11 * turns} events of the open turn stored")
    print(f"{times} kills, {lost} closed turns lost")


if __name__ == "__main__":
    main()
