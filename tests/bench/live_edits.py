"""Edits at random moments of calls that are on: is the first reply ordered after an edit answered by it, and does any mix two?

Each edit puts its number into the system prompt ("code 17"), and the model repeats the number it is told with every sentence, so what
the caller heard shows which revision answered. The order of things is taken from outside: `propose` is timed by its caller before and
after, the reply by the model when it is asked. A reply whose order lies within the few microseconds of an edit being proposed may be
answered by either; such cases are counted apart.

    python tests/bench/live_edits.py [--edits 200] [--spoken 40] [--seed 5]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from patter_nb import ConfigError, Line, LocalSTT, LocalTTS, Patter, ScriptedSTT, ScriptedTTS, tool
from patter_nb.call import Call
from patter_nb.providers.base import TextDelta
from patter_nb.providers.custom import CustomLLM
from patter_nb.turns.messages import ToolRequest

CODE = re.compile(r"code (\d+)")
PROMPT = "You are a test. Your code {number}. Repeat it."
MOMENTS = ("greeting", "reply", "barge-in", "tool", "silence")


@dataclass
class Edit:
    number: int
    before: float
    """`time.monotonic()` just before it was proposed."""
    after: float
    moment: str


@dataclass
class Watched:
    """What was seen of one call from outside."""

    edits: list[Edit] = field(default_factory=list)
    asked: dict[int, list[int]] = field(default_factory=dict)
    """For each request to the model, in order: the codes it was told."""
    times: list[float] = field(default_factory=list)
    refused: int = 0


def model(watched: Watched) -> CustomLLM:
    """Repeats the code of its prompt in three sentences; asks for a tool in every third answer."""

    async def generate(messages: list[dict[str, Any]]) -> AsyncIterator[Any]:
        watched.times.append(time.monotonic())
        number = int(CODE.search(messages[0]["content"])[1])
        again = messages[-1]["role"] == "tool"
        asked = len(watched.times)
        watched.asked[asked] = [number]
        if asked % 3 == 0 and not again:
            yield TextDelta(f"Looking it up with code {number}. ")
            yield ToolRequest(f"t{asked}", "slow_look", "{}")
            return
        for sentence in ("That is code {}. ", "Again it is code {}. ", "And once more code {}."):
            yield TextDelta(sentence.format(number))
            await asyncio.sleep(0.02)

    return CustomLLM(generate)


@tool(timeout_s=5)
async def slow_look() -> str:
    """Look something up."""
    await asyncio.sleep(0.6)
    return "found"


async def edited_call(agent: Any, phone: Patter, lines: list[Any], edits: int, start: int, chance: random.Random, watched: Watched) -> Call:
    """Hold a call and edit its agent at random moments, from another thread, as a widget would."""
    call = phone.test(agent, lines)
    state = {"moment": "greeting"}
    over = threading.Event()

    async def follow() -> None:
        async for event in call.stream():
            kind = event.kind
            moment = {"agent_speech_started": "reply", "tool_called": "tool", "user_speech_started": "barge-in"}.get(kind)
            state["moment"] = moment or ("silence" if kind in ("agent_speech_ended", "user_speech_ended") else state["moment"])

    def editing() -> None:
        for number in range(start, start + edits):
            if over.wait(chance.uniform(0.05, 0.9)):
                return
            if chance.random() < 0.15:
                try:
                    call.edit(system_prompt=f"code {number} {{unknown}}", variables={})
                except ConfigError:
                    watched.refused += 1
            before = time.monotonic()
            try:
                call.edit(system_prompt=PROMPT.format(number=number), note=str(number))
            except ConfigError:  # the call ended meanwhile
                return
            watched.edits.append(Edit(number, before, time.monotonic(), state["moment"]))

    following, thread = asyncio.create_task(follow()), threading.Thread(target=editing)
    thread.start()
    await call
    over.set()
    await asyncio.to_thread(thread.join)
    await following
    return call


def judge(call: Call, watched: Watched, zero: float) -> Counter[str]:
    """Compare what the caller heard with what the edits say. `zero`: the monotonic time of the call's answer."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    for facts in call._log.facts(call.id):
        if facts.kind != "caller" or not facts.agent_text or "reply_ordered_at" not in facts.instants:
            continue
        codes = {int(code) for code in CODE.findall(facts.agent_text)}
        if not codes:
            continue
        found["replies"] += 1
        if len(codes) > 1:
            found["mixed"] += 1
        ordered = zero + facts.instants["reply_ordered_at"]
        certain = [edit.number for edit in watched.edits if edit.after <= ordered]
        possible = [edit.number for edit in watched.edits if edit.before <= ordered + 0.002]
        newest = max(certain, default=0)
        answered = max(codes)
        if answered == newest:
            found["right"] += 1
        elif answered in possible and answered > newest:
            found["within an edit"] += 1
        else:
            found["wrong"] += 1
        if newest and newest not in seen:
            seen.add(newest)
            found["edits that answered"] += 1
    return found


async def run(kind: str, edits: int, seed: int) -> None:
    chance, totals, moments = random.Random(seed), Counter[str](), Counter[str]()
    done, calls = 0, 0
    while done < edits:
        calls += 1
        watched = Watched()
        phone = Patter(store=False, show=False)
        lines: list[Any] = [Line("Hello there.", wait_seconds=chance.uniform(0.2, 1.0)) for _ in range(6)]
        lines += [Line("Please stop that now.", interrupt_after_seconds=chance.uniform(0.5, 1.2)), "And one more thing."]
        stt = LocalSTT() if kind == "spoken" else ScriptedSTT([f"line {number}" for number in range(20)])
        tts = LocalTTS(cache=False) if kind == "spoken" else ScriptedTTS(seconds_per_character=0.03)
        agent = phone.agent(
            PROMPT.format(number=0), stt=stt, tts=tts, llm=model(watched), first_message="Welcome to the test.", tools=[slow_look]
        )
        call = await edited_call(agent, phone, lines, min(60, edits - done), 1 + done, chance, watched)
        zero = call.zero
        done += len(watched.edits)
        moments.update(edit.moment for edit in watched.edits)
        totals += judge(call, watched, zero) + Counter({"refused and not applied": watched.refused})
        bad = call.turns[call.turns.revision.isna() & (call.turns.kind == "caller")]
        totals["rows without a revision"] += len(bad)
    print(f"{kind}: {done} edits in {calls} calls, seed {seed}, load {os.getloadavg()[0]:.1f}")
    print("  edits by what was going on:", dict(moments))
    print("  ", {name: totals[name] for name in ("replies", "right", "within an edit", "wrong", "mixed", "edits that answered", "refused and not applied", "rows without a revision")})


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--spoken", type=int, default=40)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    await run("scripted", given.edits, given.seed)
    if given.spoken:
        await run("spoken", given.spoken, given.seed)


if __name__ == "__main__":
    asyncio.run(main())
