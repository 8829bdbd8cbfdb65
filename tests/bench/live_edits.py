"""Edits at random moments of calls that are on: is the first reply ordered after an edit answered by it, and does any mix two?

Each edit puts its number into the system prompt ("code 17"), and the model repeats the number it is told with every sentence,
so what was generated shows which revision answered. The order of things is taken from outside: an edit is timed by its caller
before and after, a reply's beginning around `Live.take`. Where the two overlap, which is a matter of microseconds, either may
be first; such cases are counted apart. An edit is right when the first reply that begins after it has its number, or that of a
later edit which came before that reply as well.

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
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from patter_nb import ConfigError, Line, LocalSTT, LocalTTS, Patter, ScriptedSTT, ScriptedTTS, tool
from patter_nb.call import Call
from patter_nb.live import Taken
from patter_nb.providers.base import TextDelta
from patter_nb.providers.custom import CustomLLM
from patter_nb.turns.messages import ToolRequest

CODE = re.compile(r"code (\d+)")
PROMPT = "You are a test. Your code {number}. Repeat it."
GREETING = "Welcome to the test."
SHOWN = (
    "edits",
    "right",
    "at the same moment",
    "WRONG",
    "edits after the last reply",
    "refused",
    "replies",
    "MIXED",
    "NOT AS THE ROW SAYS",
    "OF A REFUSED EDIT",
)  # fmt: skip


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
    begun: list[tuple[float, float, int]] = field(default_factory=list)
    """For each reply: just before and just after it took its revision, and that one's code."""
    asked: int = 0
    refused: int = 0
    moment: str = "greeting"

    def watch(self, call: Call) -> None:
        take = call.live.take

        def timed(turn: int) -> Taken:
            before = time.monotonic()
            taken = take(turn)
            self.begun.append((before, time.monotonic(), code_of(taken.revision.agent.system_prompt)))
            return taken

        call.live.take = timed  # type: ignore[method-assign]


def code_of(prompt: str) -> int:
    found = CODE.search(prompt)
    assert found is not None
    return int(found[1])


def model(watched: Watched) -> CustomLLM:
    """Repeats the code of its prompt in three sentences; asks for a tool in every third answer."""

    async def generate(messages: list[dict[str, Any]]) -> AsyncIterator[Any]:
        watched.asked += 1
        asked, number, again = watched.asked, code_of(messages[0]["content"]), messages[-1]["role"] == "tool"
        if asked % 3 == 0 and not again:
            yield TextDelta(f"Looking it up with code {number}. ")
            yield ToolRequest(f"t{asked}", "slow_look", "{}")
            return
        for sentence in ("That is code {}. ", "Again it is code {}. ", "And once more code {}."):
            yield TextDelta(sentence.format(number))
            await asyncio.sleep(0.02)

    return CustomLLM(generate, virtual_time=True)


@tool(timeout_s=5)
async def slow_look() -> str:
    """Look something up."""
    await asyncio.sleep(0.6)
    return "found"


def edit_in_thread(
    call: Call, numbers: range, pause: tuple[float, float], chance: random.Random, watched: Watched
) -> Callable[[], None]:
    """Edit the call at random moments, from another thread as a widget may. Returned: the function that waits for its end."""
    over = threading.Event()

    def editing() -> None:
        for number in numbers:
            if over.wait(chance.uniform(*pause)):
                return
            try:
                if chance.random() < 0.2:
                    refuse(call, number, watched)
                before = time.monotonic()
                call.edit(system_prompt=PROMPT.format(number=number), note=str(number))
            except ConfigError:  # the call ended meanwhile
                return
            watched.edits.append(Edit(number, before, time.monotonic(), watched.moment))

    thread = threading.Thread(target=editing)
    thread.start()

    def end() -> None:
        over.set()
        thread.join()

    return end


def refuse(call: Call, number: int, watched: Watched) -> None:
    """An edit that makes no agent: it must not reach the call."""
    try:
        call.edit(system_prompt=f"Your code {number + 100_000} is {{unknown}}.", variables={})
    except ConfigError:
        watched.refused += 1


async def follow(call: Call, watched: Watched) -> None:
    """Keep an eye on what is going on."""
    moments = {"agent_speech_started": "reply", "tool_called": "tool", "user_speech_started": "caller speaks"}
    async for event in call.stream():
        quiet = event.kind in ("agent_speech_ended", "user_speech_ended", "tool_returned")
        watched.moment = "silence" if quiet else moments.get(event.kind, watched.moment)


def judge(call: Call, watched: Watched, phone: Patter) -> Counter[str]:
    """Compare what was generated with what the edits say."""
    found: Counter[str] = Counter({"edits": len(watched.edits), "refused": watched.refused})
    for edit in watched.edits:
        first = next((reply for reply in watched.begun if reply[1] > edit.after), None)
        if first is None:
            found["edits after the last reply"] += 1
            continue
        before, after, code = first
        sure = max((each.number for each in watched.edits if each.after <= before), default=0)
        maybe = [each.number for each in watched.edits if each.before < after and each.after > before]
        found["right" if code == sure else "at the same moment" if code in maybe else "WRONG"] += 1
    for facts in call._log.facts(call.id):
        codes = {int(code) for code in CODE.findall(facts.agent_text)}
        if codes and facts.revision is not None:
            found["replies"] += 1
            found["MIXED"] += len(codes) > 1
            found["NOT AS THE ROW SAYS"] += codes != {code_of(phone.line().revision(facts.revision).agent.system_prompt)}
            found["OF A REFUSED EDIT"] += max(codes) > 100_000
    return found


async def run(kind: str, edits: int, seed: int) -> None:
    chance, totals, moments, calls = random.Random(seed), Counter[str](), Counter[str](), 0
    while totals["edits"] - totals["edits after the last reply"] < edits:
        calls += 1
        watched, phone = Watched(), Patter(store=False, show=False)
        lines = [
            each
            for _ in range(4 if kind != "at full speed" else 40)
            for each in (
                Line("Hello there.", wait_seconds=chance.uniform(0.2, 0.6)),
                Line("Please stop that now.", interrupt_after_seconds=chance.uniform(0.5, 1.2)),
            )
        ]
        stt = LocalSTT() if kind == "spoken" else ScriptedSTT([f"line {number}" for number in range(200)])
        tts = LocalTTS(cache=False) if kind == "spoken" else ScriptedTTS(seconds_per_character=0.03)
        agent = phone.agent(
            PROMPT.format(number=0), stt=stt, tts=tts, llm=model(watched), first_message=GREETING, tools=[slow_look]
        )
        call = phone.test(agent, lines, speed="max" if kind == "at full speed" else "real")
        watched.watch(call)
        following = asyncio.create_task(follow(call, watched))
        pause = (0.0005, 0.03) if kind == "at full speed" else (0.3, 2.5)
        start = 1 + totals["edits"]
        end = edit_in_thread(call, range(start, start + edits), pause, chance, watched)
        await call
        await asyncio.to_thread(end)
        await following
        moments.update(edit.moment for edit in watched.edits)
        totals += judge(call, watched, phone)
    print(f"{kind}: {calls} calls, seed {seed}, load {os.getloadavg()[0]:.1f}; edits while: {dict(moments)}")
    print("  ", {name: totals[name] for name in SHOWN})


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--spoken", type=int, default=40)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    await run("at full speed", given.edits, given.seed)
    await run("in real time", given.spoken, given.seed)
    await run("spoken", given.spoken, given.seed)


if __name__ == "__main__":
    asyncio.run(main())
