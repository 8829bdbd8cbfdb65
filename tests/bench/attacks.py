"""Attacks on a served phone while somebody talks on it, how many tries of each, and what survived. Figures only.

`python tests/bench/attacks.py`. The port has its own bounds, so that slow clients take ten seconds, a far end that is gone forty.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

from hypothesis import given, settings

TESTS = Path(__file__).parents[1]
EXAMPLES = 3_000
"""Of each kind that hypothesis draws."""


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
fuzz = load("security", "test_fuzz")


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def row(name: str, tried: int, seconds: float, outcome: str) -> None:
    print(f"{name:54s} {tried:7d} tried {seconds:6.1f} s   {outcome}", flush=True)


async def in_a_call() -> None:
    async with served_module.serving() as served:
        async with served.talking() as caller:
            await caller.says(1)
            await caller.hang_up()
        before, memory = served.held(), memory_mb()
        async with served.talking(500) as caller:
            await caller.says(1)
            for name, attack in {**attacks.QUICK, **attacks.LONG}.items():
                began, outcome, tried = time.monotonic(), "repelled", 0
                try:
                    tried = await attack(served, caller)
                    await served.answers()
                except (AssertionError, OSError, TimeoutError) as error:
                    outcome = f"NOT REPELLED: {error!r}"[:200]
                row(name, tried, time.monotonic() - began, outcome)
            await caller.says(2)
            report = await caller.hang_up()
        served.unharmed(caller, report)
        await served.lets_go(before)
        served.quiet()
        turns = served.phone._log.facts(caller.call.id)
        stalls = [event.data["seconds"] for event in served.phone._log.event_rows(caller.call.id) if event.kind == "loop_stall"]
        replies = [exchange.reply for exchange in report.exchanges if exchange.reply is not None]
        print(f"the caller meanwhile: {len(turns)} turns as they should be, {len(report.marks)} marks returned, none lost")
        print(f"  silence inside replies  {max(reply.underrun_ms for reply in replies):.0f} ms at most (n={len(replies)})")
        print(f"  longest stall of the loop  {max(stalls, default=0) * 1000:.0f} ms")
        print(f"left behind: tasks, sockets, descriptors {before} before, {served.held()} after;", end=" ")
        print(f"memory {memory:.0f} MB before, {memory_mb():.0f} MB after; nothing logged")


def at_random() -> None:
    often = settings(fuzz.OFTEN, max_examples=EXAMPLES, database=None)
    with fuzz.unhurried(), asyncio.Runner() as runner:
        world = fuzz.Fuzzed(runner)
        runner.run(world.open())

        @often
        @given(path=fuzz.PATHS, form=fuzz.FORMS)
        def forms(path: str, form: dict[str, str]) -> None:
            runner.run(world.webhook(path, form))

        @often
        @given(path=fuzz.PATHS, body=fuzz.BODIES)
        def bodies(path: str, body: bytes) -> None:
            runner.run(world.body(path, body))

        @often
        @given(messages=fuzz.STREAM)
        def messages_of_a_call(messages: list[Any]) -> None:
            fuzz.say(world, messages)

        @often
        @given(messages=fuzz.STREAM)
        def first_messages_of_a_socket(messages: list[Any]) -> None:
            runner.run(world.first(fuzz.of("MZ" + "1" * 32, messages)))

        for name, test in {
            "signed forms at random": forms,
            "bodies at random": bodies,
            "messages on a call at random": messages_of_a_call,
            "first messages on a socket at random": first_messages_of_a_socket,
        }.items():
            world.tried, began = 0, time.monotonic()
            test()
            row(name, world.tried, time.monotonic() - began, "no error, no call ended")
        runner.run(world.close())


def main() -> None:
    print(f"load of the machine {' '.join(f'{load:.1f}' for load in os.getloadavg())}, {os.cpu_count()} cores")
    asyncio.run(in_a_call())
    at_random()


if __name__ == "__main__":
    main()
