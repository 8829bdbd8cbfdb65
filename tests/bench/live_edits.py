"""Edits at random moments of calls that are on: is the first reply ordered after an edit answered by it, and does any mix two?

Each edit puts its number into one of three: the system prompt ("code p17", which the model repeats with every sentence), a tool
("code t18", what it returns and the model repeats; only what the function has caught differs), or a guardrail ("code g19", what
it says in the place of an answer). So what was generated shows which edits it was answered with. The order of things is taken
from outside: an edit is timed by its caller before and after, a reply's beginning around `Live.take`. Where the two overlap,
which is a matter of microseconds, either may be first; such cases are counted apart. An edit is right when the first reply that
begins after it has its number, or that of a later edit of the same kind which came before that reply as well.

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

from patter_nb import ConfigError, Guardrail, Line, LocalSTT, LocalTTS, Patter, ScriptedSTT, ScriptedTTS, Tool, tool
from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.live import Taken
from patter_nb.providers.base import TextDelta
from patter_nb.providers.custom import CustomLLM
from patter_nb.turns.messages import ToolRequest

CODE = re.compile(r"code ([ptg])(\d+)")
KINDS = ("prompt", "tool", "guardrail")
PROMPT = "You are a test. Your code p{number}. Repeat it."
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
    "NOT WHAT IT BEGAN WITH",
    "OF A REFUSED EDIT",
    "tools said",
    "guardrails said",
)  # fmt: skip


@dataclass
class Edit:
    number: int
    kind: str
    """One of `KINDS`."""
    before: float
    """`time.monotonic()` just before it was proposed."""
    after: float
    moment: str


@dataclass
class Watched:
    """What was seen of one call from outside."""

    edits: list[Edit] = field(default_factory=list)
    begun: list[tuple[float, float, dict[str, int]]] = field(default_factory=list)
    """For each reply: just before and just after it took its revision, and that one's codes."""
    asked: int = 0
    refused: int = 0
    moment: str = "greeting"

    def watch(self, call: Call) -> None:
        take = call.live.take

        def timed(turn: int) -> Taken:
            before = time.monotonic()
            taken = take(turn)
            self.begun.append((before, time.monotonic(), codes_of(taken.revision.agent)))
            return taken

        call.live.take = timed  # type: ignore[method-assign]


def look_up(number: int) -> Tool:
    @tool(timeout_s=5)
    async def slow_look() -> str:
        """Look something up."""
        await asyncio.sleep(0.6)
        return f"code t{number}"

    slow_look.__dict__["number"] = number
    return slow_look


def rail(number: int) -> Guardrail:
    return Guardrail("never", blocked_terms=["forbidden"], replacement=f"That is replaced, code g{number}.")


def edited(kind: str, number: int) -> dict[str, Any]:
    if kind == "prompt":
        return {"system_prompt": PROMPT.format(number=number)}
    return {"tools": [look_up(number)]} if kind == "tool" else {"guardrails": [rail(number)]}


def codes_of(agent: Agent) -> dict[str, int]:
    """The numbers that an agent was given last, by the first letters of their kinds."""
    assert agent.tools
    assert agent.guardrails
    told = f"{agent.system_prompt} {agent.guardrails[0].replacement} code t{agent.tools[0].__dict__['number']}"
    return {kind: int(number) for kind, number in CODE.findall(told)}


def model(watched: Watched) -> CustomLLM:
    """Repeats the code of its prompt in three sentences; asks for a tool in every third answer, is replaced in every fourth."""

    async def generate(messages: list[dict[str, Any]]) -> AsyncIterator[Any]:
        watched.asked += 1
        asked, last = watched.asked, messages[-1]
        number = next(int(number) for _, number in CODE.findall(messages[0]["content"]))
        if last["role"] == "tool":
            yield TextDelta(f"It says {last['content']}. ")
        elif asked % 3 == 0:
            yield TextDelta(f"Looking it up with code p{number}. ")
            yield ToolRequest(f"t{asked}", "slow_look", "{}")
            return
        for sentence in ("That is code p{}. ", "Again it is code p{}. ", "And once more code p{}."):
            yield TextDelta(sentence.format(number))
            await asyncio.sleep(0.02)
            if asked % 4 == 0:
                yield TextDelta("This is forbidden. ")

    return CustomLLM(generate, virtual_time=True)


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
                kind = KINDS[number % 3]
                changes, before = edited(kind, number), time.monotonic()
                call.edit(note=str(number), **changes)
            except ConfigError:  # the call ended meanwhile
                return
            watched.edits.append(Edit(number, kind, before, time.monotonic(), watched.moment))

    thread = threading.Thread(target=editing)
    thread.start()

    def end() -> None:
        over.set()
        thread.join()

    return end


def refuse(call: Call, number: int, watched: Watched) -> None:
    """An edit that makes no agent: it must not reach the call."""
    try:
        call.edit(system_prompt=f"Your code p{number + 100_000} is {{unknown}}.", variables={})
    except ConfigError:
        watched.refused += 1


async def follow(call: Call, watched: Watched) -> None:
    """Keep an eye on what is going on."""
    moments = {"agent_speech_started": "reply", "tool_called": "tool", "user_speech_started": "caller speaks"}
    async for event in call.stream():
        quiet = event.kind in ("agent_speech_ended", "user_speech_ended", "tool_returned")
        watched.moment = "silence" if quiet else moments.get(event.kind, watched.moment)


def judge(call: Call, watched: Watched) -> Counter[str]:
    """Compare what was generated with what the edits say."""
    found: Counter[str] = Counter({"edits": len(watched.edits), "refused": watched.refused})
    for edit in watched.edits:
        first = next((reply for reply in watched.begun if reply[1] > edit.after), None)
        if first is None:
            found["edits after the last reply"] += 1
            continue
        before, after, codes = first
        code, others = codes[edit.kind[0]], [each for each in watched.edits if each.kind == edit.kind]
        sure = max((each.number for each in others if each.after <= before), default=0)
        maybe = [each.number for each in others if each.before < after and each.after > before]
        # An edit that came at the same moment as the reply may be in it or not; with it are those that it was made from.
        if code == sure or (code in maybe and code >= edit.number):
            found["right"] += 1
        else:
            found["at the same moment" if code in maybe else "WRONG"] += 1
    for facts in call._log.facts(call.id):
        said = {(kind, int(number)) for kind, number in CODE.findall(facts.agent_text)}
        if said:
            found["replies"] += 1
            found["MIXED"] += len({kind for kind, _ in said}) != len(said)
            found["NOT WHAT IT BEGAN WITH"] += not said <= set(watched.begun[facts.reply - 1][2].items())
            found["OF A REFUSED EDIT"] += max(number for _, number in said) > 100_000
            found["tools said"] += any(kind == "t" for kind, _ in said)
            found["guardrails said"] += any(kind == "g" for kind, _ in said)
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
            PROMPT.format(number=0), stt=stt, tts=tts, llm=model(watched), first_message=GREETING,
            tools=[look_up(0)], guardrails=[rail(0)],
        )  # fmt: skip
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
        totals += judge(call, watched)
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
