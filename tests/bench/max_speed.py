"""Wall time of a call of 600 s at `speed="max"`: whole, with audio through codec, resampling, VAD, playout and recording; and its
events alone, replayed into a turn engine.

    python tests/bench/max_speed.py [--runs 3]

Scripted providers, a synthetic caller, energy voice activity, nothing stored.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Sequence

from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.session import session
from patter_nb.turns.commands import Command
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import Event
from patter_nb.turns.script import play_on

ASKED = "Could you tell me when dinner is served this evening?"
ANSWER = "Dinner is served from six to ten in the evening. The kitchen closes half an hour before that."
TURNS = 62

recorded: list[tuple[float, Event]] = []


class RecordingEngine(TurnEngine):
    """Keeps what it is told, so that the same events can be replayed without the rest."""

    def receive(self, event: Event, now: float) -> Sequence[Command]:
        recorded.append((now, event))
        return super().receive(event, now)


async def whole() -> tuple[float, float, int]:
    phone = Patter(store=False, show=False)
    agent = phone.agent(
        "A hotel.",
        stt=ScriptedSTT([ASKED] * TURNS),
        llm=ScriptedLLM([ANSWER] * TURNS),
        tts=ScriptedTTS(),
        first_message="Good evening!",
        max_duration_seconds=700,
    )
    started = time.perf_counter()
    call = await phone.test(agent, caller=[ASKED] * TURNS, speed="max")
    return time.perf_counter() - started, call.duration_seconds, len(call.turns)


def main(runs: int) -> None:
    walls, seconds, turns = [], 0.0, 0
    for _ in range(runs):
        wall, seconds, turns = asyncio.run(whole())
        walls.append(wall)
    print(f"whole call: {seconds:.0f} s, {turns} turns: wall {statistics.median(walls):.2f} s, worst {max(walls):.2f} (n {runs})")
    session.TurnEngine = RecordingEngine  # type: ignore[misc]
    asyncio.run(whole())
    walls = []
    for _ in range(runs):
        started = time.perf_counter()
        commands = play_on(TurnEngine(), recorded)
        walls.append(time.perf_counter() - started)
    print(
        f"events only: {len(recorded)} events over {recorded[-1][0]:.0f} s, {len(commands)} commands: "
        f"wall {statistics.median(walls) * 1000:.1f} ms (median of {runs}); load {os.getloadavg()[0]:.2f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    main(parser.parse_args().runs)
