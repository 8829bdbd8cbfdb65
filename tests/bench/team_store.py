"""A store that a team shares: `python tests/bench/team_store.py [seconds]`. Figures only.

Two processes write turns as fast as calls could never close them (200 a second each), into one SQLite file and into one
PostgreSQL. Meanwhile a third reads: all turns, and those of one call. "put" is what a call waits when it hands a row over,
"stored after" is the time until that row is committed: what a `kill -9` at that moment would lose.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from patter_nb.records.store import Store

sys.path.append(str(Path(__file__).parents[1] / "records"))
from postgresql import Server

WRITER = """
import json, sys, threading, time
from datetime import UTC, datetime
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import INSTANTS, TurnFacts

place, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
store = Store(place)
log = CallLog(store)
puts, delays, number = [], [], 0
instants = {each: 1.5 for each in INSTANTS}
begun = time.monotonic()
while time.monotonic() - begun < seconds:
    call, turn = divmod(number, 10)
    if turn == 0:
        log.begin(CallFacts(call_id=f"{name}{call}", agent="a", revision=1, direction="test", started_at=datetime.now(UTC)))
    before = time.perf_counter()
    log.turn(f"{name}{call}", TurnFacts(turn, "caller", turn, caller_text="x" * 60, agent_text="y" * 200, instants=instants))
    puts.append(time.perf_counter() - before)
    if number % 20 == 19:
        store.flush(30)
        delays.append(time.perf_counter() - before)
    number += 1
    time.sleep(max(0.0, begun + number / 200 - time.monotonic()))
assert store.flush(60), store.problem
print(json.dumps({"turns": number, "puts": puts, "delays": delays}))
"""


def shown(values: Sequence[float]) -> str:
    """Milliseconds: half, 99 of 100, and the worst."""
    ordered = sorted(1000 * value for value in values)
    return f"p50 {statistics.median(ordered):.2f}, p99 {ordered[int(0.99 * (len(ordered) - 1))]:.2f}, worst {ordered[-1]:.2f} ms"


def measure(place: str, seconds: float) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, place, name, str(seconds)], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    whole, one = [], []
    with closing(Store(place)) as reader:
        while any(child.poll() is None for child in children):
            before = time.perf_counter()
            turns = reader.turns()
            middle = time.perf_counter()
            if len(turns):
                reader.turns(call_id=turns["call_id"].iloc[0])
                whole.append(middle - before)
                one.append(time.perf_counter() - middle)
        told = [json.loads(child.communicate(timeout=60)[0]) for child in children]
        before = time.perf_counter()
        stored = len(reader.turns())
        alone = time.perf_counter() - before
    closed = sum(each["turns"] for each in told)
    print(f"  {closed} turns closed, {stored} stored, {closed / seconds:.0f} a second", flush=True)
    print(f"  put: {shown([each for child in told for each in child['puts']])}")
    print(f"  stored after: {shown([each for child in told for each in child['delays']])}")
    print(f"  reading one call meanwhile: {shown(one)}")
    print(f"  reading all turns meanwhile: {shown(whole)}; all {stored} of them alone: {1000 * alone:.0f} ms", flush=True)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as folder, closing(Server(safe=True)) as server:
        for name, place in (("SQLite", str(Path(folder) / "calls.sqlite3")), ("PostgreSQL", server.create())):
            print(f"{name}, load {os.getloadavg()[0]:.1f}", flush=True)
            measure(place, seconds)


if __name__ == "__main__":
    main()
