"""The thread that writes rows, so that no call ever waits for a disk or a server.

What cannot be written stays in memory, in its order, and is tried again until it can. The queue has no limit but memory: what it
holds are the very rows that the log of the running calls holds as well.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

logger = logging.getLogger(__name__)

MOST_JOBS = 256
"""Jobs in one transaction: enough to catch up fast, few enough that a reader's lock is never long in the way."""
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 10.0
"""Bounds of the growing wait before a failed write is tried again."""
IDLE_SECONDS = 5.0
"""After this long without a job the thread ends; the next job starts a new one."""
PATIENCE_SECONDS = 10.0
"""After this long without an answer to a write, `problem` says so."""
EXIT_SECONDS = 2.0
"""How long the end of the process may be delayed for rows that are not written yet."""

UNEXPECTED = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(MemoryError, OSError, RuntimeError, TypeError, ValueError),
)
"""What nobody foresaw must be told, and must not end the thread: rows would pile up behind it without a word."""


@dataclass(frozen=True, slots=True)
class Write:
    """One row to be written."""

    table: str
    row: dict[str, Any]
    update: bool = False
    """True: change the row that has this primary key. False: add the row."""
    shared: bool = False
    """True when another process may have added the same row; then it is left as it is."""


Job = tuple[Write, ...]
"""Rows that belong together: written in one transaction or not at all."""


class Unavailable(Exception):  # noqa: N818 (it says what the store is, and never reaches a user)
    """The store cannot be written now; trying again may help. The message is the reason, without a full stop."""


class Rejected(Exception):  # noqa: N818
    """The store will never take one of these rows."""


class Writer:
    """Jobs in order, written by a thread of its own. `write(jobs, again)` writes them in one transaction.

    `again` is true when some of the rows may be there already, since an earlier try was not told apart from a failure.
    `rest` is called in that thread when there has been nothing to write for a while, and when it is to end. `forked` is called
    in a child process, which starts with an empty queue: the parent writes what it holds.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Job], bool], None],
        place: str,
        *,
        rest: Callable[[], None],
        forked: Callable[[], None],
    ) -> None:
        self._write = write
        self._place = place
        self._rest = rest
        self._forked = forked
        self._reset()
        _writers.add(self)

    def put(self, job: Job) -> None:
        """Take a job. Never waits for the store, never raises."""
        with self._changed:
            self._jobs.append(job)
            self._run()
            self._changed.notify_all()

    @property
    def problem(self) -> str | None:
        """Why rows are not in the store, in one sentence; None when all is well."""
        with self._changed:
            reason, silent = self._reason, time.monotonic() - self._asked_at
            if reason is None and silent > PATIENCE_SECONDS:
                reason = f"no answer for {silent:.0f} seconds"
            if reason is not None:
                rows = sum(len(job) for job in self._jobs)
                return f"The store {self._place} is not being written ({reason}); rows waiting in memory: {rows}."
            if self._rejected:
                return f"The store {self._place} refused rows, which are only in memory: {self._rejected} ({self._rejection})."
            return None

    def flush(self, timeout_seconds: float) -> bool:
        """Try to write everything now; True when all that was put is written."""
        with self._changed:
            if self._jobs:
                self._hurry = True
                self._run()
                self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._jobs, timeout_seconds)

    def stop(self, timeout_seconds: float) -> bool:
        """Flush, then let the thread rest and end until the next job; True when all that was put is written."""
        written = self.flush(timeout_seconds)
        with self._changed:
            thread, self._leave = self._thread, True
            self._changed.notify_all()
        if thread is not None and written:
            thread.join(timeout_seconds)
        return written

    def begin_again(self) -> None:
        """Forget everything: this is a child process, and the thread stayed with the parent."""
        self._reset()
        self._forked()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._reason: str | None = None
        self._asked_at = math.inf
        """When the write that is under way began."""
        self._rejected = 0
        self._rejection = ""
        self._hurry = self._leave = False

    def _run(self) -> None:
        self._leave = False
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="patter_nb store", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        ended = False
        while not ended:
            self._write_all()
            self._rest()
            ended = self._ended()

    def _write_all(self) -> None:
        failures = singly = 0
        while jobs := self._next(1 if singly else MOST_JOBS):
            try:
                self._write(jobs, failures > 0 or singly > 0)
            except Rejected as error:
                if len(jobs) > 1:
                    singly = len(jobs)  # so that only the one row is left out
                    continue
                self._done(1, str(error))
            except (Unavailable, *UNEXPECTED) as error:
                failures += 1
                reason = str(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
                self._wait(reason, min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(failures - 1, 10)))
                continue
            else:
                self._done(len(jobs))
            failures, singly = 0, max(0, singly - len(jobs))

    def _ended(self) -> bool:
        """Whether nothing came while the thread rested; then it is gone, and the next job starts another."""
        with self._changed:
            if not self._jobs:
                self._thread = None
            return self._thread is None

    def _next(self, most: int) -> list[Job]:
        """The next jobs, left in the queue until they are written; none when there was nothing to do for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._leave, IDLE_SECONDS)
            self._asked_at = time.monotonic() if self._jobs else math.inf
            return list(islice(self._jobs, most))

    def _done(self, count: int, rejection: str | None = None) -> None:
        with self._changed:
            for _ in range(count):
                self._jobs.popleft()
            self._reason, self._asked_at = None, math.inf
            if rejection is not None:
                self._rejected += 1
                self._rejection = rejection
            self._changed.notify_all()

    def _wait(self, reason: str, seconds: float) -> None:
        with self._changed:
            self._reason, self._asked_at = reason, math.inf
            self._changed.wait_for(lambda: self._hurry, seconds)
            self._hurry = False


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def _at_exit() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for writer in list(_writers):
        if not writer.stop(max(0.0, deadline - time.monotonic())):
            logger.warning("%s", writer.problem or "The process ended before every row was in the store.")


def _in_child() -> None:
    for writer in list(_writers):
        writer.begin_again()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
