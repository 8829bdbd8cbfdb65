"""What a caller hears of a busy notebook: python tests/bench/stalls.py

A cell blocks the loop of the notebook for a second, at seeded moments of replies of some 4.7 s: asleep, or computing; the first
figure of matplotlib is drawn in kernels that have not imported it; callers barge in while the loop stands still and after. The
far end is another process. Silence is what it heard within a reply because nothing was queued in time, so the pauses of the voice
are none; replies without such a cell are beside it. A barge-in is late by what runs from the caller's first sound to the clear
that reached the far end; what of that is not the rest of the stall is "after the stall".

    python tests/bench/stalls.py [--n 30] [--seed 4] [--only silence beginning figure voice bargein] [--ipykernel 6.31.0]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from patter_nb.testing.twilio.process import TwilioProcess

FOLDER = Path(__file__).parents[1] / "serving"
for name in ("kernels", "stalled"):
    spec = importlib.util.spec_from_file_location(f"tests_of_serving_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
kernels, stalled = sys.modules["tests_of_serving_kernels"], sys.modules["tests_of_serving_stalled"]

REPLY_SECONDS = 4.7
A_CALL = 12
"""Replies of one call; every fourth is left alone."""
KINDS = {"asleep 1 s": stalled.SLEEP.format(seconds=1), "computing 1 s": stalled.COMPUTE.format(seconds=1)}
INTERRUPTED_AFTER = 1.5
PARTS = ("silence", "beginning", "figure", "voice", "bargein")


@asynccontextmanager
async def staged(ipykernel: str, voice: str = stalled.SCRIPTED_VOICE) -> Any:
    """A kernel that serves. What it may import when it first needs it was imported by a first call."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with kernels.kernel(Path(folder), ipykernel=ipykernel) as notebook, TwilioProcess("--synthetic") as carrier:
            stage = kernels.Stage(notebook, carrier)
            await stalled.serve(stage, voice)
            yield stage


def moments(random_: random.Random, code: str, count: int, until: float, since: float = 0.0) -> list[Any]:
    """Blocks at seeded moments, and after every third a reply without one."""
    plan: list[Any] = []
    for number in range(count):
        plan.append(stalled.Block(code, random_.uniform(since, until)))
        if number % 3 == 2:
            plan.append(None)
    return plan


async def heard(stage: Any, plan: Sequence[Any], **settings: Any) -> tuple[list[Any], list[Any]]:
    """The replies with a block, and those without."""
    blocked, free = [], []
    for first in range(0, len(plan), A_CALL):
        part = plan[first : first + A_CALL]
        replies = await stalled.hear(stage, part, **settings)
        blocked += [reply for reply, block in zip(replies, part, strict=True) if block is not None]
        free += [reply for reply, block in zip(replies, part, strict=True) if block is None]
    return blocked, free


def row(what: str, replies: Sequence[Any]) -> None:
    """Silence that was heard, against how long the loop stood still."""
    if not replies:
        return
    silence, stalls = [reply.silence_ms for reply in replies], [reply.stall_ms for reply in replies]
    named = sum(reply.is_named for reply in replies) if replies[0].cell else "-"
    gaps = sum(each >= 20 for each in silence)
    when = ", ".join(f"{reply.silence_ms:.0f} at {reply.after_ms:.0f}" for reply in replies if reply.silence_ms >= 20)
    p50, p90, most = np.percentile(silence, (50, 90, 100))
    columns = (what, len(replies), f"{np.median(stalls):.0f} / {max(stalls):.0f}", f"{p50:.0f} / {p90:.0f} / {most:.0f}", gaps)
    print("|", *(f"{each} |" for each in (*columns, named, when or "none", f"{os.getloadavg()[0]:.1f}")), flush=True)


def late(what: str, replies: Sequence[Any]) -> None:
    """When clears reached the far end, of those callers who found the agent talking and of how many."""
    found = [reply for reply in replies if reply.bargein_ms is not None]
    if not found:
        return
    all_, rest = [reply.bargein_ms for reply in found], [reply.rest_ms for reply in found]
    over = [reply.bargein_ms - reply.rest_ms for reply in found]
    named = sum(reply.is_named for reply in found) if found[0].cell else "-"
    spread = [f"{np.median(each):.0f} / {max(each):.0f}" for each in (rest, all_, over)]
    columns = (what, f"{len(found)} of {len(replies)}", *spread, named, f"{os.getloadavg()[0]:.1f}")
    print("|", *(f"{each} |" for each in columns), flush=True)


async def silence(n: int, seed: int, ipykernel: str, voice: str = stalled.SCRIPTED_VOICE) -> None:
    async with staged(ipykernel, voice) as stage:
        for number, (kind, code) in enumerate(KINDS.items()):
            plan = moments(random.Random(f"{seed} {number}"), code, n, REPLY_SECONDS - 1)
            blocked, free = await heard(stage, plan)
            row(kind, blocked)
            row(f"none, between {kind}", free)


async def beginning(n: int, seed: int, ipykernel: str) -> None:
    """While a reply begins, next to nothing is ahead yet."""
    async with staged(ipykernel) as stage:
        for number, (kind, code) in enumerate(KINDS.items()):
            blocked, _ = await heard(stage, moments(random.Random(f"{seed} {number}"), code, n, 0.3))
            row(f"{kind}, as a reply begins", blocked)


async def figure(n: int, seed: int, ipykernel: str) -> None:
    found, when = [], random.Random(seed)
    for _ in range(n):
        async with staged(ipykernel) as stage:
            found += await stalled.hear(stage, [stalled.Block(stalled.FIRST_FIGURE, when.uniform(0, REPLY_SECONDS - 2))])
    row("first figure", found)


async def bargein(n: int, seed: int, ipykernel: str) -> None:
    async with staged(ipykernel) as stage:
        for number, (kind, code) in enumerate(KINDS.items()):
            plan = moments(random.Random(f"{seed} {number}"), code, n, INTERRUPTED_AFTER - 0.05, INTERRUPTED_AFTER - 1.3)
            blocked, free = await heard(stage, plan, interrupts_after=INTERRUPTED_AFTER)
            late(f"{kind}, caller within", [reply for reply in blocked if reply.rest_ms > 0])
            late(f"{kind}, caller after", [reply for reply in blocked if reply.rest_ms <= 0])
            late(f"none, between {kind}", free)


SILENT = "| cell | n | stood still, ms p50 / max | silence heard, ms p50 / p90 / max | n ≥ 20 ms | row names it | when | load |"
LATE = "| cell | n | rest of the stall, ms p50 / max | late, ms | after the stall, ms | row names it | load |"


async def measure(n: int, seed: int, only: Sequence[str], ipykernel: str) -> None:
    if {"silence", "beginning", "figure"} & set(only):
        print(SILENT, "|---" * 8 + "|", sep="\n")
    if "silence" in only:
        await silence(n, seed, ipykernel)
    if "beginning" in only:
        await beginning(max(1, n // 4), seed, ipykernel)
    if "figure" in only:
        await figure(max(1, n // 10), seed, ipykernel)
    if "voice" in only:
        print("\nWith the voice on this machine:", SILENT, "|---" * 8 + "|", sep="\n")
        await silence(max(1, n // 5), seed, ipykernel, stalled.LOCAL_VOICE)
    if "bargein" in only:
        print("\nBarge-in:", LATE, "|---" * 7 + "|", sep="\n")
        await bargein(max(1, n // 2), seed, ipykernel)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--ipykernel", default="")
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, n {asked.n}, seed {asked.seed}")
    asyncio.run(measure(asked.n, asked.seed, asked.only, asked.ipykernel))


if __name__ == "__main__":
    main()
