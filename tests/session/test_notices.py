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

    async def main() -> list[str]:
        notices = make(on_transcript=keep)
        reading = asyncio.create_task(read(notices))
        for number in range(6):
            notices.tell("transcript", 0.0, {"text": number}, callback="on_transcript")
        notices.tell("call_ended", 0.0, {})
        notices.finish()
        await notices.drained()
        late, early = await read(notices), await reading
        assert late == early
        return [event.kind for event in late]

    assert virtual(main()) == ["transcript"] * 3 + ["call_ended"], "the end is told whatever came before"
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


async def hangs(data: dict[str, Any]) -> None:
    await asyncio.Event().wait()


def test_what_is_too_far_behind_is_given_up_and_told_and_the_end_is_called_all_the_same(virtual: Virtual) -> None:
    failures: list[tuple[str, str]] = []
    ends: list[float] = []

    async def ended(data: dict[str, Any]) -> None:
        await asyncio.sleep(3)
        ends.append(asyncio.get_running_loop().time())

    async def main() -> None:
        notices = make(lambda *failure: failures.append(failure), on_transcript=hangs, on_metrics=hangs, on_call_end=ended)
        for name in ("on_transcript", "on_metrics", *["on_transcript"] * 6, "on_call_end"):
            notices.tell("x", 0.0, {}, callback=name)
        await notices.drained(25)

    virtual(main())
    assert ends == [pytest.approx(28)], "after the time of the others it has its own"
    assert failures == [
        ("on_transcript", "on_transcript took longer than 10 s."),
        ("on_metrics", "on_metrics took longer than 10 s."),
        ("on_transcript", "6 calls of on_transcript were given up when the call was over: callbacks have 25 s to catch up then."),
    ]


def test_an_end_that_takes_too_long_is_told_and_one_that_is_quick_waits_for_nothing(virtual: Virtual) -> None:
    failures: list[tuple[str, str]] = []

    async def main() -> float:
        notices = make(lambda *failure: failures.append(failure), on_call_end=hangs)
        notices.tell("call_ended", 0.0, {}, callback="on_call_end")
        await notices.drained()
        await notices.drained()
        return asyncio.get_running_loop().time()

    assert virtual(main()) == pytest.approx(10), "it is called once"
    assert failures == [("on_call_end", "on_call_end took longer than 10 s.")]


def test_the_end_is_called_after_the_others_also_when_nobody_waits_any_more(virtual: Virtual) -> None:
    told: list[str] = []
    failures: list[tuple[str, str]] = []

    async def keeps(data: dict[str, Any]) -> None:
        told.append(data["n"])

    async def main() -> None:
        notices = make(lambda *failure: failures.append(failure), on_transcript=hangs, on_call_end=keeps)
        notices.tell("x", 0.0, {"n": "one"}, callback="on_transcript")
        notices.tell("call_ended", 0.0, {"n": "end"}, callback="on_call_end")
        waiting = asyncio.create_task(notices.drained())
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait((waiting,))

    virtual(main())
    assert told == ["end"]
    assert failures == [
        ("on_transcript", "1 call of on_transcript was given up when the call was over: callbacks have 30 s to catch up then.")
    ]


def test_callbacks_go_on_after_their_task_was_cancelled(virtual: Virtual) -> None:
    """As the end of a notebook's loop does to every task, while calls still write down their end."""
    told: list[str] = []

    async def keeps(data: dict[str, Any]) -> None:
        told.append(data["n"])
        if data["n"] == "one":
            await asyncio.Event().wait()

    async def main() -> None:
        notices = make(on_transcript=keeps)
        notices.tell("x", 0.0, {"n": "one"}, callback="on_transcript")
        await asyncio.sleep(1)
        (worker,) = [task for task in asyncio.all_tasks() if task.get_name() == "callbacks"]
        worker.cancel()
        await asyncio.wait((worker,))
        notices.tell("x", 0.0, {"n": "two"}, callback="on_transcript")
        await notices.drained()

    virtual(main())
    assert told == ["one", "two"]


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
