"""Callbacks one after the other, and the stream of events for whoever reads it, whenever they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.callbacks import Callbacks
from patter_nb.session import notices as module
from patter_nb.session.notices import CallEvent, Notices
from patter_nb.session.user_code import UserCode

Virtual = Callable[..., Any]


def make(failed: Any = lambda name, error: None, **callbacks: Any) -> Notices:
    return Notices(Callbacks(**callbacks), UserCode(), asyncio.get_running_loop(), failed)


async def read(notices: Notices) -> list[CallEvent]:
    return [event async for event in notices.stream()]


def test_callbacks_are_called_in_order_one_after_the_other(virtual: Virtual) -> None:
    told: list[str] = []

    async def slow(data: dict[str, Any]) -> None:
        told.append(f"{data['text']} begins")
        await asyncio.sleep(1.0 if data["text"] == "a" else 0.0)
        told.append(f"{data['text']} ends")

    async def main() -> None:
        notices = make(on_transcript=slow, on_metrics=slow)
        notices.tell("transcript", 1.0, {"text": "a"}, callback="on_transcript")
        notices.tell("metrics", 2.0, {"text": "b"}, callback="on_metrics")
        await notices.drained()

    virtual(main())
    assert told == ["a begins", "a ends", "b begins", "b ends"]


@pytest.mark.parametrize("late", [False, True])
def test_a_reader_gets_every_event_and_ends_with_the_call(virtual: Virtual, late: bool) -> None:
    async def main() -> list[CallEvent]:
        notices = make()
        reading = asyncio.create_task(read(notices))
        for number in range(3):
            notices.tell("interim", float(number), {"text": str(number)})
            await asyncio.sleep(1)
        assert not reading.done()
        notices.finish()
        return await (read(notices) if late else reading)

    assert virtual(main()) == [CallEvent("interim", float(number), {"text": str(number)}) for number in range(3)]


def test_two_readers_each_get_all(virtual: Virtual) -> None:
    async def main() -> list[int]:
        notices = make()
        both = asyncio.gather(read(notices), read(notices))
        for number in range(5):
            notices.tell("interim", float(number), {})
            await asyncio.sleep(0.1 * number)
        notices.finish()
        return [len(events) for events in await both]

    assert virtual(main()) == [5, 5]


def test_no_more_than_so_many_events_are_kept_but_callbacks_are_told_all(
    virtual: Virtual, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_EVENTS", 3)
    told: list[Any] = []

    async def keep(data: dict[str, Any]) -> None:
        told.append(data)

    async def main() -> int:
        notices = make(on_transcript=keep)
        for number in range(6):
            notices.tell("transcript", 0.0, {"text": number}, callback="on_transcript")
        notices.finish()
        await notices.drained()
        return len(await read(notices))

    assert virtual(main()) == 3
    assert len(told) == 6


def test_one_that_raises_or_takes_too_long_is_told_and_the_next_is_called(virtual: Virtual) -> None:
    failures: list[tuple[str, str]] = []
    told: list[Any] = []

    async def hangs(data: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    async def raises(data: dict[str, Any]) -> None:
        raise ValueError("no")

    async def keeps(data: dict[str, Any]) -> None:
        told.append(data)

    async def main() -> None:
        notices = make(lambda *failure: failures.append(failure), on_transcript=hangs, on_metrics=raises, on_audio_out=keeps)
        for name in ("on_transcript", "on_metrics", "on_audio_out"):
            notices.tell("x", 0.0, {"n": name}, callback=name)
        await notices.drained(60)

    virtual(main())
    assert failures == [
        ("on_transcript", "on_transcript took longer than 10 s."),
        ("on_metrics", "on_metrics raised ValueError: no"),
    ]
    assert told == [{"n": "on_audio_out"}]


def test_draining_does_not_wait_for_ever(virtual: Virtual) -> None:
    async def hangs(data: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    async def main() -> float:
        notices = make(on_transcript=hangs)
        for _ in range(9):
            notices.tell("x", 0.0, {}, callback="on_transcript")
        await notices.drained(4)
        return asyncio.get_running_loop().time()

    assert virtual(main()) == pytest.approx(4)


def test_it_may_be_told_from_another_thread_and_of_a_loop_that_is_closed(virtual: Virtual) -> None:
    kept: list[Notices] = []

    async def main() -> list[CallEvent]:
        notices = make()
        kept.append(notices)
        teller = threading.Thread(target=lambda: [notices.tell("interim", float(number), {}) for number in range(50)])
        teller.start()
        teller.join()
        notices.finish()
        return await read(notices)

    assert [event.at for event in virtual(main())] == [float(number) for number in range(50)]
    kept[0].tell("interim", 1.0, {})
    kept[0].finish()


def test_the_stream_keeps_what_was_told_when_a_callback_changes_its_own(virtual: Virtual) -> None:
    async def spoils(data: dict[str, Any]) -> None:
        data.clear()

    async def main() -> list[CallEvent]:
        notices = make(on_transcript=spoils)
        notices.tell("transcript", 0.0, {"text": "a"}, callback="on_transcript")
        await notices.drained()
        notices.finish()
        return await read(notices)

    assert virtual(main())[0].data == {"text": "a"}
