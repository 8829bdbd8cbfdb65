"""Who looks at a phone is told of changes: on its loop, once for what comes together, until it stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from patter_nb.notebook.studio.watch import TELLING, Watch


class Told:
    """A call whose events the test gives."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[str | None] = asyncio.Queue()
        self.read = 0

    async def stream(self) -> AsyncIterator[SimpleNamespace]:
        while (kind := await self.events.get()) is not None:
            self.read += 1
            yield SimpleNamespace(kind=kind)


def test_changes_that_come_together_are_told_once_on_the_lookers_loop(desk):
    async def main() -> None:
        watch, told = Watch(), list[int]()
        watch.look(asyncio.get_running_loop(), lambda: told.append(threading.get_ident()))
        threads = [threading.Thread(target=watch.changed) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        watch.changed()
        await desk.until(lambda: bool(told))
        assert told == [threading.get_ident()]
        watch.changed()
        await desk.until(lambda: len(told) == 2)

    desk.run(main())


def test_who_has_stopped_is_told_nothing_even_of_what_was_on_its_way(desk):
    async def main() -> None:
        watch, first, second = Watch(), list[int](), list[int]()
        stop = watch.look(asyncio.get_running_loop(), lambda: first.append(1))
        watch.look(asyncio.get_running_loop(), lambda: second.append(1))
        watch.changed()
        stop()
        stop()
        await desk.until(lambda: bool(second))
        assert (first, watch.lookers) == ([], 1)

    desk.run(main())


@pytest.mark.parametrize("kind", sorted(TELLING))
def test_events_that_change_a_table_are_told(desk, kind):
    async def main() -> None:
        watch, call, told = Watch(), Told(), list[int]()
        watch.look(asyncio.get_running_loop(), lambda: told.append(1))
        watch.follow(call)
        watch.follow(call)
        await desk.until(lambda: len(told) == 1)  # that it is on
        call.events.put_nowait(kind)
        await desk.until(lambda: len(told) == 2)
        call.events.put_nowait(None)

    desk.run(main())


def test_other_events_are_not_and_a_call_is_read_only_while_somebody_looks(desk):
    async def main() -> None:
        watch, unseen, seen, told = Watch(), Told(), Told(), list[int]()
        watch.follow(unseen)
        unseen.events.put_nowait("metrics")
        watch.look(asyncio.get_running_loop(), lambda: told.append(1))
        watch.follow(seen)
        await desk.until(lambda: len(told) == 1)
        for kind in ("llm_token", "audio_out", "interim"):
            seen.events.put_nowait(kind)
        await desk.until(lambda: seen.read == 3)
        assert (told, unseen.read) == ([1], 0)

    desk.run(main())
