"""Tables of many calls: how long they take to write, to load, to compute percentiles of, and how much memory. Figures only.

    python tests/bench/frames.py [calls] [turns of each] [--url postgresql+psycopg://...] [--profile]

10,000 calls of 10 turns unless you say otherwise, drawn with a seed, with what test calls record: every instant of a turn, usage
of three services, four events. They go through the log and the store as those of a real call do. Loading is done in a process of
its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from patter_nb.records.facts import CallFacts, RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.turns.facts import ToolRun, TurnFacts
from patter_nb.turns.usage import Price, Usage

SEED = 7
STAGES = (
    ("speech_ended_at", "vad_stopped_at", 0.1), ("speech_ended_at", "endpointed_at", 0.32),
    ("vad_stopped_at", "stt_requested_at", 0), ("stt_requested_at", "stt_final_at", 0.09),
    ("endpointed_at", "reply_ordered_at", 0.001),
    ("reply_ordered_at", "hooks_started_at", 0.001), ("hooks_started_at", "hooks_ended_at", 0.001),
    ("hooks_ended_at", "llm_requested_at", 0.001), ("llm_requested_at", "llm_first_token_at", 0.25),
    ("llm_first_token_at", "sentence_started_at", 0), ("sentence_started_at", "sentence_ready_at", 0.12),
    ("sentence_ready_at", "tts_requested_at", 0.001), ("tts_requested_at", "tts_first_byte_at", 0.15),
    ("tts_first_byte_at", "send_started_at", 0.001), ("send_started_at", "sent_at", 0.001), ("sent_at", "played_at", 0.02),
    ("played_at", "audible_at", 0.04), ("llm_first_token_at", "llm_finished_at", 0.6),
    ("tts_first_byte_at", "tts_last_byte_at", 0.5), ("audible_at", "finished_at", 2.5),
)  # fmt: skip
SAID = ("Hi, when is dinner?", "Do you have a table for four tonight, by the window?", "It's Johnson.", "Thanks, bye.")
ANSWERS = ("Dinner is served from six to ten.", "Yes, table four is free. Shall I put it aside?", "Thank you, Mr Johnson.")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("calls", nargs="?", type=int, default=10_000)
    arguments.add_argument("turns", nargs="?", type=int, default=10)
    arguments.add_argument("--url")
    arguments.add_argument("--profile", action="store_true")
    arguments.add_argument("--load", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.load:
        load(given.load, profile=given.profile)
        return
    print(f"load {os.getloadavg()[0]:.1f}, seed {SEED}")
    with tempfile.TemporaryDirectory() as folder:
        place = given.url or str(Path(folder) / "calls.sqlite3")
        store = Store(place)
        timed(f"write {given.calls:,} calls of {given.turns}", lambda: write(store, given.calls, given.turns))
        store.close()
        if not given.url:
            print(f"{'the file':<44}{Path(place).stat().st_size / 1e6:>9.1f} MB")
        subprocess.run([sys.executable, __file__, "--load", place, *(["--profile"] if given.profile else [])], check=True)


def timed(what: str, work: Callable[[], Any]) -> Any:
    start, busy = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - start, time.process_time() - busy
    rows = f", {len(found):,} rows" if hasattr(found, "memory_usage") else ""
    size = f", {found.memory_usage(deep=True).sum() / 1e6:.0f} MB" if rows else ""
    print(f"{what:<44}{wall:>9.2f} s, {cpu:>7.2f} s of CPU{rows}{size}", flush=True)
    return found


def write(store: Store, calls: int, turns: int) -> None:
    draw, log = random.Random(SEED), CallLog(store)
    price = Price(0.006, 0.05, 0.15, 0.01, 0.6)
    ids = {service: log.prices.register(service, "acme", "m", price) for service in ("stt", "llm", "tts")}
    began = datetime(2026, 7, 1, tzinfo=UTC)
    for number in range(1, 4):
        content = {"system_prompt": f"You are receptionist {number}."}
        log.revision(RevisionFacts("reception", number, f"c{number}", number - 1 or None, "", began, content))
    for number in range(calls):
        record(log, f"call_{number:06}", began + timedelta(minutes=number), number * 3 // calls + 1, turns, draw, ids)
        if number % 200 == 199:
            log.flush(300)  # or all rows would wait in memory
    log.flush(600)


def record(  # noqa: PLR0917
    log: CallLog, call_id: str, at: datetime, revision: int, turns: int, draw: random.Random, prices: dict[str, str]
) -> None:
    names = {f"{service}_{part}": value for service in prices for part, value in (("provider", "acme"), ("model", "m"))}
    source = ("4 lines", "caller.wav")[draw.random() < 0.3]
    about = {"agent": "reception", "revision": revision, "source": source, "started_at": at, **names}
    log.begin(CallFacts(call_id=call_id, direction="test", **about))
    pace = draw.lognormvariate(0, 0.3)
    for number in range(1, turns + 1):
        made = turn(number, revision, pace, draw, prices)
        for kind in ("caller_speech", "agent_speech"):
            log.event(call_id, 7.0 * number, kind, {"started_at": 7.0 * number, "ended_at": 7.0 * number + 2})
        log.turn(call_id, made)
        gap_ms = (made.instants["audible_at"] - made.instants["speech_ended_at"]) * 1000
        log.event(call_id, 7.0 * number, "perceived", {"gap_ms": gap_ms + draw.gauss(0, 3)}, number)
    if draw.random() < 0.1:
        log.event(call_id, 8.0, "loop_stall", {"started_at": 8.0, "seconds": 0.15, "cell": "In [7]"})
    log.finish(call_id, duration_seconds=7.0 * turns, end_reason="caller_hung_up")


def turn(number: int, revision: int, pace: float, draw: random.Random, prices: dict[str, str]) -> TurnFacts:
    ended = 7.0 * number + 1.5
    instants = {"speech_started_at": 7.0 * number, "speech_ended_at": ended}
    for start, end, usual in STAGES:
        instants[end] = instants[start] + usual * pace * draw.lognormvariate(0, 0.4)
    said, answer = SAID[number % len(SAID)], ANSWERS[number % len(ANSWERS)]
    spent = (
        Usage("stt", "acme", "m", audio_seconds=1.5, price_id=prices["stt"]),
        Usage("llm", "acme", "m", input_tokens=310, output_tokens=22, price_id=prices["llm"]),
        Usage("tts", "acme", "m", characters=len(answer), price_id=prices["tts"]),
    )
    ran = ToolRun("t1", "free_table", '{"guests": 4}', "Table four.", None, ended + 0.5, ended + 0.6)
    tools = (ran,) if number % 5 == 0 else ()
    cut = draw.random() < 0.1
    return TurnFacts(
        number, "caller", number, revision, caller_text=said, agent_text=answer, heard_text=answer, interrupted=cut, tools=tools,
        instants=instants, usage=spent,
    )  # fmt: skip


def load(place: str, *, profile: bool) -> None:
    store = Store(place)
    before = peak_mb()
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    turns = timed("store.turns()", store.turns)
    if profile:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        return
    print(f"{'more memory at most, while turns were loaded':<44}{peak_mb() - before:>9.0f} MB")
    timed("store.turns(since=..., until=...): a day", lambda: store.turns(since="2026-07-02", until="2026-07-03"))
    timed('.voice.percentiles(by="revision")', lambda: turns.voice.percentiles(by="revision"))
    timed(".voice.percentiles()", turns.voice.percentiles)
    timed('.voice.patter(by="revision")', lambda: turns.voice.patter(by="revision"))
    timed("store.calls()", store.calls)
    timed("store.revisions()", store.revisions)
    timed("store.tools_log()", store.tools_log)
    timed("store.events()", store.events)
    timed("store.spans()", store.spans)
    print(f"{'memory at most':<44}{peak_mb():>9.0f} MB")


def peak_mb() -> float:
    """The most memory this process had (Linux); `getrusage` would begin with that of the process it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


if __name__ == "__main__":
    main()
