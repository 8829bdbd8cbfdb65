"""The process that holds the on-device models: `python -m patter_nb.providers.local.worker`.

Its parent gives it orders on standard input, one JSON object a line: first `{"secret": ...}`, then `{"load": [kind, path]}`.
It reports on standard output in the same form: `{"port": ...}`, `{"loaded": [kind, path]}`, or `{"failed": [kind, path]}` with an
`error`. When standard input closes, the parent is gone or wants no more, and it exits at once.

Requests come over loopback connections to that port, as frames (see `wire`). A connection's first frame must hold the secret. A
request has an `id`; all frames of its answer carry it, the last one `end` or `error`. `{"cancel": id}` ends it early. Each kind
of model has one thread; what several calls want of it is done piece by piece, in turn.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import process_time
from typing import Any, TextIO, TypeVar

import numpy as np

from patter_nb.audio.convert import decode, encode
from patter_nb.audio.formats import AudioFormat
from patter_nb.audio.resample import Resampler
from patter_nb.audio.samples import Samples
from patter_nb.errors import ConfigError
from patter_nb.providers.local import whisper
from patter_nb.providers.local.clauses import pieces
from patter_nb.providers.local.normalise import normalise
from patter_nb.providers.local.voice import Voice
from patter_nb.providers.local.whisper import Whisper
from patter_nb.providers.local.wire import Frame, Unpacker, pack

GREETING_BYTES = 256
"""Largest frame before the secret was given."""
GREETING_SECONDS = 5.0
"""How long a connection may keep the secret to itself."""
CHUNK_SECONDS = 0.2
"""Audio in one frame of an answer."""

T = TypeVar("T")
Answer = AsyncIterator[Frame]


class Models:
    """The loaded models, each in the thread of its kind. `makers`: what loads a path, by kind."""

    def __init__(self, makers: Mapping[str, Callable[[Path], Any]]) -> None:
        self._makers = makers
        self._threads = {kind: ThreadPoolExecutor(1, thread_name_prefix=kind) for kind in makers}
        self._loads: dict[tuple[str, str], asyncio.Future[Any]] = {}

    async def get(self, kind: str, path: str) -> Any:
        """The model, loaded once; a load that failed is tried again."""
        loading = self._loads.get((kind, path))
        if loading is None or (loading.done() and loading.exception() is not None):
            make = self._makers[kind]
            loading = self._loads[kind, path] = asyncio.ensure_future(self.run(kind, lambda: make(Path(path))))
        return await asyncio.shield(loading)

    async def run(self, kind: str, work: Callable[[], T]) -> T:
        """Do `work` in the thread of this kind; when cancelled before it began, it is not done."""
        return await asyncio.get_running_loop().run_in_executor(self._threads[kind], work)


class Peer(asyncio.Protocol):
    """One connection and its requests."""

    def __init__(self, models: Models, secret: str) -> None:
        self._models = models
        self._secret = secret
        self._trusted = False
        self._unpacker = Unpacker(max_header=GREETING_BYTES, max_payload=0)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        asyncio.get_running_loop().call_later(GREETING_SECONDS, self._expect_greeting)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the reason changes nothing)
        self._transport = None
        for task in self._tasks.values():
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._unpacker.feed(data):
                self._receive(frame)
        except ValueError as error:  # not our protocol, or not our parent
            sys.stderr.write(f"a connection was closed: {error}\n")
            self._close()

    def _receive(self, frame: Frame) -> None:
        header = frame.header
        if not self._trusted:
            self._trusted = hmac.compare_digest(str(header.get("secret", "")).encode(), self._secret.encode())
            if not self._trusted:
                raise ValueError("it did not know the secret")
            self._unpacker.trust()
        elif "cancel" in header:
            if task := self._tasks.get(header["cancel"]):
                task.cancel()
        else:
            number = int(header["id"])
            task = asyncio.ensure_future(self._serve(number, frame))
            self._tasks[number] = task
            task.add_done_callback(lambda done: self._done(number, done))

    async def _serve(self, number: int, frame: Frame) -> None:
        try:
            async for part in answer(self._models, frame):
                self._send(number, part.header, part.payload)
        except (ConfigError, RuntimeError, ValueError, OSError, MemoryError) as error:
            self._send(number, {"error": str(error) or type(error).__name__, "retryable": not isinstance(error, ConfigError)})
        else:
            self._send(number, {"end": True})

    def _done(self, number: int, task: asyncio.Task[None]) -> None:
        del self._tasks[number]
        if not task.cancelled() and (error := task.exception()) is not None:
            # A mistake of ours must not leave the parent waiting.
            self._send(number, {"error": f"{type(error).__name__}: {error}", "retryable": False})

    def _send(self, number: int, header: dict[str, Any], payload: bytes = b"") -> None:
        if self._transport is not None:
            self._transport.write(pack({"id": number, **header}, payload))

    def _expect_greeting(self) -> None:
        if not self._trusted:
            self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def answer(models: Models, frame: Frame) -> Answer:
    """What one request is answered with, without its end."""
    header = frame.header
    kind = header["kind"]
    model = await models.get(kind, header["path"])
    if kind == "stt":
        yield await models.run("stt", lambda: _transcribe(model, frame))
        return
    target = AudioFormat(*header["format"])
    chunk = target.sample_bytes * int(target.hz * CHUNK_SECONDS)
    for piece in pieces(normalise(header["text"])):
        say = _saying(model, header, piece.text, piece.pause_seconds, target)
        audio, cpu_ms = await models.run("tts", say)
        for start in range(0, len(audio), chunk):
            yield Frame({"cpu_ms": cpu_ms if start == 0 else 0.0}, audio[start : start + chunk])


def _transcribe(model: Whisper, frame: Frame) -> Frame:
    began = process_time()
    source = AudioFormat(*frame.header["format"])
    heard = model.transcribe(_at_16k(decode(frame.payload, source), source.hz), frame.header["language"])
    return Frame({"text": heard.text, "no_speech": heard.no_speech, "cpu_ms": (process_time() - began) * 1000})


def _at_16k(samples: Samples, hz: int) -> Samples:
    change = Resampler(hz, whisper.HZ)
    return np.concatenate([change.feed(samples), change.flush()])


def _saying(
    voice: Voice, header: dict[str, Any], text: str, pause_seconds: float, target: AudioFormat
) -> Callable[[], tuple[bytes, float]]:
    def say() -> tuple[bytes, float]:
        began = process_time()
        samples = voice.speak(
            text, pitch=header["pitch"], speed=header["speed"], pause_seconds=pause_seconds, target_hz=target.hz
        )
        return encode(samples, target), (process_time() - began) * 1000

    return say


class Orders:
    """Standard input, read in a thread of its own, and the reports on standard output."""

    def __init__(self, models: Models, orders: TextIO, reports: TextIO) -> None:
        self._models = models
        self._orders = orders
        self._reports = reports
        self._loads: set[asyncio.Task[None]] = set()

    def follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read orders until the parent closes the pipe or is gone, then end this process, whatever it is doing."""
        try:
            for line in self._orders:
                kind, path = json.loads(line)["load"]
                loop.call_soon_threadsafe(self._begin, kind, path)
        finally:
            os._exit(0)  # also when the parent died in the middle of a line

    def report(self, **facts: object) -> None:
        """Tell the parent."""
        self._reports.write(json.dumps(facts) + "\n")
        self._reports.flush()

    def _begin(self, kind: str, path: str) -> None:
        task = asyncio.ensure_future(self.load(kind, path))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def load(self, kind: str, path: str) -> None:
        try:
            await self._models.get(kind, path)
        except (ConfigError, RuntimeError, ValueError, OSError, MemoryError) as error:
            self.report(failed=[kind, path], error=str(error) or type(error).__name__)
        else:
            self.report(loaded=[kind, path])


async def listen(models: Models, secret: str) -> asyncio.Server:
    """Take connections on a free loopback port."""
    return await asyncio.get_running_loop().create_server(lambda: Peer(models, secret), "127.0.0.1", 0)


async def serve(secret: str, orders: TextIO, reports: TextIO) -> None:
    """Listen on loopback and follow orders; returns only when the loop is stopped."""
    models = Models({"stt": Whisper, "tts": Voice})
    desk = Orders(models, orders, reports)
    server = await listen(models, secret)
    desk.report(port=server.sockets[0].getsockname()[1])
    threading.Thread(target=desk.follow, args=(asyncio.get_running_loop(),), name="orders", daemon=True).start()
    await server.serve_forever()


def main() -> None:
    """Read the secret, then serve until the parent is gone."""
    secret = json.loads(sys.stdin.readline() or "{}").get("secret")
    if not secret:
        sys.exit("this process is started by patter_nb, which gives it a secret on standard input")
    asyncio.run(serve(secret, sys.stdin, sys.stdout))


if __name__ == "__main__":
    main()
