"""A process that is killed in mid-call: what the store has of the call."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store

pytestmark = pytest.mark.slow  # processes that are killed

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


def killed_after(place: str, lines: int, how: str) -> tuple[int, bool]:
    """Kill a child after it told of so many turns; the last turn it told of, and whether it said that it was written."""
    with subprocess.Popen([sys.executable, "-c", CHILD, place, how], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = [child.stdout.readline() for _ in range(lines)][-1]
        child.send_signal(signal.SIGKILL)
    number, written = line.split()
    return int(number), written == "True"


@pytest.mark.parametrize("seed", range(3))
def test_every_turn_that_was_written_is_there_and_nothing_is_torn(seed: int, place: str, opened: Callable[[str], Store]) -> None:
    draw = random.Random(seed)
    last, written = killed_after(place, draw.randint(1, 40), draw.choice(["flush", "flush", "rush"]))
    store = opened(place)
    turns, events = store.turns()["turn"].tolist(), store.events()
    assert turns == list(range(len(turns)))
    if written:
        assert len(turns) > last
    closed = events[events["kind"] == "turn_closed"]["turn"].tolist()
    assert closed == turns
    kinds = events["kind"].tolist()
    whole = ["opened", *["note"] * 5, "turn_closed"]
    assert kinds == [whole[at % 7] for at in range(len(kinds))]
    if "://" not in place:
        with closing(sqlite3.connect(place)) as file:
            assert file.execute("pragma integrity_check").fetchone() == ("ok",)


def test_the_next_process_goes_on_in_the_same_store(
    place: str, call: Callable[..., CallFacts], opened: Callable[[str], Store]
) -> None:
    first, _ = killed_after(place, 3, "flush")
    store = opened(place)
    assert store.calls()["end_reason"].isna().tolist() == [True]
    assert len(store.turns()) > first
    CallLog(store).begin(call("next"))
    assert store.flush(10), store.problem
    assert set(store.calls()["call_id"]) == {"call_1", "next"}
