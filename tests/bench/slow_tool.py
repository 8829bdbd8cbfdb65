"""A tool that sleeps 5 s in a sync handler and may take 0.2 s, in calls at real pace: when the model is told, how late the loop
is, and how often it ran.

Run it with `python tests/bench/slow_tool.py --calls 5`. The loop's lateness is measured from outside the library: a task that
wants to wake every 5 ms notes by how much it woke too late, from the tool's start until the model was told.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from patter_nb import CustomLLM, Patter, ScriptedSTT, ScriptedTTS, tool
from patter_nb.turns.messages import ToolRequest

TICK_SECONDS = 0.005
SLEEP_SECONDS = 5.0
TIMEOUT_SECONDS = 0.2


async def one_call() -> dict[str, float]:
    ran: list[float] = []
    told: list[float] = []
    errors: list[str] = []

    @tool(timeout_s=TIMEOUT_SECONDS, reassurance=None)
    def slow() -> str:
        ran.append(time.monotonic())
        time.sleep(SLEEP_SECONDS)
        return "late"

    async def model(messages: list[dict[str, Any]]) -> AsyncIterator[Any]:
        if messages[-1]["role"] == "tool":
            told.append(time.monotonic())
            errors.append(messages[-1]["content"])
            yield "It did not work."
        else:
            yield ToolRequest("t1", "slow", "{}")

    late: list[tuple[float, float]] = []

    async def watch() -> None:
        while True:
            wanted = time.monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            late.append((wanted, time.monotonic() - wanted))

    phone = Patter(store=False)
    agent = phone.agent("A test.", stt=ScriptedSTT(["one"]), llm=CustomLLM(model), tts=ScriptedTTS(), tools=[slow])
    watcher = asyncio.create_task(watch())
    call = await phone.test(agent, ["One?"], speed="real", show=False)
    watcher.cancel()
    during = [seconds for at, seconds in late if ran[0] <= at <= told[0]]
    assert len(errors) == 1, errors
    return {
        "model told after, ms": 1000 * (told[0] - ran[0]),
        "worst lateness of the loop, ms": 1000 * max(during),
        "times it ran": len(ran),
        "answers heard": int(call.turns.iloc[-1]["agent_text"] == "It did not work."),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=5)
    calls = parser.parse_args().calls
    rows = [asyncio.run(one_call()) for _ in range(calls)]
    print(f"{calls} calls, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for name in rows[0]:
        values = sorted(row[name] for row in rows)
        print(f"{name}: least {values[0]:.1f}, median {values[len(values) // 2]:.1f}, most {values[-1]:.1f}")


if __name__ == "__main__":
    main()
