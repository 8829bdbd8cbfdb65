"""What is lost when the process of a call is killed in mid-call: `python tests/bench/killed.py [times]`. Figures only.

The child holds a test call at real speed with scripted providers that answer fast, a turn in about two seconds, tells of each
turn as soon as its table has it, and is killed at a seeded moment of the call. "lost" are turns it told of that the store does
not have.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from patter_nb.records.store import Store

CALL = """
import asyncio, sys, time
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS

TURNS = 12

async def main():
    phone = Patter(store=sys.argv[1], show=False)
    parts = dict(
        stt=ScriptedSTT([f"Line {n}." for n in range(TURNS)]),
        llm=ScriptedLLM([f"Answer {n}." for n in range(TURNS)], first_token_seconds=0.05),
        tts=ScriptedTTS(first_byte_seconds=0.05),
    )
    call = phone.test(phone.agent("A test.", first_message="Hi!", **parts), caller=["Yes?"] * TURNS, speed="real")
    told, late, problem = 0, 0.0, None
    while call.state == "running":
        closed = len(call.turns)
        for number in range(told, closed):
            print(f"turn {number}", flush=True)
        told = closed
        if problem != phone.store.problem:
            problem = phone.store.problem
            print(f"problem {problem}", flush=True)
        before = time.monotonic()
        await asyncio.sleep(0.002)
        late = max(late, time.monotonic() - before - 0.002)
    print("over", flush=True)
    for number in range(told, len(call.turns)):
        print(f"turn {number}", flush=True)
    written = phone.store.flush(30)
    print(f"end {1000 * late:.1f} {written} {call.end_reason}; {phone.store.problem}", flush=True)

"""
"""A call that tells of its turns, of what hinders the store, and at its end of the loop's worst lateness in ms."""

CHILD = CALL + "asyncio.run(main())"


@dataclass(frozen=True)
class Killed:
    """What was there when the process was gone."""

    told: int
    """Turns that were closed, as the call told."""
    stored: int
    closed: int
    """Events that say so."""
    events: int
    in_mid_call: bool
    ends: list[str | None]
    recordings: int
    whole: bool
    """Whether SQLite finds the file in order."""


def kill_once(path: Path, seconds: float) -> Killed:
    """Kill a call so long after its first turn was told of."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = []
        while not any(line.startswith("turn") for line in lines):
            lines.append(child.stdout.readline())
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines()
    told = [line for line in lines if line.startswith("turn")]
    store = Store(path)
    turns, events, calls = store.turns(), store.events(), store.calls()
    store.close()
    with closing(sqlite3.connect(path)) as database:
        whole = database.execute("pragma integrity_check").fetchone() == ("ok",)
    return Killed(
        told=len(told),
        stored=len(turns),
        closed=int((events["kind"] == "turn_closed").sum()),
        events=len(events),
        in_mid_call="over" not in lines,
        ends=[str(end) if isinstance(end, str) else None for end in calls["end_reason"]],
        recordings=len(list(path.parent.glob("recordings/*.wav"))),
        whole=whole,
    )


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    draw = random.Random(12)
    lost = mid = recordings = 0
    for number in range(times):
        seconds = draw.uniform(0.0, 12.0)
        with tempfile.TemporaryDirectory() as folder:
            found = kill_once(Path(folder) / "calls.sqlite3", seconds)
        lost += max(0, found.told - found.stored)
        mid += found.in_mid_call
        recordings += found.recordings
        open_turn = "no end" if found.ends == [None] else f"ends {found.ends}"
        print(
            f"kill {number}, {seconds:.1f} s after the first turn: {found.told} turns told of, {found.stored} stored with "
            f"{found.closed} closing events, {found.events} events in all; the call has {open_turn}; "
            f"{found.recordings} recordings; file {'whole' if found.whole else 'TORN'}",
            flush=True,
        )
    print(f"{times} kills, {mid} in mid-call: {lost} closed turns lost, {mid - recordings} recordings lost")


if __name__ == "__main__":
    main()
