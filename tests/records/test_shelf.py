"""Recordings on disk, and what happens when there is no room for them."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import numpy as np

from patter_nb.audio.recording import Recording
from patter_nb.audio.wav import read_wav
from patter_nb.records.shelf import RecordingShelf


def recording(value: int = 1, seconds: float = 0.1) -> Recording:
    return Recording(np.full((round(8000 * seconds), 2), value, np.int16), 8000)


def test_a_recording_is_written_beside_the_store_under_the_name_of_its_call(tmp_path: Path) -> None:
    shelf = RecordingShelf(tmp_path / "kept")
    path = shelf.save("call_1", recording(7))
    assert path == tmp_path / "kept" / "recordings" / "call_1.wav"
    samples, hz = read_wav(path)
    assert (hz, len(samples), set(samples.tolist())) == (8000, 800, {7})
    assert shelf.problem is None
    assert [file.name for file in path.parent.iterdir()] == ["call_1.wav"]


def test_keeping_touches_no_disk_and_retrying_writes_all_that_was_kept(tmp_path: Path) -> None:
    shelf = RecordingShelf(tmp_path)
    paths = [shelf.keep(f"call_{number}", recording()) for number in range(3)]
    assert list(tmp_path.iterdir()) == []
    assert shelf.retry()
    assert all(path is not None and path.exists() for path in paths)
    assert shelf.retry()


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    shelf = RecordingShelf(None)
    assert shelf.save("call_1", recording()) is None
    assert shelf.retry()
    assert shelf.problem is None


def test_what_cannot_be_written_waits_in_memory_until_it_can(tmp_path: Path) -> None:
    in_the_way = tmp_path / "recordings"
    in_the_way.write_text("a file where the folder should be")
    shelf = RecordingShelf(tmp_path)
    first = shelf.save("call_1", recording(1))
    assert first == in_the_way / "call_1.wav"
    assert shelf.problem == "The recording call_1.wav is kept in memory, since it cannot be written: File exists."
    assert not shelf.retry()
    second = shelf.save("call_2", recording(2))
    in_the_way.unlink()
    assert shelf.retry()
    assert shelf.problem is None
    assert first is not None
    assert second is not None
    assert [set(read_wav(path)[0].tolist()) for path in (first, second)] == [{1}, {2}]


def test_a_full_disk_is_such_a_case(tmp_path: Path) -> None:
    shelf = RecordingShelf(tmp_path)

    class NoRoom(Recording):
        def save(self, path: object) -> Path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shelf.keep("call_1", NoRoom(recording().samples, 8000))
    assert not shelf.retry()
    assert shelf.problem == "The recording call_1.wav is kept in memory, since it cannot be written: No space left on device."
    shelf.keep("call_1", recording())
    assert shelf.retry()


def test_recordings_that_are_saved_at_once_are_all_written(tmp_path: Path) -> None:
    shelf, barrier = RecordingShelf(tmp_path), threading.Barrier(6)

    def work(number: int) -> None:
        barrier.wait()
        for each in range(5):
            shelf.save(f"call_{number}_{each}", recording())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shelf.retry()
    assert len(list((tmp_path / "recordings").iterdir())) == 30
