"""Two kernels that hold calls at the same time and keep them in one store, and somebody who reads meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from sqlalchemy import text

from patter_nb.records.store import Store

pytestmark = pytest.mark.slow  # processes with calls of their own

KERNEL = """
import asyncio, json, sys
from patter_nb import Patter, Price, ScriptedLLM, ScriptedSTT, ScriptedTTS

calls, turns = int(sys.argv[2]), 3
phone = Patter(store=sys.argv[1], show=False)


def parts():
    return dict(
        stt=ScriptedSTT([f"Line {n}." for n in range(turns)], price=Price(usd_per_audio_minute=0.01)),
        llm=ScriptedLLM([f"Answer {n}." for n in range(turns)], price=Price(usd_per_1m_output_tokens=9.0)),
        tts=ScriptedTTS(first_byte_seconds=0.05, price=Price(usd_per_1k_characters=0.1)),
    )


async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(calls):
        agent = phone.agent(f"A test, the {number}th.", first_message="Hi!", **parts())
        await phone.test(agent, caller=["Yes?"] * turns, speed="max", record=False)
    hash = phone.store.hash_number("+15557654321") if phone.store.flush(60) else None
    ids = phone.turns.groupby("call_id").size().to_dict()
    told = dict(problem=phone.store.problem, turns=ids, events=len(phone.events), usd=float(phone.calls["usd"].sum()), hash=hash)
    print(json.dumps(told), flush=True)


asyncio.run(main())
"""


def begun_together(place: str, calls: int, meanwhile: Callable[[], None]) -> list[dict[str, Any]]:
    """What two kernels told that began to hold so many calls at the same moment. `meanwhile` is done until they have ended."""
    command = [sys.executable, "-W", "error", "-c", KERNEL, place, str(calls)]
    with ExitStack() as held:
        pipe = subprocess.PIPE
        kernels = [held.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)) for _ in range(2)]
        for kernel in kernels:
            assert kernel.stdout is not None
            assert kernel.stdout.readline() == "ready\n"
        for kernel in kernels:
            assert kernel.stdin is not None
            kernel.stdin.write("\n")
            kernel.stdin.flush()
        while running := [kernel for kernel in kernels if kernel.poll() is None]:
            meanwhile()
            with suppress(subprocess.TimeoutExpired):
                running[0].wait(0.1)  # leaves the processors to them
        return [json.loads(kernel.communicate(timeout=60)[0]) for kernel in kernels]


@pytest.mark.parametrize("calls", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_two_kernels_lose_nothing_and_double_nothing_and_a_reader_always_sees_whole_turns(
    calls: int, place: str, opened: Callable[[str], Store]
) -> None:
    reader = opened(place)
    seen: list[int] = []

    def look() -> None:
        readings = reader.readings()
        for reading in readings:
            closed = [event for event in reading.record.events if event.kind == "turn_closed"]
            assert len(closed) == len(reading.record.turns)
        seen.append(len(readings))

    told = begun_together(place, calls, look)
    assert [each["problem"] for each in told] == [None, None]
    assert seen == sorted(seen)
    assert reader.turns().groupby("call_id").size().to_dict() == {**told[0]["turns"], **told[1]["turns"]}
    assert len(told[0]["turns"]) == len(told[1]["turns"]) == calls
    assert len(reader.events()) == sum(each["events"] for each in told)
    found = reader.calls()
    assert set(found["end_reason"]) == {"caller hung up"}
    assert found["usd"].sum() == pytest.approx(sum(each["usd"] for each in told))
    assert found["usd"].min() > 0
    assert {each["hash"] for each in told} == {reader.hash_number("+15557654321")} != {None}
    with reader.engine.connect() as connection:
        counts = {table: connection.execute(text(f"select count(*) from {table}")).scalar_one() for table in ("meta", "prices")}
        revisions = connection.execute(text("select count(*) from revisions")).scalar_one()
    assert counts == {"meta": 2, "prices": 3}  # the same prices in both kernels
    assert revisions == 2 * calls
