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
        self._waiting: dict[Path, Recording] = {}
        self.problem: str | None = None
        """Why a recording is not on disk yet, in one sentence; None when all are."""

    def save(self, call_id: str, recording: Recording) -> Path | None:
        """Write the recording, and those that could not be written before. Returns its path, on disk or not yet."""
        if self._directory is None:
            return None
        path = self._directory / f"{call_id}.wav"
        with self._lock:
            self._waiting[path] = recording
        self.retry()
        return path

    def retry(self) -> bool:
        """Write what waits; True when nothing waits any more."""
        with self._lock:
            self.problem = None
            for path, recording in list(self._waiting.items()):
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    recording.save(path)
                except OSError as error:
                    self.problem = f"The recording {path.name} is kept in memory, since it cannot be written: {error.strerror or error}."
                    return False
                del self._waiting[path]
        return True
