"""Recordings on disk, beside the store. What cannot be written stays in memory until there is room again."""

from __future__ import annotations

import threading
from pathlib import Path

from patter_nb.audio.recording import Recording


class RecordingShelf:
    """Saves each call's recording as `recordings/CALL_ID.wav` in `directory`; None: keeps nothing on disk."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = None if directory is None else directory / "recordings"
        self._lock = threading.Lock()
        """Held for a moment."""
        self._writing = threading.Lock()
        """Held as long as the disk takes."""
        self._waiting: dict[Path, Recording] = {}
        self.problem: str | None = None
        """Why a recording is not on disk yet, in one sentence; None when all are."""

    def keep(self, call_id: str, recording: Recording) -> Path | None:
        """Take a recording; `retry` writes it. Returns the path it will have; None when nothing is kept on disk. Never waits."""
        if self._directory is None:
            return None
        path = self._directory / f"{call_id}.wav"
        with self._lock:
            self._waiting[path] = recording
        return path

    def retry(self) -> bool:
        """Write what waits; True when nothing waits any more."""
        with self._writing:
            while (found := self._next()) is not None:
                path, recording = found
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    recording.save(path)
                except OSError as error:
                    reason = error.strerror or str(error)
                    self.problem = f"The recording {path.name} is kept in memory, since it cannot be written: {reason}."
                    return False
                with self._lock:
                    del self._waiting[path]
            self.problem = None
        return True

    def save(self, call_id: str, recording: Recording) -> Path | None:
        """Take a recording and write what waits. Returns its path, on disk or not yet."""
        path = self.keep(call_id, recording)
        self.retry()
        return path

    def _next(self) -> tuple[Path, Recording] | None:
        with self._lock:
            return next(iter(self._waiting.items()), None)
