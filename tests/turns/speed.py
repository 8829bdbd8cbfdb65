"""How fast the engine decides: a call of 600 s, events only. Run it: python tests/turns/speed.py

Voice is reported in windows of 32 ms, audio in marks of 200 ms, three interims come a second, as in a real call.
"""

from __future__ import annotations

import statistics
import time

from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    Event,
    FinalReceived,
    InstantRecorded,
    InterimReceived,
    ReplyGenerated,
    ReplyStarted,
    SegmentReady,
    SegmentSynthesized,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    UsageReported,
)
from patter_nb.turns.facts import INSTANTS
from patter_nb.turns.usage import Usage

TURN_SECONDS = 10.0
RUNS = 15


def turn(reply: int, start: float) -> list[tuple[float, Event]]:
    """3 s of question, 5 s of answer in two segments."""
    voice: list[tuple[float, Event]] = [(start, SpeechStarted(start))]
    voice += [(start + n * 0.032, SpeechContinued(start + n * 0.032)) for n in range(1, 94)]
    voice += [(start + n / 3, InterimReceived("when is")) for n in range(1, 9)]
    voice += [(start + 3.2, SpeechStopped(start + 3.0)), (start + 3.25, FinalReceived("when is dinner served today"))]
    at = start + 3.6
    answer: list[tuple[float, Event]] = [(at, ReplyStarted(reply, 1)), (at, SegmentReady(reply, 0, "Dinner is served."))]
    answer += [(at, InstantRecorded(reply, name, at)) for name in list(INSTANTS)[7:18]]
    answer += [(at, SegmentReady(reply, 1, "Will you come?")), (at, ReplyGenerated(reply))]
    answer += [(at, SegmentSynthesized(reply, n, 2.5)) for n in (0, 1)]
    answer += [(at, UsageReported(Usage("llm", "p", "m", output_tokens=9), reply))]
    answer += [(at + n / 5, AudioHeard(reply, (n - 1) // 13, (n - 1) % 13 / 5 + 0.2, at + n / 5)) for n in range(1, 26)]
    answer += [(at + 5.2, AudioHeard(reply, 1, 2.5, at + 5.2))]
    return sorted(voice, key=lambda entry: entry[0]) + answer


def hold(script: list[tuple[float, Event]]) -> tuple[float, int]:
    """Wall seconds of one call, the timer asked for after every event as the session asks, and the turns it had."""
    engine = TurnEngine()
    rows = 0
    began = time.perf_counter()
    for now, event in script:
        while (due := engine.next_timer()) is not None and due <= now:
            engine.handle_timer(due)
        rows += any(type(command).__name__ == "RecordTurn" for command in engine.receive(event, now))
    return time.perf_counter() - began, rows


def main() -> None:
    script: list[tuple[float, Event]] = [(0.0, CallAnswered())]
    for number in range(59):
        script += turn(number + 1, 1.0 + number * TURN_SECONDS)
    runs = [hold(script) for _ in range(RUNS)]
    seconds = statistics.median(wall for wall, _ in runs)
    print(f"{len(script)} events, {runs[0][1]} turns, {script[-1][0]:.0f} s of call: {seconds * 1000:.0f} ms")
    print(f"{len(script) / seconds:,.0f} events per second, median of {RUNS} runs; worst {max(runs)[0] * 1000:.0f} ms")


if __name__ == "__main__":
    main()
