"""A process that is killed in mid-call: what the store has of the call."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from patter_nb.records.store import Store

CHILD = """
import sys
from datetime import UTC, datetime
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts

log = CallLog(Store(sys.argv[1]))
log.begin(CallFacts(call_id="call_1", agent="a", revision=1, direction="test", started_at=datetime.now(UTC)))
for number in range(10_000):
    log.event("call_1", float(number), "opened", {"turn": number})
    for part in range(5):
        log.event("call_1", number + part / 10, "note", {"turn": number, "text": "x" * 200})
    log.turn("call_1", TurnFacts(number, "caller", number, caller_text="x" * 500))
    written = sys.argv[2] == "flush" and log.flush(10)
    print(number, written, flush=True)
"""


def killed_after(path: Path, lines: int, how: str) -> tuple[int, bool]:
    """Kill a child after it told of so many turns; the last turn it told of, and whether it said that it was written."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path), how], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = [child.stdout.readline() for _ in range(lines)][-1]
        child.send_signal(signal.SIGKILL)
    number, written = line.split()
    return int(number), written == "True"


@pytest.mark.parametrize("seed", range(5))
def test_every_turn_that_was_written_is_there_and_nothing_is_torn(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    path = tmp_path / "calls.sqlite3"
    last, written = killed_after(path, draw.randint(1, 40), draw.choice(["flush", "flush", "rush"]))
    store = Store(path)
    turns, events = store.turns()["turn"].tolist(), store.events()
    store.close()
    assert turns == list(range(len(turns)))
    if written:
        assert len(turns) > last
    closed = events[events["kind"] == "turn_closed"]["turn"].tolist()
    assert closed == turns
    kinds = events["kind"].tolist()
    whole = ["opened", *["note"] * 5, "turn_closed"]
    assert kinds == [whole[place % 7] for place in range(len(kinds))]
    assert sqlite3.connect(path).execute("pragma integrity_check").fetchone() == ("ok",)


def test_the_next_process_goes_on_in_the_same_store(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    first, _ = killed_after(path, 3, "flush")
    store = Store(path)
    assert store.calls()["end_reason"].isna().tolist() == [True]
    assert len(store.turns()) > first
    store.close()
