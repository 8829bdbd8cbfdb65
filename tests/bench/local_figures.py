"""What the on-device models cost: load time, memory, processor time, latency, and the lateness of a 20 ms ticker beside them.

    python tests/bench/local_figures.py [--rounds 5]

Nothing is cached between rounds: each says sentences of its own. Processor time and memory are read from /proc (Linux).
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from patter_nb.audio.formats import MULAW_8K
from patter_nb.providers.base import AudioChunk, CallContext
from patter_nb.providers.local import LocalSTT, LocalTTS
from patter_nb.providers.local.client import WORKER

TICK_SECONDS = 0.02
SENTENCES = (
    "Hi, when is dinner on day {n}?",
    "Dinner on day {n} is served from six to ten.",
    "I'm sorry, I don't have that in my notes number {n}. Can I help you with something else?",
)


@asynccontextmanager
async def ticker(what: str) -> AsyncIterator[None]:
    """Print how late a ticker in this loop was during the block."""
    late: list[float] = []

    async def tick() -> None:
        due = time.monotonic()
        while True:
            due = max(due + TICK_SECONDS, time.monotonic() - TICK_SECONDS)
            await asyncio.sleep(due - time.monotonic())
            late.append((time.monotonic() - due) * 1000)

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        p50, p99 = np.percentile(late, [50, 99]) if late else (np.nan, np.nan)
        worst = max(late, default=np.nan)
        print(f"ticker, {what:<22} n {len(late):>5}  p50 {p50:5.1f}  p99 {p99:5.1f}  worst {worst:5.1f} ms")


def cpu_ms(pid: int) -> float:
    """Processor time of a process so far, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int | str) -> float:
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def load() -> None:
    began = time.perf_counter()
    LocalSTT().ready()
    LocalTTS().ready()
    ready_ms = (time.perf_counter() - began) * 1000
    async with ticker("while loading"):
        await LocalSTT().wait_ready()
        heard = time.perf_counter() - began
        await LocalTTS().wait_ready()
        spoke = time.perf_counter() - began
    print(f"ready() took {ready_ms:.0f} ms; Whisper loaded after {heard:.2f} s, the voice after {spoke:.2f} s")


async def talk(rounds: int) -> None:
    pid = WORKER.start().pid
    first, total, made, spoken, listened, heard = [], [], [], [], [], []
    call = CallContext("figures")
    async with LocalTTS().open(call, MULAW_8K) as voice, LocalSTT().open(call, MULAW_8K) as ear:
        for text in (sentence.format(n=n) for n in range(rounds) for sentence in SENTENCES):
            began, used, audio = time.perf_counter(), cpu_ms(pid), b""
            async for event in voice.speak(text):
                if isinstance(event, AudioChunk):
                    if not audio:
                        first.append((time.perf_counter() - began) * 1000)
                    audio += event.audio
            total.append((time.perf_counter() - began) * 1000)
            made.append(cpu_ms(pid) - used)
            spoken.append(MULAW_8K.seconds(len(audio)))
            ear.speech_started(0.0)
            ear.push(audio, spoken[-1])
            began, used = time.perf_counter(), cpu_ms(pid)
            ear.finalize()
            await anext(ear)
            listened.append((time.perf_counter() - began) * 1000)
            heard.append(cpu_ms(pid) - used)
            await anext(ear)
    rows = {
        "TTS first audio ms": first, "TTS whole segment ms": total, "TTS processor ms": made, "segment seconds": spoken,
        "STT finalize to final ms": listened, "STT processor ms": heard,
    }  # fmt: skip
    for name, values in rows.items():
        print(f"{name:<26} n {len(values):>3}  median {np.median(values):7.2f}  worst {max(values):7.2f}")
    print(f"TTS processor ms a second of speech: {sum(made) / sum(spoken):.0f}")


async def main(rounds: int) -> None:
    print(f"load at the start {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors")
    async with ticker("idle"):
        await asyncio.sleep(3)
    await load()
    async with ticker("while models run"):
        await talk(rounds)
    print(f"memory: worker {resident_mb(WORKER.start().pid):.0f} MB, this process {resident_mb('self'):.0f} MB")
    print(f"load at the end {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(main(parser.parse_args().rounds))
