"""The parent's side of the worker: its process, started once and again when it dies, and lines to it from any event loop."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import secrets
import subprocess
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from patter_nb.errors import ConfigError, ProviderError
from patter_nb.providers.base import closing
from patter_nb.providers.local.wire import Frame, Unpacker, pack

PROVIDER = "local"
START_SECONDS = 120.0
"""How long the worker may take to begin and to load a model: seconds on a free machine, more on a small or busy one."""
LAST_LINES = 20
"""Lines of the worker's errors kept for the message when it dies."""
_ROOT = Path(__file__).resolve().parents[3]
"""The folder this package is imported from."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model the worker shall hold."""

    kind: Literal["stt", "tts"]
    path: str


class WorkerProcess:
    """One run of the worker. A thread reads its reports; nothing it prints reaches the user's cell."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(32)
        self.port: Future[int] = _promise()
        self.ended: Future[str] = _promise()
        """How it ended, in words."""
        self.loads: dict[Model, Future[None]] = {}
        self._last = deque[str](maxlen=LAST_LINES)
        self._process = _spawn()
        self._order(secret=self.secret)
        threading.Thread(target=self._listen, name="patter_nb worker reports", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self.ended.done() and self._process.poll() is None

    def load(self, model: Model) -> Future[None]:
        """Order a model; the future is done when it is loaded, and fails with `ConfigError` or `ProviderError`."""
        loading = self.loads.get(model)
        if loading is None or (loading.done() and loading.exception() is not None):
            loading = self.loads[model] = _promise()
            self._order(load=[model.kind, model.path])
        return loading

    def stop(self, *, patience_seconds: float = 1.0) -> None:
        """End it by closing its standard input, or by force if it does not go."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone already, with an order unread
            self._process.stdin.close()
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _order(self, **order: object) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it died, and the pipe may be closed; whoever waits learns that from `ended`
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as reports:
            for line in reports:
                self._report(line.rstrip("\n"))
        code = self._process.wait()
        assert self._process.stdin is not None
        with suppress(OSError):  # an order it did not read
            self._process.stdin.close()
        self._settle(code)

    def _report(self, line: str) -> None:
        try:
            report = json.loads(line)
        except ValueError:
            report = None
        if not isinstance(report, dict):
            self._last.append(line)
        elif "port" in report:
            self.port.set_result(report["port"])
        elif "loaded" in report:
            self.loads[Model(*report["loaded"])].set_result(None)
        elif "failed" in report:
            self.loads[Model(*report["failed"])].set_exception(ConfigError(report["error"]))

    def _settle(self, code: int) -> None:
        said = f" Its last words were: {self._last[-1].strip()!r}." if self._last else ""
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        message = f"The process of the on-device models ended unexpectedly ({how}); the next request starts it again.{said}"
        promises: list[Future[Any]] = [self.port, *self.loads.values()]
        for promise in promises:
            if not promise.done():
                promise.set_exception(ProviderError(message, provider=PROVIDER, retryable=True))
        self.ended.set_result(message)


class Worker:
    """The worker of this process, whichever run of it is the present one. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: WorkerProcess | None = None
        self._wanted: dict[Model, None] = {}

    def start(self) -> WorkerProcess:
        """The running process; a new one, with all models ordered so far, if there is none. Takes milliseconds."""
        with self._lock:
            if self._process is None or not self._process.alive:
                self._process = WorkerProcess()
                for model in self._wanted:
                    self._process.load(model)
            return self._process

    def load(self, model: Model) -> Future[None]:
        """Have the model loaded, by the running process or a new one. Does not wait."""
        self._wanted[model] = None
        process = self.start()
        with self._lock:
            return process.load(model)

    def stop(self) -> None:
        """End the process; the next request starts it again."""
        with self._lock:
            if self._process is not None:
                self._process.stop()
                self._process = None


WORKER = Worker()
atexit.register(WORKER.stop)


async def loaded(model: Model, seconds: float = START_SECONDS) -> None:
    """Wait until the worker holds the model. `ConfigError` if it cannot be loaded; `ProviderError` if the worker dies."""
    try:
        async with asyncio.timeout(seconds):
            await asyncio.wrap_future(WORKER.load(model))
    except TimeoutError:
        raise ProviderError(
            f"The on-device models were not loaded within {seconds:g} s: free some memory or processor time and try again.",
            provider=PROVIDER,
            retryable=True,
        ) from None


class _Link(asyncio.Protocol):
    """One connection to one run of the worker."""

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self.lost = False
        self._answers: dict[int, asyncio.Queue[Frame | None]] = {}
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport | None = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(pack({"secret": self.process.secret}))

    def data_received(self, data: bytes) -> None:
        for frame in self._unpacker.feed(data):
            if answer := self._answers.get(frame.header["id"]):
                answer.put_nowait(frame)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (either way it is gone)
        self.lost = True
        for answer in self._answers.values():
            answer.put_nowait(None)

    async def ask(self, header: dict[str, Any], payload: bytes) -> AsyncGenerator[Frame, None]:
        """The frames of the answer. Closing the iterator cancels the request."""
        assert self._transport is not None
        self._number += 1
        number = self._number
        answer = self._answers[number] = asyncio.Queue()
        ended = False
        try:
            self._transport.write(pack({"id": number, **header}, payload))
            while not ended:
                frame = None if self.lost and answer.empty() else await answer.get()
                if frame is None or "error" in frame.header:
                    ended = True
                    raise await self._failure(frame)
                ended = "end" in frame.header
                if not ended:
                    yield frame
        finally:
            del self._answers[number]
            if not ended and not self.lost:
                self._transport.write(pack({"cancel": number}))

    async def _failure(self, frame: Frame | None) -> ProviderError:
        if frame is not None:
            message = f"The on-device models could not do this: {frame.header['error']}"
            return ProviderError(message, provider=PROVIDER, retryable=bool(frame.header.get("retryable")))
        try:
            async with asyncio.timeout(2.0):
                message = await asyncio.wrap_future(self.process.ended)
        except TimeoutError:
            message = "The process of the on-device models closed the connection; the next request opens it again."
        return ProviderError(message, provider=PROVIDER, retryable=True)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Line:
    """One stream's line to the worker, for the event loop it is used on. It connects when needed, and again after a loss."""

    def __init__(self) -> None:
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def ask(self, header: dict[str, Any], payload: bytes = b"") -> AsyncGenerator[Frame, None]:
        """The frames of the worker's answer; `ProviderError` if it fails. Closing the iterator cancels the request."""
        if self._closed:
            raise ProviderError("The stream was closed: open the provider again.", provider=PROVIDER)
        async with self._connecting:
            if self._link is None or self._link.lost or not self._link.process.alive:
                self._link = await _connect()
        async with closing(self._link.ask(header, payload)) as answer:
            async for frame in answer:
                yield frame

    def close(self) -> None:
        """Hang up for good; what is still being made is cancelled."""
        self._closed = True
        if self._link is not None:
            self._link.close()


async def _connect() -> _Link:
    """A connection to the running worker. One that is just dying is waited for and replaced."""
    loop = asyncio.get_running_loop()
    problem = ProviderError("", provider=PROVIDER)
    for _ in range(3):
        process = WORKER.start()
        try:
            async with asyncio.timeout(START_SECONDS):
                port = await asyncio.wrap_future(process.port)
                _, link = await loop.create_connection(partial(_Link, process), "127.0.0.1", port)
            return link
        except ProviderError as died:
            problem = died
        except OSError as error:  # a timeout is one, too
            problem = ProviderError(
                f"The process of the on-device models cannot be reached on 127.0.0.1 ({error}): allow local connections.",
                provider=PROVIDER,
                retryable=True,
            )
        await asyncio.to_thread(process.stop)
    raise problem


def _promise() -> Future[Any]:
    """A future that its waiters cannot cancel."""
    promise: Future[Any] = Future()
    promise.set_running_or_notify_cancel()
    return promise


def _spawn() -> subprocess.Popen[str]:
    """Start the process. It has a group of its own, so that the kernel's interrupt is not its interrupt."""
    environment = os.environ | {
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",  # models come from files only
    }
    if _ROOT.name not in ("site-packages", "dist-packages"):  # a clone: whatever the notebook's folder, the child finds the same
        environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    # -P: the notebook's folder may hold a file named like a module of ours or of the standard library.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "patter_nb.providers.local.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
        **apart,
    )
