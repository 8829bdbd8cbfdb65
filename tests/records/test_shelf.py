"""Recordings on disk, and what happens when there is no room for them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from patter_nb.audio.recording import Recording
from patter_nb.audio.wav import read_wav
from patter_nb.errors import ConfigError
from patter_nb.records.shelf import RecordingShelf


def recording(value: int = 1, seconds: float = 0.1) -> Recording:
    return Recording(np.full((round(8000 * seconds), 2), value, np.int16), 8000)


def test_a_recording_is_written_beside_the_store_under_the_name_of_its_call(tmp_path: Path) -> None:
    told: list[tuple[str, Path]] = []
    shelf = RecordingShelf(tmp_path / "kept", lambda call_id, path: told.append((call_id, path)))
    shelf.keep("call_1", recording(7))
    assert shelf.retry()
    path = tmp_path / "kept" / "recordings" / "call_1.wav"
    assert told == [("call_1", path)]
    samples, hz = read_wav(path)
    assert (hz, len(samples), set(samples.tolist())) == (8000, 800, {7})
    assert shelf.problem is None
    assert [file.name for file in path.parent.iterdir()] == ["call_1.wav"]


def test_without_a_directory_nothing_is_kept() -> None:
    shelf = RecordingShelf(None)
    shelf.keep("call_1", recording())
    assert shelf.retry()
    assert shelf.problem is None


def test_the_folder_of_the_store_is_kept_out_of_git_by_whoever_makes_it(tmp_path: Path) -> None:
    shelf = RecordingShelf(tmp_path / ".patter_nb")
    shelf.keep("call_1", recording())
    assert shelf.retry()
    assert (tmp_path / ".patter_nb" / ".gitignore").read_text() == "*\n"


def test_what_cannot_be_written_waits_in_memory_and_is_written_by_itself_when_it_can(tmp_path: Path) -> None:
    in_the_way = tmp_path / "recordings"
    in_the_way.write_text("a file where the folder should be")
    all_there, told = threading.Event(), []

    def written(call_id: str, path: Path) -> None:
        told.append((call_id, path.exists()))
        if len(told) == 2:
            all_there.set()

    shelf = RecordingShelf(tmp_path, written)
    shelf.keep("call_1", recording(1))
    shelf.keep("call_2", recording(2))
    assert not shelf.retry()
    assert told == []
    assert shelf.problem == "The recording call_1.wav is kept in memory, since it cannot be written: File exists."
    in_the_way.unlink()
    assert all_there.wait(60)
    assert sorted(told) == [("call_1", True), ("call_2", True)]
    assert shelf.retry()
    assert shelf.problem is None
    assert [set(read_wav(in_the_way / f"call_{number}.wav")[0].tolist()) for number in (1, 2)] == [{1}, {2}]


def test_one_file_that_cannot_be_written_holds_up_no_other_and_the_problem_is_that_of_its_call(tmp_path: Path) -> None:
    (tmp_path / "recordings" / "call_1.wav").mkdir(parents=True)
    shelf = RecordingShelf(tmp_path)
    for number in range(3):
        shelf.keep(f"call_{number}", recording())
    assert not shelf.retry()
    assert (tmp_path / "recordings" / "call_0.wav").is_file()
    assert (tmp_path / "recordings" / "call_2.wav").is_file()
    problem = shelf.problem_of("call_1")
    assert problem is not None
    assert problem.startswith("The recording call_1.wav is kept in memory, since it cannot be written: ")
    assert [shelf.problem_of(f"call_{number}") for number in (0, 2)] == [None, None]
    (tmp_path / "recordings" / "call_1.wav").rmdir()
    assert shelf.retry()
    assert shelf.problem_of("call_1") is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (ConfigError("It is too long for a WAV."), "It is too long for a WAV"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_whatever_keeps_a_file_from_being_written_is_told_and_ends_nothing(error: Exception, reason: str, tmp_path: Path) -> None:
    shelf = RecordingShelf(tmp_path)

    class NoRoom(Recording):
        def save(self, path: object) -> Path:
            raise error

    shelf.keep("call_1", NoRoom(recording().samples, 8000))
    assert not shelf.retry()
    assert shelf.problem == f"The recording call_1.wav is kept in memory, since it cannot be written: {reason}."
    shelf.keep("call_1", recording())
    assert shelf.retry()


def test_recordings_that_are_kept_at_once_are_all_written(tmp_path: Path) -> None:
    shelf, barrier = RecordingShelf(tmp_path), threading.Barrier(6)

    def work(number: int) -> None:
        barrier.wait()
        for each in range(5):
            shelf.keep(f"call_{number}_{each}", recording())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shelf.retry()
    assert len(list((tmp_path / "recordings").iterdir())) == 30


ENDS = """
import sys, threading
from pathlib import Path
import numpy as np
from patter_nb.audio.recording import Recording
from patter_nb.records.shelf import RecordingShelf

folder = Path(sys.argv[1])
(folder / "recordings").write_text("in the way")
shelf = RecordingShelf(folder)
shelf.keep("call_1", Recording(np.ones((800, 2), np.int16), 8000))
assert not shelf.retry()
if sys.argv[2] == "freed":
    (folder / "recordings").unlink()
"""


@pytest.mark.parametrize(("what", "there"), [("freed", True), ("blocked", False)])
def test_the_end_of_the_process_tries_once_more_and_says_what_is_lost(what: str, there: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDS, str(tmp_path), what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (tmp_path / "recordings" / "call_1.wav").exists() == there
    assert ("call_1.wav is kept in memory" in done.stderr) != there


def test_a_child_process_leaves_what_waits_to_its_parent(tmp_path: Path, in_child: Callable[[Callable[[], bool]], int]) -> None:
    in_the_way = tmp_path / "recordings"
    in_the_way.write_text("in the way")
    shelf = RecordingShelf(tmp_path)
    shelf.keep("call_1", recording())
    assert not shelf.retry()
    assert in_child(shelf.retry) == 0
    in_the_way.unlink()
    assert shelf.retry()
