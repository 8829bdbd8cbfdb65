"""The figures of G.711 and of the resampler, beside `audioop.ratecv` and `soxr`, as Markdown tables.

    python tests/bench/audio_figures.py [--quick]

Streaming, in frames of 20 ms; the first and last 20 ms of each output are left out. Tones of amplitude 20,000 at 16 bits.
- aliases: tones from 4.6 kHz to the source's Nyquist, going down to 8 kHz: the level of all that is left of them.
- images: tones of 300 to 3400 Hz: the level of all that is not the tone.
- ripple: highest minus lowest level of the tones of 300 to 3400 Hz.
- held back: the longest that input lay in the resampler without its output, over 2 s of frames. For ratios that are not whole it
  includes the time to the next output.
- time: processor time of one 20 ms frame on one thread, the best of five rounds.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from patter_nb.audio import g711
from patter_nb.audio.resample import Resampler

PAIRS = [(8000, 16000), (16000, 8000), (8000, 24000), (24000, 8000), (16000, 24000), (24000, 16000), (22050, 8000)]
AMPLITUDE = 20000.0
Feed = Callable[[np.ndarray], np.ndarray]
Make = Callable[[int, int], tuple[Feed, Feed]]
"""From two rates to a resampler's `feed` and `flush`."""


def optional(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return importlib.import_module(name)
        except ImportError:
            return None


audioop, soxr = optional("audioop"), optional("soxr")


def ours(source: int, target: int) -> tuple[Feed, Feed]:
    resampler = Resampler(source, target)
    return resampler.feed, lambda _: resampler.flush()


def by_audioop(source: int, target: int) -> tuple[Feed, Feed]:
    state: list[Any] = [None]

    def feed(samples: np.ndarray) -> np.ndarray:
        audio, state[0] = audioop.ratecv(samples.tobytes(), 2, 1, source, target, state[0])
        return np.frombuffer(audio, np.int16)

    return feed, lambda _: np.zeros(0, np.int16)


def by_soxr(quality: str) -> Make:
    def make(source: int, target: int) -> tuple[Feed, Feed]:
        stream = soxr.ResampleStream(source, target, 1, dtype="int16", quality=quality)
        return stream.resample_chunk, lambda none: stream.resample_chunk(none, last=True)

    return make


def tone(frequency: float, hz: int) -> np.ndarray:
    return np.rint(AMPLITUDE * np.sin(2 * np.pi * frequency * np.arange(hz // 2) / hz + 0.3)).astype(np.int16)


def through(make: Make, samples: np.ndarray, source: int, target: int) -> np.ndarray:
    feed, flush = make(source, target)
    pieces = [feed(samples[at : at + source // 50]) for at in range(0, len(samples), source // 50)]
    output = np.concatenate([*pieces, flush(np.zeros(0, np.int16))]).astype(float)
    return output[target // 50 : -target // 50]


def db(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-6)))


def split(frequency: float, output: np.ndarray, hz: int) -> tuple[float, float]:
    """The level of the tone and of all else, in dB of the tone that was fed."""
    angle = 2 * np.pi * frequency * np.arange(len(output)) / hz
    parts = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    weights = np.linalg.lstsq(parts, output, rcond=None)[0]
    rest = np.sqrt(2 * np.mean(np.square(output - parts @ weights)))
    return db(np.hypot(*weights) / AMPLITUDE), db(rest / AMPLITUDE)


def held_back_ms(make: Make, source: int, target: int) -> float:
    feed, _ = make(source, target)
    frame, given, worst = source // 50, 0, 0.0
    noise = np.random.default_rng(1).integers(-9000, 9000, frame).astype(np.int16)
    for number in range(1, 101):
        given += len(feed(noise))
        worst = max(worst, number * frame / source - given / target)
    return worst * 1000


def frame_us(make: Make, source: int, target: int, rounds: int) -> float:
    frame = np.random.default_rng(2).integers(-9000, 9000, source // 50).astype(np.int16)
    feed, _ = make(source, target)
    return best_us(lambda: feed(frame), rounds)


def best_us(work: Callable[[], object], rounds: int, count: int = 1000) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(count):
            work()
        best = min(best, time.process_time() - start)
    return best / count * 1e6


def resampler_row(name: str, make: Make, pair: tuple[int, int], steps: int, rounds: int) -> str:
    source, target = pair
    aliases = "-"
    if target == 8000:
        tones = np.linspace(4600, source / 2 - 1, steps)
        left = [through(make, tone(f, source), source, target) for f in tones]
        aliases = f"{max(db(np.sqrt(2 * np.mean(np.square(output))) / AMPLITUDE) for output in left):.1f}"
    tones = np.linspace(300, 3400, steps)
    levels, rests = zip(*(split(f, through(make, tone(f, source), source, target), target) for f in tones), strict=True)
    cells = [
        f"{source} → {target}",
        name,
        aliases,
        f"{max(rests):.1f}",
        f"{max(levels) - min(levels):.3f}",
        f"{held_back_ms(make, source, target):.2f}",
        f"{frame_us(make, source, target, rounds):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def g711_rows(rounds: int) -> list[str]:
    frame = np.random.default_rng(3).integers(-9000, 9000, 160).astype(np.int16)
    codes = g711.encode(frame)
    rows = [f"| ours | {best_us(lambda: g711.decode(codes), rounds):.2f} | {best_us(lambda: g711.encode(frame), rounds):.2f} |"]
    if audioop is not None:
        audio = frame.tobytes()
        decode, encode = (lambda: audioop.ulaw2lin(codes, 2)), (lambda: audioop.lin2ulaw(audio, 2))
        rows.append(f"| audioop | {best_us(decode, rounds):.2f} | {best_us(encode, rounds):.2f} |")
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--quick", action="store_true", help="fewer tones, one round of timing")
    quick = options.parse_args().quick
    steps, rounds = (9, 1) if quick else (41, 5)
    makers = {"ours": ours}
    if audioop is not None:
        makers["audioop.ratecv"] = by_audioop
    if soxr is not None:
        makers |= {"soxr HQ": by_soxr("HQ"), "soxr QQ": by_soxr("QQ")}
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| rates, Hz | by | aliases, dB | images, dB | ripple, dB | held back, ms | µs a frame |")
    print("|---|---|---|---|---|---|---|")
    for pair in PAIRS:
        for name, make in makers.items():
            print(resampler_row(name, make, pair, steps, rounds))
    print("\n| µ-law, 20 ms | decode, µs | encode, µs |\n|---|---|---|")
    print("\n".join(g711_rows(rounds)))


if __name__ == "__main__":
    main()
