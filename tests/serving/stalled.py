"""A cell that blocks the loop while the agent talks, and what the far end, which is another process, hears of it.

Silence is what was not queued in time between the first and the last sound of a reply: pauses of the voice itself are none. How
late a barge-in is, runs from the first sound of the caller to the clear that reached the far end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests_of_serving_kernels import Cell, Stage

SLEEP = "time.sleep({seconds})"
COMPUTE = "until = time.perf_counter() + {seconds}\nwhile time.perf_counter() < until:\n    pass"
FIRST_FIGURE = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([3, 1, 2])\nplt.title('A first figure')\nplt.show()"

TALK = """
async def told(call):
    async for event in call.stream():
        if event.kind in ("agent_speech_started", "stall"):
            print(json.dumps({"told": event.kind, "at": event.at, **{name: event.data.get(name) for name in TELLS}}), flush=True)

TELLS = ("turn_idx", "started_at", "seconds", "cell")
TEXT = "Dinner is served from six to ten, every day. The bar stays open until midnight."
phone = new_phone("NUMBER")
agent = phone.agent("A test.", stt=ScriptedSTT(["When is dinner?"] * 100), llm=ScriptedLLM(lambda messages: TEXT),
                    tts=VOICE, vad=EnergyModel("synthetic"), first_message="Hello.")
server = await phone.serve(agent, port=PORT, manage_webhook=True)
"""
"""Replies of some 4.7 s, in two sentences."""

SCRIPTED_VOICE = "ScriptedTTS()"
LOCAL_VOICE = "__import__('patter_nb').LocalTTS()"


@dataclass(frozen=True)
class Block:
    """A cell that is run so many seconds after a reply began."""

    code: str
    after_seconds: float


@dataclass
class Reply:
    """One reply as the far end heard it, instants in its own milliseconds, and what its turn's row says."""

    start_ms: float
    reply_ms: float
    silence_ms: float
    after_ms: float = 0.0
    """When the loop stood still, counted from the reply's first sound."""
    stall_ms: float = 0.0
    cell: str | None = None
    """The number of the cell that was run meanwhile."""
    row_cell: str | None = None
    row_ms: float = 0.0
    onset_ms: float | None = None
    """When the caller barged in, and when a clear arrived."""
    cleared_ms: float | None = None

    @property
    def bargein_ms(self) -> float | None:
        return None if self.onset_ms is None or self.cleared_ms is None else self.cleared_ms - self.onset_ms

    @property
    def rest_ms(self) -> float:
        """How long the loop still stood still when the caller barged in."""
        return max(0.0, self.start_ms + self.after_ms + self.stall_ms - (self.onset_ms or 0.0)) if self.stall_ms else 0.0

    @property
    def is_named(self) -> bool:
        """Whether the row has the cell and, within a beat of the watch, its length."""
        return self.cell is None or (self.row_cell == self.cell and self.row_ms >= self.stall_ms - 50)


async def serve(stage: Stage, voice: str = SCRIPTED_VOICE) -> None:
    await stage.begin()
    await stage.kernel.ask(stage.fill(TALK.replace("VOICE", voice)))


async def hear(stage: Stage, plan: Sequence[Block | None], *, interrupts_after: float | None = None) -> list[Reply]:
    """A call with so many replies, with a block in each that has one. `interrupts_after`: seconds after which each next line of
    the caller barges in, and the far end hangs up when the last one is answered."""
    stage.kernel.cells.clear()
    line: dict[str, Any] = {"text": "When is dinner?", "wait_seconds": 1.2}
    count = len(plan)
    if interrupts_after is not None:
        line["interrupt_after_seconds"], count = interrupts_after, count + 1
    first = {"text": "When is dinner?"}
    sid = await stage.carrier.call([first, *[line] * (count - 1)], hang_up_seconds=1.5)
    await stage.kernel.ask("while not live():\n    await asyncio.sleep(0.01)\ncall = live()[0]")
    await stage.kernel.ask("telling = asyncio.get_running_loop().create_task(told(call))")
    cells: dict[int, Cell] = {}
    for turn, block in enumerate(plan, start=1):
        await stage.kernel.until(lambda turn=turn: _start_of(stage, turn) is not None)
        if block is not None:
            await asyncio.sleep(block.after_seconds)
            cells[turn] = await stage.kernel.run(block.code)
            assert cells[turn].status == "ok", cells[turn]
    if count > len(plan):
        await stage.kernel.until(lambda: _start_of(stage, count) is not None)
        stage.carrier.order("hang_up", call_sid=sid)
    ended = await stage.carrier.fact("ended", call_sid=sid, seconds=120)
    rows = json.loads(
        await stage.kernel.ask(
            f"await of_call('{sid}', True)\n"
            "print(call.turns.set_index('turn')[['loop_stall_ms', 'loop_stall_cell']].to_json(orient='index'))"
        )
    )
    (stream,) = ended["streams"]
    replies = [_heard(stream, turn) for turn in range(1, len(plan) + 1)]
    for turn, cell in cells.items():
        _stood(stage, turn, cell, replies[turn - 1])
        row, reply = rows[str(turn)], replies[turn - 1]
        reply.row_cell, reply.row_ms = row["loop_stall_cell"], row["loop_stall_ms"]
    return replies


def _heard(stream: dict[str, Any], turn: int) -> Reply:
    """A reply as the far end tells of it."""
    exchange, *following = stream["exchanges"][turn - 1 : turn + 1]
    start, end = exchange["reply"]["start_ms"], exchange["reply"]["end_ms"]
    silence = sum(max(0.0, min(at + length, end) - max(at, start)) for at, length in stream["dry_ms"])
    reply = Reply(start, end - start, silence)
    if following and following[0]["barge_in_stop_ms"] is not None:
        reply.onset_ms = following[0]["onset_ms"]
        reply.cleared_ms = next((at for at in stream["clears_ms"] if at >= reply.onset_ms), None)
    return reply


def _stood(stage: Stage, turn: int, cell: Cell, reply: Reply) -> None:
    """How long this cell let the loop stand still."""
    reply.cell = str(cell.count)
    stalls = [fact for fact in _told(stage, "stall") if str(fact["cell"]) == reply.cell]
    longest = max(stalls, key=lambda fact: fact["seconds"], default=None)
    began = _start_of(stage, turn)  # on the call's clock, where the reply's start is on the far end's
    if longest is not None and began is not None:
        reply.stall_ms, reply.after_ms = longest["seconds"] * 1000, (longest["started_at"] - began) * 1000


def _told(stage: Stage, kind: str) -> list[dict[str, Any]]:
    lines = (line for cell in tuple(stage.kernel.cells.values()) for line in cell.printed.splitlines() if line.startswith("{"))
    return [fact for fact in map(json.loads, lines) if fact.get("told") == kind]


def _start_of(stage: Stage, turn: int) -> float | None:
    """When a turn's reply began to play, by the call's clock."""
    return next((fact["at"] for fact in _told(stage, "agent_speech_started") if fact["turn_idx"] == turn), None)
