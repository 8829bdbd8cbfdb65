"""Mouth to ear on the softphone, over each of its ways: python tests/bench/mouth_to_ear.py --seconds 60

A real JupyterLab and a real Chromium, whose microphone plays a file. The kernel sends every frame of the caller back at once, and
a mark after every tenth, as a session does. Both instants are taken on the browser's audio thread by its one clock: when the last
sample of a frame was captured, and when the very sample was played (the mark that stands after it came due). So framing and
resampling, both directions of the way, the kernel's loop and the three frames that the page waits for are in it; what microphone
and loudspeaker take is not. As talk has pauses, the last half second of every four is not sent back.

Busy: the kernel's loop computes 0.2 s of every second, as cells that draw do. Lost: what did not come, or waited longer than
60 ms in the kernel and was not sent back, so that a stall is a loss and no lasting delay. CPU: of one core, by the processes' own
times; Jupyter is the server without its kernel.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.audio.wav import write_wav

SPEC = importlib.util.spec_from_file_location("harness", Path(__file__).parents[1] / "lab" / "harness.py")
assert SPEC is not None and SPEC.loader is not None
harness = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(harness)

WAYS = {"direct": None, "proxy": r"/^ws:\/\/[^\/]*\/softphone\/line/", "comm": r"/softphone\/line/"}
"""Each way, and the addresses that are closed so that it is taken."""

ECHO = """
import asyncio, json, os, time
from patter_nb import Softphone
softphone = Softphone()
counted = {"came": 0, "late": 0}
async def echo(line):
    await line.picked_up(600)
    line.open({})
    stream = ""
    while (text := await line.receive()) is not None:
        message = json.loads(text)
        if message["event"] == "start":
            stream = message["streamSid"]
        if message["event"] != "media":
            continue
        counted["came"] += 1
        if len(line._unread) > 3:
            counted["late"] += 1
            continue
        chunk = int(message["media"]["chunk"])
        if chunk % 200 >= 175:
            continue
        payload = message["media"]["payload"]
        await line.send(f'{{"event":"media","streamSid":"{stream}","media":{{"payload":"{payload}"}}}}')
        if chunk % 10 == 0:
            await line.send(json.dumps({"event": "mark", "streamSid": stream, "mark": {"name": str(chunk)}}))
async def compute():
    while True:
        await asyncio.sleep(0.8)
        until = time.perf_counter() + 0.2
        while BUSY and time.perf_counter() < until:
            pass
BUSY = False
line = softphone.ring("bench", "echo").ends_with(print)
tasks = [asyncio.create_task(echo(line)), asyncio.create_task(compute())]
print(os.getpid())
"""

CLOCK = """
const Plain = Blob;
globalThis.Blob = class extends Plain {
  constructor(parts, options) {
    const text = String(parts?.[0]);
    super(text.includes('"patter-phone"') ? [text
      .replace("this.port.postMessage({ frame: audio,", "this.port.postMessage({ at: currentTime, frame: audio,")
      .replace("this.port.postMessage({ mark })", "this.port.postMessage({ mark, at: currentTime })")
      .replace("this.latency = data.latency * globalThis.sampleRate", "this.latency = 0")] : parts, options);
  }
};
globalThis.bench = {captured: {}, played: {}, frames: 0};
const Node = AudioWorkletNode;
globalThis.AudioWorkletNode = class extends Node {
  constructor(...args) {
    super(...args);
    bench.port = this.port;
    this.port.addEventListener("message", ({data}) => {
      if (data.frame && data.speaking) bench.captured[++bench.frames] = data.at;
      if (data.mark !== undefined) bench.played[data.mark] = data.at;
      if (data.gaps !== undefined) bench.gaps = data;
    });
  }
};
"""

CLOSED = """
const Socket = WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(url, ...more) {
    super(PATTERN.test(url) ? 'ws://127.0.0.1:1024/closed' : url, ...more);
  }
};
"""


def cpu_seconds(roots: list[int]) -> float:
    """Of processes and all that they have started."""
    parents, used = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(folder.name)] = int(fields[1])
            used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family = set(roots)
    while more := {number for number, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(number, 0.0) for number in family)


def children() -> set[int]:
    return {int(number) for number in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def measure(page: Any, pids: dict[str, int], seconds: float, *, busy: bool) -> dict[str, Any]:
    page.ask(f"BUSY = {busy}; counted.update(came=0, late=0)")
    before = {name: cpu_seconds([pid]) for name, pid in pids.items()}
    start = page.page.evaluate("() => ({frames: bench.frames, at: bench.captured[bench.frames]})")
    page.page.evaluate("() => bench.port.postMessage({count: true})")
    page.page.wait_for_function("seconds => bench.captured[bench.frames] >= seconds", arg=start["at"] + seconds, timeout=6e5)
    load = os.getloadavg()[0]
    after = {name: cpu_seconds([pid]) for name, pid in pids.items()}
    counted = json.loads(page.ask("print(json.dumps(counted))"))
    found = page.page.evaluate("() => ({...bench, port: null})")
    delays = [
        1000 * (at - found["captured"][name])
        for name, at in found["played"].items()
        if int(name) > start["frames"] and name in found["captured"]
    ]
    sent = found["frames"] - start["frames"]
    cpu = {name: (after[name] - before[name]) / seconds for name in pids}
    cpu["Jupyter"] -= cpu["kernel"]
    lost = max(0, sent - counted["came"]) + counted["late"]
    return {"delays": delays, "sent": sent, "lost": lost, "cpu": cpu, "load": load}


def show(way: str, state: str, found: dict[str, Any]) -> None:
    delays = np.array(found["delays"])
    p50, p99, worst = (np.percentile(delays, share) if len(delays) else np.nan for share in (50, 99, 100))
    cpu = ", ".join(f"{name} {share:.0%}" for name, share in found["cpu"].items())
    print(
        f"{way:7} {state:5} n {len(delays):4}: p50 {p50:5.0f} ms, p99 {p99:5.0f}, worst {worst:5.0f}; "
        f"{found['lost']} of {found['sent']} frames lost; CPU {cpu}; load {found['load']:.1f}",
        flush=True,
    )


def run(way: str, seconds: float, microphone: Path) -> None:
    lab = harness.Lab(Path(tempfile.mkdtemp()), base_url="/user/ann/" if way == "proxy" else "/")
    before = children()
    try:
        with harness.chromium(microphone) as browser:
            page = harness.LabPage(browser, lab)
            page.context.add_init_script(CLOCK)
            if WAYS[way]:
                page.context.add_init_script(CLOSED.replace("PATTERN", WAYS[way]))
            page.open([ECHO, "softphone.widget"])
            page.run_all()
            pids = {"Chromium": max(children() - before), "Jupyter": lab._process.pid, "kernel": int(page.text(0))}
            page.page.get_by_role("button", name="Talk").click()
            page.page.get_by_text("On a call").wait_for()
            page.page.wait_for_function("() => bench.frames > 100")
            for state in ("idle", "busy"):
                show(way, state, measure(page, pids, seconds, busy=state == "busy"))
            page.close()
    finally:
        lab.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        microphone = Path(folder) / "speech.wav"
        samples, hz = synthetic_voice("hello there, when is dinner today")
        write_wav(microphone, samples, hz)
        for way in given.ways:
            run(way, given.seconds, microphone)


if __name__ == "__main__":
    main()
