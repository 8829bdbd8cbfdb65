"""The statistics of `.patter()` beside those of getpatter 0.7.0's own accumulator, on 200 generated timelines of completed turns.

    python tests/bench/patter_equality.py [--write]

Makes an environment of its own in a temporary folder and installs getpatter 0.7.0 there (from PyPI), hands the timelines to its
accumulator one instant after the other, with the clock that they say, and compares field by field, for each turn, for each call
and for all together. `--write` stores the timelines and what it told in tests/frames/patter_0_7_0.json, which the tests read.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.metrics import CORE, LATENCIES
from patter_nb.turns.facts import TurnFacts

SEED, CALLS, TURNS = 21, 20, 10
STORED = Path(__file__).parents[1] / "frames" / "patter_0_7_0.json"
STATISTICS = ("avg", "p50", "p90", "p95", "p99")

DRIVER = '''
import json, sys, types
from getpatter.services import metrics

at = 0.0
metrics.time = types.SimpleNamespace(monotonic=lambda: at, time=lambda: at)
STEPS = {
    "speech_started_at": lambda it: it.start_turn(),
    "vad_stopped_at": lambda it: it.record_vad_stop(),
    "stt_final_at": lambda it: (it.record_stt_final_timestamp(), it.record_stt_complete("hello")),
    "llm_requested_at": lambda it: it.record_turn_committed(),
    "llm_first_token_at": lambda it: it.record_llm_first_token(),
    "sentence_ready_at": lambda it: it.record_llm_first_sentence(),
    "llm_finished_at": lambda it: it.record_llm_complete(),
    "tts_first_byte_at": lambda it: it.record_tts_first_byte(),
    "tts_last_byte_at": lambda it: it.record_tts_complete("hi"),
}
FIELDS = json.loads(sys.argv[1])

def told(latency):
    return {name: getattr(latency, name) for name in FIELDS}

def run(call):
    global at
    it = metrics.CallMetricsAccumulator("call", "pipeline", "twilio")
    for instants in call:
        for name, when in sorted(instants.items(), key=lambda each: (each[1], list(STEPS).index(each[0]))):
            at = when
            STEPS[name](it)
        it.record_turn_complete("hi")
    ended = it.end_call()
    parts = {name: told(getattr(ended, "latency_" + name)) for name in ("avg", "p50", "p90", "p95", "p99")}
    return {"turns": [told(turn.latency) for turn in ended.turns], **parts}

calls = json.load(sys.stdin)
json.dump({"calls": [run(call) for call in calls], "all": run([turn for call in calls for turn in call])}, sys.stdout)
'''


def timelines() -> list[list[dict[str, float]]]:
    """Calls of turns; in some of them recognition is faster than voice activity, the model does not stream, or nothing came."""
    draw, calls = random.Random(SEED), []
    for _ in range(CALLS):
        at, turns = 1.0, []
        for _ in range(TURNS):
            turns.append({name: round(when, 4) for name, when in timeline(at, draw).items()})
            at = max(turns[-1].values()) + 2
        calls.append(turns)
    return calls


def timeline(at: float, draw: random.Random) -> dict[str, float]:
    def later(start: float, usual: float) -> float:
        return start + usual * draw.lognormvariate(0, 0.6)

    said = later(at, 1.5)
    made = {"speech_started_at": at, "vad_stopped_at": later(said, 0.1)}
    made["stt_final_at"] = later(said, 0.12)  # about as often before voice activity's stop as after it
    heard = max(made.values())
    made["llm_requested_at"] = later(heard, 0.05)
    made["llm_first_token_at"] = later(made["llm_requested_at"], 0.3)
    made["sentence_ready_at"] = later(made["llm_first_token_at"], 0.15)
    made["llm_finished_at"] = later(made["sentence_ready_at"], 0.5)
    made["tts_first_byte_at"] = later(made["sentence_ready_at"], 0.12)
    made["tts_last_byte_at"] = later(made["tts_first_byte_at"], 0.6)
    kind = draw.random()
    if kind < 0.1:  # a model that answers in one piece
        made["llm_finished_at"] = made["sentence_ready_at"]
        made["tts_first_byte_at"] = later(made["llm_finished_at"], 0.12)
        made["tts_last_byte_at"] = later(made["tts_first_byte_at"], 0.6)
        del made["llm_first_token_at"], made["sentence_ready_at"]
    elif kind < 0.15:  # without voice activity
        del made["vad_stopped_at"]
    elif kind < 0.2:  # no audio came
        del made["tts_first_byte_at"], made["tts_last_byte_at"]
    elif kind < 0.23:  # a model that waits for nothing
        made["llm_first_token_at"] = made["llm_requested_at"] = made["stt_final_at"] = heard
    return made


def peers(calls: list[list[dict[str, float]]]) -> dict[str, Any]:
    """What getpatter's accumulator tells of them."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "getpatter==0.7.0"], check=True, capture_output=True)
        asked = [python, "-c", DRIVER, json.dumps(LATENCIES)]
        done = subprocess.run(asked, input=json.dumps(calls), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(calls: list[list[dict[str, float]]]) -> Any:
    """Our table of turns of them."""
    log = CallLog(None)
    for number, turns in enumerate(calls):
        name = f"call_{number:02}"
        log.begin(CallFacts(call_id=name, agent="a", revision=1, direction="test", started_at=datetime(2026, 7, 1, tzinfo=UTC)))
        for place, instants in enumerate(turns, 1):
            log.turn(name, TurnFacts(place, "caller", place, 1, caller_text="hello", agent_text="hi", instants=instants))
    return log.turns()


def compare(calls: list[list[dict[str, float]]], told: dict[str, Any]) -> None:
    turns = ours(calls)
    theirs = [turn for call in told["calls"] for turn in call["turns"]]
    same, differ, worst, reasons = 0, 0, 0.0, dict[str, int]()

    def note(what: str, mine: float, their: float | None) -> None:
        nonlocal same, differ, worst
        if math.isnan(mine) and not their:
            same += 1
            if their == 0:
                reasons["missing is NaN, not 0"] = reasons.get("missing is NaN, not 0", 0) + 1
        elif their is not None and abs(mine - their) <= 0.1 + 1e-9:
            same += 1
            worst = max(worst, abs(mine - their))
        else:
            differ += 1
            reasons[what] = reasons.get(what, 0) + 1

    for (_, row), their in zip(turns.iterrows(), theirs, strict=True):
        for name in LATENCIES:
            zero = row[name] == 0 and their[name] is None
            note(f"{name} of a turn: 0 and known, told as None" if zero else f"{name} of a turn", row[name], their[name])
    print(f"{len(theirs)} turns, {len(LATENCIES)} fields: {same} the same (within {worst:.3f} ms), {differ} not")
    tables = [(turns[turns["call_id"] == f"call_{n:02}"].voice.patter(), call) for n, call in enumerate(told["calls"])]
    for label, some in ((f"{len(tables)} calls", tables), ("all turns as one call", [(turns.voice.patter(), told["all"])])):
        same, differ, worst = 0, 0, 0.0
        for table, call in some:
            for name in LATENCIES:
                for statistic in STATISTICS:
                    zeros = statistic == "avg" and name in CORE
                    what = f"{statistic} of {name}: they count a missing value as 0" if zeros else f"{statistic} of {name}"
                    note(what, table.loc[name, statistic], call[statistic][name])
        asked = f"{label}, {len(LATENCIES)} fields, {len(STATISTICS)} statistics"
        print(f"{asked}: {same} the same (within {worst:.3f} ms), {differ} not")
    for what, count in sorted(reasons.items()):
        print(f"  {count:>5}  {what}")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--write", action="store_true")
    write = arguments.parse_args().write
    calls = timelines()
    told = peers(calls)
    print(f"getpatter 0.7.0, seed {SEED}")
    compare(calls, told)
    if write:
        lines = [json.dumps({"timelines": call, **about}) for call, about in zip(calls, told["calls"], strict=True)]
        everything = json.dumps({name: told["all"][name] for name in STATISTICS})
        STORED.write_text('{"calls": [\n' + ",\n".join(lines) + f'\n], "all": {everything}}}\n')
        print(f"{STORED.stat().st_size / 1e3:.0f} kB in {STORED.name}")


if __name__ == "__main__":
    main()
