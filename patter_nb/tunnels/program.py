"""A program that runs beside us: its output is always taken away, its end is told, and it does not outlive us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from patter_nb.tunnels import leash

LINE_BYTES = 16_384
"""A longer line is taken in pieces."""
STOP_SECONDS = 0.8
"""How long a stop waits for the leash, which grants the program a part of that, before the group is killed."""


class Program:
    """One running program. Its lines go to `on_line` on a thread of its own; `ended` is done, with its exit code, on the loop.

    It runs on a leash, a small process that ends it when our end of a pipe closes: also when this process is killed. Both are in
    a session of their own, since the interrupt of a cell goes to all processes of the kernel's.
    """

    def __init__(self, command: Sequence[str], on_line: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_line = on_line
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(leash.__file__)), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **_APART,
        )
        threading.Thread(target=self._drain, name=f"output of {Path(command[0]).name}", daemon=True).start()

    async def stop(self) -> None:
        """End it, within a second. Harmless when it has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        await asyncio.wait([self.ended], timeout=STOP_SECONDS)
        if not self.ended.done():
            self._kill()
            await self.ended

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def _drain(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            while line := output.readline(LINE_BYTES):
                self._on_line(line.decode("utf-8", "replace").strip())
        code = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(self._told, code)

    def _told(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)


_APART: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
