"""What is shown follows the phone: read off the loop, one reading at a time, shown only where it differs."""

from __future__ import annotations

import asyncio
import logging
import threading

from patter_nb.notebook.studio.refresh import Refresh


def test_it_is_read_in_a_thread_and_shown_on_the_loop_and_only_when_it_is_another_one(desk):
    async def main() -> None:
        state, read_on, shown = {"n": 1}, set[int](), list[tuple[int, int]]()

        def collect() -> dict[str, int]:
            read_on.add(threading.get_ident())
            return dict(state)

        refresh = Refresh(desk.ports(), collect, lambda found: shown.append((found["n"], threading.get_ident())))
        for number in (1, 1, 2):
            state["n"] = number
            refresh.now()
            await desk.until(lambda: refresh._task is None)
        assert shown == [(1, threading.get_ident()), (2, threading.get_ident())]
        assert threading.get_ident() not in read_on

    desk.run(main())


def test_what_changes_during_a_reading_is_read_after_it_once(desk):
    async def main() -> None:
        go, reads, shown = threading.Event(), list[int](), list[int]()

        def collect() -> dict[str, int]:
            reads.append(1)
            go.wait(10)
            return {"n": len(reads)}

        refresh = Refresh(desk.ports(), collect, lambda found: shown.append(found["n"]))
        refresh.now()
        await desk.until(lambda: bool(reads))
        for _ in range(5):
            refresh.now()
        go.set()
        await desk.until(lambda: refresh._task is None)
        assert (len(reads), shown) == (2, [1, 2])

    desk.run(main())


def test_a_closed_one_reads_and_shows_nothing(desk):
    async def main() -> None:
        shown: list[int] = []
        refresh = Refresh(desk.ports(), lambda: {"n": 1}, lambda found: shown.append(found["n"]))
        refresh.now()
        refresh.close()
        refresh.now()
        desk.phone._watch.changed()
        await asyncio.sleep(0)
        assert (shown, desk.phone._watch.lookers) == ([], 0)

    desk.run(main())


def test_a_reading_that_fails_is_logged_and_the_next_one_goes_on(desk, caplog):
    async def main() -> None:
        broken, shown = [True], list[int]()

        def collect() -> dict[str, int]:
            if broken:
                raise LookupError("gone")
            return {"n": 1}

        refresh = Refresh(desk.ports(), collect, lambda found: shown.append(found["n"]))
        with caplog.at_level(logging.ERROR):
            refresh.now()
            await desk.until(lambda: bool(caplog.records))
        broken.clear()
        refresh.now()
        await desk.until(lambda: bool(shown))

    desk.run(main())
