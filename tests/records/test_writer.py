"""The thread that writes rows."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Callable, Sequence

import pytest

from patter_nb.records import writer as module
from patter_nb.records.writer import Job, Rejected, Unavailable, Write, Writer


class Shelf:
    """Where jobs go: refuses some rows for ever and everything while it is closed."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.batches: list[int] = []
        self.tries = 0
        self.closed = threading.Event()
        self.never: set[int] = set()
        self.answers_lost = 0
        self.gate = threading.Event()
        self.gate.set()
        self.rested: list[str] = []
        """The thread that rested, each time that it did."""

    def rest(self) -> None:
        self.rested.append(threading.current_thread().name)

    def write(self, jobs: Sequence[Job], again: bool) -> None:
        self.gate.wait(10)
        self.tries += 1
        if self.closed.is_set():
            raise Unavailable("disk full")
        numbers = [each.row["n"] for job in jobs for each in job]
        if bad := self.never.intersection(numbers):
            raise Rejected(f"row {min(bad)} is too long")
        self.batches.append(len(jobs))
        self.rows += [n for n in numbers if not (again and n in self.rows)]
        if self.answers_lost:
            self.answers_lost -= 1
            raise Unavailable("server gone")


def job(*numbers: int) -> Job:
    return tuple(Write("events", {"n": n}) for n in numbers)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def writer(shelf: Shelf) -> Writer:
    return Writer(shelf.write, "the shelf", rest=shelf.rest, forked=lambda: None)


def test_rows_arrive_in_the_order_in_which_they_were_put(shelf: Shelf, writer: Writer) -> None:
    for n in range(1000):
        writer.put(job(n))
    assert writer.flush(10)
    assert shelf.rows == list(range(1000))
    assert max(shelf.batches) <= module.MOST_JOBS


def test_jobs_that_came_meanwhile_share_one_transaction(shelf: Shelf, writer: Writer) -> None:
    shelf.gate.clear()
    for n in range(100):
        writer.put(job(n))
    shelf.gate.set()
    assert writer.flush(10)
    assert shelf.rows == list(range(100))
    assert len(shelf.batches) <= 2


def test_putting_never_waits_for_a_write(shelf: Shelf, writer: Writer) -> None:
    shelf.gate.clear()  # the write under way does not return
    for n in range(10):
        writer.put(job(n))
    assert not writer.flush(0.01)
    assert shelf.rows == []
    shelf.gate.set()
    assert writer.flush(10)


def test_while_nothing_can_be_written_rows_wait_and_then_arrive_in_order(shelf: Shelf, writer: Writer) -> None:
    writer.put(job(0))
    assert writer.flush(10)
    shelf.closed.set()
    for n in range(1, 6):
        writer.put(job(n, n + 100))
    assert not writer.flush(0.05)
    assert writer.problem == "The store the shelf is not being written (disk full); rows waiting in memory: 10."
    assert shelf.rows == [0]
    shelf.closed.clear()
    assert writer.flush(10)
    assert writer.problem is None
    assert shelf.rows == [0, 1, 101, 2, 102, 3, 103, 4, 104, 5, 105]


def test_a_write_whose_answer_was_lost_is_not_done_twice(shelf: Shelf, writer: Writer) -> None:
    shelf.answers_lost = 2
    for n in range(5):
        writer.put(job(n))
    assert writer.flush(10)
    assert shelf.rows == list(range(5))


def test_a_flush_does_not_wait_for_the_next_try(shelf: Shelf, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 1000.0)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 1000.0)
    shelf.closed.set()
    writer.put(job(1))
    assert not writer.flush(0.05)
    shelf.closed.clear()
    assert writer.flush(10)


def test_a_failing_store_is_not_asked_without_pause(shelf: Shelf, writer: Writer) -> None:
    shelf.closed.set()
    for n in range(200):
        writer.put(job(n))
    assert not writer.flush(0.02)
    assert shelf.tries <= 5
    shelf.closed.clear()
    assert writer.flush(10)


def test_a_row_that_is_refused_is_left_out_alone_and_told(shelf: Shelf, writer: Writer) -> None:
    shelf.never = {3, 7}
    shelf.gate.clear()
    for n in range(10):
        writer.put(job(n))
    shelf.gate.set()
    assert writer.flush(10)
    assert shelf.rows == [0, 1, 2, 4, 5, 6, 8, 9]
    assert writer.problem == "The store the shelf refused rows, which are only in memory: 2 (row 7 is too long)."


def test_two_threads_lose_nothing_and_keep_their_own_order(shelf: Shelf, writer: Writer) -> None:
    def put(first: int) -> None:
        for n in range(first, first + 500):
            writer.put(job(n))

    threads = [threading.Thread(target=put, args=(first,)) for first in (0, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert writer.flush(10)
    assert sorted(shelf.rows) == list(range(1000))
    assert [n for n in shelf.rows if n < 500] == list(range(500))


def test_the_thread_ends_when_idle_and_comes_back(shelf: Shelf, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    writer.put(job(1))
    thread = writer._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    assert shelf.rested == ["patter_nb store"]
    writer.put(job(2))
    assert writer.flush(10)
    assert shelf.rows == [1, 2]


def test_stopping_writes_the_rest_and_ends_the_thread(shelf: Shelf, writer: Writer) -> None:
    writer.put(job(1))
    assert writer.stop(10)
    assert writer._thread is None
    assert shelf.rested == ["patter_nb store"]
    writer.put(job(2))
    assert writer.stop(10)
    assert shelf.rows == [1, 2]
    assert len(shelf.rested) == 2


def test_what_comes_while_the_thread_rests_is_written_by_it(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    threads: set[threading.Thread | None] = set()

    def rest() -> None:
        threads.add(writer._thread)
        if not shelf.rested:
            writer.put(job(2))
        shelf.rest()

    writer = Writer(shelf.write, "the shelf", rest=rest, forked=lambda: None)
    writer.put(job(1))
    assert writer.stop(10)
    assert writer.stop(10)
    assert shelf.rows == [1, 2]
    assert len(threads) == 1
    assert len(shelf.rested) == 2


def test_a_write_that_is_not_answered_is_told_until_it_is(shelf: Shelf, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.gate.clear()
    writer.put(job(1, 2))
    assert not writer.flush(0.05)
    assert writer.problem is None
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    assert writer.problem == "The store the shelf is not being written (no answer for 0 seconds); rows waiting in memory: 2."
    shelf.gate.set()
    assert writer.flush(10)
    assert writer.problem is None


def test_at_the_end_of_the_process_rows_that_cannot_be_written_are_told_within_the_bound(
    shelf: Shelf, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "EXIT_SECONDS", 0.05)
    shelf.closed.set()
    writer.put(job(1))
    module._at_exit()
    told = [record.message for record in caplog.records]
    assert told == ["The store the shelf is not being written (disk full); rows waiting in memory: 1."]
    shelf.closed.clear()
    assert writer.flush(10)


def test_a_writer_that_nobody_holds_is_collected(shelf: Shelf) -> None:
    made = Writer(shelf.write, "the shelf", rest=shelf.rest, forked=lambda: None)
    made.put(job(1))
    made.stop(10)
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_starts_empty_and_the_parent_writes_what_it_holds(shelf: Shelf, in_child: Callable[..., int]) -> None:
    told: list[str] = []
    writer = Writer(shelf.write, "the shelf", rest=shelf.rest, forked=lambda: told.append("forked"))
    shelf.closed.set()
    writer.put(job(1))
    assert not writer.flush(0.02)

    def child() -> bool:
        shelf.closed.clear()
        writer.put(job(2))
        return writer.flush(10) and shelf.rows == [2] and writer.problem is None and told == ["forked"]

    assert in_child(child) == 0
    shelf.closed.clear()
    assert writer.flush(10)
    assert shelf.rows == [1]


@pytest.mark.parametrize("error", [KeyError("schema_version"), AttributeError("x"), RuntimeError("x"), ZeroDivisionError("x")])
def test_an_error_that_nobody_foresaw_is_told_and_the_thread_goes_on(error: Exception) -> None:
    errors, written = [error], []

    def write(jobs: Sequence[Job], again: bool) -> None:
        if errors:
            raise errors[0]
        written.extend(jobs)

    writer = Writer(write, "here", rest=lambda: None, forked=lambda: None)
    writer.put((Write("events", {"number": 1}),))
    assert not writer.flush(0.2)
    assert writer.problem == f"The store here is not being written ({type(error).__name__}: {error}); rows waiting in memory: 1."
    errors.clear()
    assert writer.stop(60)
    assert len(written) == 1
    assert writer.problem is None
