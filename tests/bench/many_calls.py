"""Many calls on one served phone: 200 in a row, then 20 at once in real time. What the process holds at the beginning and at the
end: memory, tasks of the loop, sockets of the server, file descriptors. `python tests/bench/many_calls.py [calls] [at once]`."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
IN_A_ROW, AT_ONCE = 200, 20
LINES = 3
"""Of each caller who calls at the same time as others."""
WARM_UP = 5


def load(folder: str, name: str) -> Any:
    full = f"tests_of_{folder}_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, TESTS / folder / f"{name}.py")
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


load("telephony", "wires")
served_module = load("security", "served")
attacks = load("security", "attacks")


@dataclass(frozen=True)
class Held:
    """What the process holds."""

    memory_mb: float
    tasks: int
    sockets: int
    descriptors: int
    threads: int

    def __str__(self) -> str:
        return (
            f"{self.memory_mb:7.1f} MB {self.tasks:5d} tasks {self.sockets:5d} sockets {self.descriptors:5d} descriptors"
            f" {self.threads:5d} threads"
        )


def held(served: Any) -> Held:
    gc.collect()
    tasks, sockets, descriptors = served.held()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    return Held(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, tasks, sockets, descriptors, threads)


async def rest(served: Any, before: tuple[int, int, int]) -> Held:
    """What is held when all that ends by itself has ended."""
    await served.lets_go(before)
    return held(served)


async def short(served: Any) -> None:
    """A call that is greeted, says nothing and hangs up."""
    ringing = await served.ring()
    async with ringing.open() as socket:
        wire = await attacks.begin(ringing, socket)
        await attacks.heard(socket)
        for number in range(10):
            await socket.send(wire.media(served_module.SILENCE, number * 20))
        await socket.send(wire.stop())
        await attacks.code_of(socket)
    call = served.call_of(ringing)
    await asyncio.wait_for(call.over(), 20)
    await served.tell("status", [("CallSid", ringing.call_sid), ("CallStatus", "completed"), ("CallDuration", "1")])
    assert call.end_reason == "caller hung up", (call.end_reason, call.error)


async def long(served: Any) -> list[float]:
    """A call of some lines in real time; its gaps in milliseconds, as the caller heard them."""
    async with served.talking() as caller:
        await caller.says(LINES + 1)
        report = await caller.hang_up()
    served.unharmed(caller, report)
    gaps = [exchange.gap_seconds for exchange in report.exchanges]
    return [gap * 1000 for gap in gaps if gap is not None]


@dataclass(frozen=True)
class Soak:
    """What was held before and after, and how the calls went."""

    start: Held
    after_row: Held
    after_crowd: Held
    row_seconds: float
    gaps_ms: list[float]


async def soak(in_a_row: int, at_once: int) -> Soak:
    async with served_module.serving() as served:
        for _ in range(WARM_UP):
            await short(served)
        await asyncio.gather(*(long(served) for _ in range(at_once)))  # threads, and what is made once
        before = served.held()
        start = held(served)
        began = time.monotonic()
        for _ in range(in_a_row):
            await short(served)
        seconds = time.monotonic() - began
        after_row = await rest(served, before)
        gaps = [gap for each in await asyncio.gather(*(long(served) for _ in range(at_once))) for gap in each]
        after_crowd = await rest(served, before)
        served.quiet()
    return Soak(start, after_row, after_crowd, seconds, gaps)


def main() -> None:
    given = [int(number) for number in sys.argv[1:]]
    in_a_row, at_once = (*given, *(IN_A_ROW, AT_ONCE)[len(given) :])
    found = asyncio.run(soak(in_a_row, at_once))
    quantiles = statistics.quantiles(found.gaps_ms, n=20)
    print(f"load of the machine         {' '.join(f'{load:.1f}' for load in os.getloadavg())}, {os.cpu_count()} cores")
    print(f"{'at the start':28s}{found.start}   (after {WARM_UP} in a row and {at_once} at once)")
    print(f"{f'after {in_a_row} in a row':28s}{found.after_row}   ({found.row_seconds / in_a_row * 1000:.0f} ms each)")
    print(f"{f'after {at_once} at once':28s}{found.after_crowd}")
    print(f"{f'gaps at once (n={len(found.gaps_ms)})':28s}p50 {statistics.median(found.gaps_ms):.0f}, p95 {quantiles[18]:.0f} ms")


if __name__ == "__main__":
    main()
