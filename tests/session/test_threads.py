"""A user's function in a thread of its own: what it returns, what it raises, and one that never ends."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.errors import PatterError
from patter_nb.session.threads import in_thread

Virtual = Callable[..., Any]
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("WHO", default="nobody")


def test_it_returns_what_the_function_returns_of_its_arguments(virtual: Virtual) -> None:
    assert virtual(in_thread(lambda first, second: (second, first), 1, 2, who="it")) == (2, 1)
    assert virtual(in_thread(lambda: None, who="it")) is None


def test_it_runs_elsewhere_in_a_thread_that_is_named_and_keeps_no_process_alive(virtual: Virtual) -> None:
    thread = virtual(in_thread(threading.current_thread, who="look"))
    assert thread is not threading.current_thread()
    assert (thread.daemon, thread.name) == (True, "user code look")


def test_it_sees_the_context_of_whoever_called_it_and_changes_nothing_there(virtual: Virtual) -> None:
    def look() -> str:
        seen = WHO.get()
        WHO.set("the thread")
        return seen

    async def main() -> tuple[str, str]:
        WHO.set("the caller")
        return await in_thread(look, who="look"), WHO.get()

    assert virtual(main()) == ("the caller", "the caller")


class Panic(BaseException):
    """As extensions written in Rust have it."""


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ValueError("no line"), "look raised ValueError: no line"),
        (ValueError(), "look raised ValueError"),
        (PatterError("There is no line."), "There is no line."),
        (StopIteration("odd"), "look raised StopIteration: odd"),
        (OSError("api_key=hunter2hunter2"), "look raised OSError: api_key="),
        (SystemExit(3), "look raised SystemExit: 3"),
        (asyncio.CancelledError(), "look was cancelled."),
        (GeneratorExit(), "look raised GeneratorExit"),
        (Panic("index out of range"), "look raised Panic: index out of range"),
        (KeyboardInterrupt(), "look raised KeyboardInterrupt"),
    ],
)
def test_what_it_raises_is_one_sentence(virtual: Virtual, raised: BaseException, told: str) -> None:
    def look() -> None:
        raise raised

    async def main() -> None:
        async with asyncio.timeout(20):
            await in_thread(look, who="look")

    with pytest.raises(PatterError) as refused:
        virtual(main())
    assert str(refused.value).startswith(told)
    assert "hunter2" not in str(refused.value)


def test_virtual_time_does_not_run_away_while_it_works(virtual: Virtual) -> None:
    async def main() -> float:
        async with asyncio.timeout(20):
            await in_thread(time.sleep, 0.05, who="look")
        return asyncio.get_running_loop().time()

    assert 0.04 < virtual(main()) < 5


def test_one_that_never_ends_is_left_to_itself_and_others_still_run(virtual: Virtual) -> None:
    leave = threading.Event()

    async def main() -> int:
        for _ in range(40):  # more than a pool of threads has
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await in_thread(leave.wait, 30, who="hangs")
        return await in_thread(lambda: 5, who="look")

    assert virtual(main()) == 5
    leave.set()  # their loop is closed: what they return is dropped


def test_the_answer_of_one_that_was_given_up_is_dropped(virtual: Virtual) -> None:
    leave, ended = threading.Event(), threading.Event()
    wrong: list[Any] = []

    def late() -> str:
        leave.wait(10)
        ended.set()
        return "late"

    async def main() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: wrong.append(what))
        waiting = asyncio.create_task(in_thread(late, who="late"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        leave.set()
        await in_thread(ended.wait, 10, who="look")
        await in_thread(time.sleep, 0.02, who="look")
        return "cancelled" if waiting.cancelled() else waiting.result()

    assert virtual(main()) == "cancelled"
    assert wrong == []
