"""The one way into the notebook's loop, from whichever thread a widget's callback runs on."""

from __future__ import annotations

import asyncio
import threading

from patter_nb.notebook.loops import kernel_loop, on_loop


def test_on_its_own_loop_work_is_done_at_once():
    async def main() -> list[int]:
        done: list[int] = []
        on_loop(asyncio.get_running_loop(), done.append, 1)
        return done

    assert asyncio.run(main()) == [1]


def test_from_a_thread_with_another_running_loop_work_is_done_on_the_loop_that_was_asked_for():
    async def main() -> tuple[int, int]:
        mine, found, done = asyncio.get_running_loop(), list[int](), asyncio.Event()

        def work() -> None:
            found.append(threading.get_ident())
            done.set()

        async def callback() -> None:
            on_loop(mine, work)

        thread = threading.Thread(target=lambda: asyncio.run(callback()))
        thread.start()
        async with asyncio.timeout(10):
            await done.wait()
        thread.join(10)
        return found[0], threading.get_ident()

    ran_on, main_thread = asyncio.run(main())
    assert ran_on == main_thread


def test_keyword_arguments_are_handed_on():
    async def main() -> dict[str, int]:
        found: dict[str, int] = {}
        on_loop(asyncio.get_running_loop(), found.update, a=1)
        return found

    assert asyncio.run(main()) == {"a": 1}


def test_on_a_closed_loop_nothing_happens():
    loop, done = asyncio.new_event_loop(), list[int]()
    loop.close()
    on_loop(loop, done.append, 1)
    assert done == []


def test_outside_a_kernel_there_is_no_loop_of_one():
    assert kernel_loop() is None
