"""Recordings on disk, beside the store. What cannot be written stays in memory, and is tried again until there is room for it.

A thread of its own writes them, so that no call waits for a disk. One file that cannot be written holds up no other.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from patter_nb.audio.recording import Recording
from patter_nb.records.database import make_directory
from patter_nb.records.writer import EXIT_SECONDS, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    recording: Recording
    problem: str | None = None


class RecordingShelf:
    """Saves each call's recording as `recordings/CALL_ID.wav` in `directory`; None: keeps nothing on disk.

    `written(call_id, path)` is called, in the thread that writes, when a recording is on the disk. Safe to use from any thread.
    """

    def __init__(self, directory: Path | None, written: Callable[[str, Path], None] | None = None) -> None:
        self._directory = directory
        self._written = written
        self._reset()
        _shelves.add(self)

    def keep(self, call_id: str, recording: Recording) -> None:
        """Take a recording. Never waits for the disk, never raises."""
        if self._directory is None:
            return
        with self._changed:
            self._waiting[call_id] = _Waiting(recording)
            self._run()
            self._changed.notify_all()

    def retry(self, timeout_seconds: float | None = None) -> bool:
        """Let all that waits be tried once more, and wait for that; True when nothing waits any more."""
        with self._changed:
            if self._waiting:
                enough = self._passes + (2 if self._passing else 1)
                self._hurry = True
                self._run()
                self._changed.notify_all()
                self._changed.wait_for(lambda: not self._waiting or self._passes >= enough, timeout_seconds)
            return not self._waiting

    @property
    def problem(self) -> str | None:
        """Why a recording is not on disk, in one sentence: the first one's reason; None when none failed."""
        with self._changed:
            return next((each.problem for each in self._waiting.values() if each.problem), None)

    def problem_of(self, call_id: str) -> str | None:
        """Why the recording of this call is not on disk, in one sentence; None when it did not fail."""
        with self._changed:
            waiting = self._waiting.get(call_id)
            return None if waiting is None else waiting.problem

    def begin_again(self) -> None:
        """Forget everything: this is a child process, and the parent writes what it holds."""
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._thread: threading.Thread | None = None
        self._passes = 0
        """How often everything that waited was tried."""
        self._passing = False
        self._hurry = False

    def _run(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="patter_nb recordings", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        seconds = FIRST_WAIT_SECONDS
        while (found := self._next()) is not None:
            for call_id, each in found:
                self._try(call_id, each)
            with self._changed:
                self._passing, self._passes = False, self._passes + 1
                self._changed.notify_all()
                self._changed.wait_for(self._more, seconds)
            seconds = min(LONGEST_WAIT_SECONDS, seconds * 2)

    def _more(self) -> bool:
        """Whether there is a reason not to wait: somebody asks, something was never tried, or nothing is left."""
        return self._hurry or not self._waiting or any(each.problem is None for each in self._waiting.values())

    def _next(self) -> list[tuple[str, _Waiting]] | None:
        """Everything that waits; None when nothing does, and then the thread ends."""
        with self._changed:
            self._hurry = False
            if not self._waiting:
                self._thread = None
                return None
            self._passing = True
            return list(self._waiting.items())

    def _try(self, call_id: str, each: _Waiting) -> None:
        assert self._directory is not None
        path = self._directory / "recordings" / f"{call_id}.wav"
        try:
            make_directory(self._directory)
            path.parent.mkdir(exist_ok=True)
            each.recording.save(path)
        except (OSError, ValueError, MemoryError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            each.problem = f"The recording {path.name} is kept in memory, since it cannot be written: {reason.rstrip('.')}."
            return
        if self._written is not None:
            self._written(call_id, path)
        with self._changed:
            if self._waiting.get(call_id) is each:
                del self._waiting[call_id]


_shelves: weakref.WeakSet[RecordingShelf] = weakref.WeakSet()


def _at_exit() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for shelf in list(_shelves):
        if not shelf.retry(max(0.0, deadline - time.monotonic())):
            logger.warning("%s", shelf.problem or "The process ended before every recording was on the disk.")


def _in_child() -> None:
    for shelf in list(_shelves):
        shelf.begin_again()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
