"""Real recorded speech through the whole on-device path: words, turns, and what must not become a turn.

    python tests/bench/real_speech.py [--prompts 40] [--skip-music]

Debian's asterisk-core-sounds-en-wav with the transcripts of asterisk-core-sounds-en: prompts of at least four words, without
brackets, up to 25 s; `random.Random(7).sample(sorted(names), 40)`. Each is the caller's utterance of a test call, clean and with
white noise in 300-3400 Hz at 20 dB below its voiced frames. Then silence files, beeps, and 60 s of each file of
asterisk-moh-opsound-wav, none of which may become a turn.
"""

import argparse
import asyncio
import gzip
import os
import random
import re
from pathlib import Path

from patter_nb.audio.wav import read_wav
from patter_nb.phone import Patter
from patter_nb.providers.local import LocalSTT, LocalTTS
from patter_nb.providers.local.normalise import normalise
from patter_nb.providers.scripted import ScriptedLLM

SOUNDS = Path("/usr/share/asterisk/sounds/en")
MUSIC = Path("/usr/share/asterisk/moh")
TRANSCRIPTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")


def prompts() -> dict[str, str]:
    found = {}
    for line in gzip.decompress(TRANSCRIPTS.read_bytes()).decode().splitlines():
        name, _, text = line.partition(":")
        path = SOUNDS / f"{name.strip()}.wav"
        bracketed = re.search(r"[\[\](){}<>]", text)
        if line.startswith(";") or len(text.split()) < 4 or bracketed or not path.exists():
            continue
        samples, hz = read_wav(path)
        if len(samples) / hz <= 25:
            found[name.strip()] = text.strip()
    return found


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", " ", normalise(text).lower().replace("-", " ")).replace("'", "").split()


def edits(said: list[str], heard: list[str]) -> int:
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


async def hold(caller: object, noise_db: float | None) -> tuple[str, int, int]:
    phone = Patter(store=False, show=False)
    agent = phone.agent("A listener.", stt=LocalSTT(), llm=ScriptedLLM(["Thank you."] * 20), tts=LocalTTS())
    call = await phone.test(agent, caller=caller, noise_db=noise_db)
    turns = call.turns
    heard = [part for row in turns.itertuples() for part in (row.caller_text, row.overlap_text) if part]
    return " ".join(heard), int((turns.kind == "caller").sum()), int((call.events.kind == "no_words").sum())


async def speech(count: int) -> None:
    texts = prompts()
    names = random.Random(7).sample(sorted(texts), 40)[:count]
    print(f"{len(texts)} prompts qualify, {len(names)} drawn")
    for noise_db in (None, 20.0):
        wrong = total = 0
        for name in names:
            heard, turns, wordless = await hold(str(SOUNDS / f"{name}.wav"), noise_db)
            said = words(texts[name])
            count_wrong = edits(said, words(heard))
            wrong, total = wrong + count_wrong, total + len(said)
            flag = "" if turns == 1 else f"  <- {turns} turns"
            print(f"{name:<36} {count_wrong:>2}/{len(said):<2} turns {turns} wordless {wordless}{flag}")
            print(f"    {texts[name]}\n    {heard}", flush=True)
        label = "clean" if noise_db is None else f"{noise_db:g} dB"
        print(f"{label}: WER {wrong}/{total} = {wrong / total:.1%}, n {len(names)}, load {os.getloadavg()[0]:.2f}", flush=True)


def other_sounds(music: bool) -> list[Path]:
    files = [*sorted((SOUNDS / "silence").glob("*.wav")), SOUNDS / "beep.wav", SOUNDS / "beeperr.wav"]
    return files + (sorted(MUSIC.glob("*.wav")) if music else [])


async def not_speech(files: list[Path]) -> None:
    for path in files:
        samples, hz = read_wav(path)
        heard, turns, wordless = await hold((samples[: 60 * hz], hz), None)
        seconds = min(60, len(samples) / hz)
        print(f"{path.name:<36} {seconds:5.1f} s  turns {turns}  wordless stretches {wordless}  {heard!r}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--skip-music", action="store_true")
    given = parser.parse_args()
    asyncio.run(speech(given.prompts))
    asyncio.run(not_speech(other_sounds(not given.skip_music)))
