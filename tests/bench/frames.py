"""How long it takes to record 1,000 calls and to make frames of them. Figures only.

`python tests/bench/frames.py [calls] [turns]`
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import INSTANTS, TurnFacts
from patter_nb.turns.usage import Usage

NAMES = tuple(INSTANTS)


def timed(what: str, work: Callable[[], object]) -> None:
    start, busy = time.perf_counter(), time.process_time()
    found = work()
    size = f", {len(found):,} rows" if hasattr(found, "__len__") else ""
    wall, cpu = time.perf_counter() - start, time.process_time() - busy
    print(f"{what:<34}{wall * 1000:>9.1f} ms, {cpu * 1000:>9.1f} ms of CPU{size}")


def turn(number: int, draw: random.Random) -> TurnFacts:
    at, instants = 5.0 * number, {}
    for name in NAMES[:22]:
        at += draw.uniform(0.001, 0.2)
        instants[name] = at
    text = "The table is free from six to ten, and dinner is served until nine. "
    spent = tuple(
        Usage(service, "local", "m", 2.5, 60, 200, 0, 30, "local/*/stt@2000-01-01") for service in ("stt", "llm", "tts")
    )
    return TurnFacts(number, "caller", number, 1, "Is there a table?", "", text, text, instants=instants, usage=spent)


def record(log: CallLog, calls: int, turns: int) -> None:
    draw = random.Random(7)
    slowest, total = 0.0, 0.0
    for number in range(calls):
        call_id = f"call_{number}"
        log.begin(CallFacts(call_id=call_id, agent="agent", revision=1, direction="test", started_at=datetime.now(UTC)))
        for each in range(1, turns + 1):
            facts = turn(each, draw)
            for _ in range(3):
                log.event(call_id, each, "caller_speech", {"started_at": 1.0, "ended_at": 2.0})
            start = time.perf_counter()
            log.turn(call_id, facts)
            spent = time.perf_counter() - start
            slowest, total = max(slowest, spent), total + spent
            log.event(call_id, each, "perceived", {"turn": each, "gap_ms": 900.0})
        log.finish(call_id, duration_seconds=60.0, end_reason="caller_hung_up")
    print(f"CallLog.turn(): mean {total / calls / turns * 1e6:.0f} us, slowest {slowest * 1e6:.0f} us")


def main() -> None:
    calls, turns = (int(each) for each in (*sys.argv[1:], *("1000", "12")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "calls.sqlite3")
        log = CallLog(store)
        timed(f"record {calls} calls of {turns} turns", lambda: record(log, calls, turns))
        timed("written by then", lambda: log.flush(120))
        for name in ("calls", "turns", "events"):
            timed(f"log.{name}()", getattr(log, name))
        timed("log.turns() again", log.turns)
        for name in ("calls", "turns", "events"):
            timed(f"store.{name}()", getattr(store, name))
        timed("log.call_turns() of one call", lambda: log.call_turns("call_7"))
        timed("log.cost() of one call", lambda: log.cost("call_7"))
        timed("log.latency() of one call", lambda: log.latency("call_7"))
        print(f"file: {Path(store.name).stat().st_size / 1e6:.1f} MB")
        store.close()


if __name__ == "__main__":
    main()
