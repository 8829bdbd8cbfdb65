"""From the onset of an interruption to the last agent sample the far end plays, on its own clock.

    python tests/bench/barge_in.py [--moments 20] [--thresholds 300 100] [--interruption 1]

One call per moment and threshold, the moment drawn with seed 7 from 0.4 s to 4 s of a long reply; on-device parts.
"""

import argparse
import asyncio
import os
import random
import statistics

from patter_nb.callers import Line
from patter_nb.phone import Patter
from patter_nb.providers.local import LocalSTT, LocalTTS
from patter_nb.providers.scripted import ScriptedLLM

REPLY = (
    "Our breakfast room is on the ground floor behind the lobby and opens at seven in the morning on every day of the week. "
    "You will find the pool on the roof, the sauna beside it, and the gym one floor below, next to the reading room."
)
INTERRUPTIONS = ("Stop, please, I need to ask you something else right now.", "I need to ask you something else right now.")
"""The first begins with a word of a quarter of a second and a pause longer than the detector's bridge, so with a threshold of
300 ms it is the words after the pause that interrupt."""


async def main(moments: int, thresholds: list[int], interruption: str) -> None:
    draw = random.Random(7)
    after = [round(draw.uniform(0.4, 4.0), 2) for _ in range(moments)]
    print(interruption)
    for threshold in thresholds:
        stops, missed = [], []
        for moment in after:
            phone = Patter(store=False, show=False)
            agent = phone.agent(
                "A hotel.",
                stt=LocalSTT(),
                llm=ScriptedLLM([REPLY, "All right."] * 3),
                tts=LocalTTS(cache=False),
                barge_in_threshold_ms=threshold,
            )
            lines = [Line("Tell me about your hotel, please."), Line(interruption, interrupt_after_seconds=moment)]
            call = await phone.test(agent, caller=lines)
            heard = call.events.query("kind == 'barge_in_heard'")
            if len(heard):
                stops.append(heard.iloc[0].data["stop_seconds"] * 1000)
                print(f"threshold {threshold} moment {moment:.2f} s: {stops[-1]:.0f} ms")
            else:
                missed.append(moment)
                print(f"threshold {threshold} moment {moment:.2f} s: MISSED")
        stops.sort()
        p95 = statistics.quantiles(stops, n=20, method="inclusive")[-1]
        print(
            f"threshold {threshold} ms: n {len(stops)}, missed {len(missed)}, p50 {statistics.median(stops):.0f} ms, "
            f"p95 {p95:.0f} ms, worst {stops[-1]:.0f} ms, load {os.getloadavg()[0]:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--thresholds", type=int, nargs="+", default=[300, 100])
    parser.add_argument("--interruption", type=int, default=1, choices=(0, 1))
    given = parser.parse_args()
    asyncio.run(main(given.moments, given.thresholds, INTERRUPTIONS[given.interruption]))
