"""The model and the voice of a call: opened once, when first wanted, closed with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from patter_nb.audio.formats import MULAW_8K, PCM_24K
from patter_nb.errors import PatterError
from patter_nb.providers.base import CLOSING_SECONDS, CallContext
from patter_nb.session.patience import OPENING_SECONDS
from patter_nb.session.streams import Streams
from patter_nb.turns.usage import Usage

Virtual = Callable[..., Any]


class Provider:
    """A provider that notes what becomes of it; `opens` and `closes` happen while it opens and closes."""

    provider = "mine"
    formats = (PCM_24K, MULAW_8K)

    def __init__(self, opens: Any = None, closes: Any = None) -> None:
        self.opens, self.closes = opens, closes
        self.log: list[str] = []
        self.tasks: list[Any] = []
        self.given: tuple[Any, ...] = ()

    @asynccontextmanager
    async def open(self, *given: Any) -> AsyncIterator[Any]:
        self.given = given
        self.tasks.append(asyncio.current_task())
        self.log.append("opens")
        await happen(self.opens)
        self.log.append("open")
        try:
            yield self
        finally:
            self.tasks.append(asyncio.current_task())
            await happen(self.closes)
            self.log.append("closed")


async def happen(what: Any) -> None:
    if isinstance(what, Exception):
        raise what
    if what is not None:
        await asyncio.sleep(what)


def make() -> tuple[Streams, list[str]]:
    failed: list[str] = []
    return Streams(CallContext("call_1"), MULAW_8K, failed.append), failed


def test_a_provider_is_opened_once_for_all_who_want_it_at_once_and_later(virtual: Virtual) -> None:
    provider = Provider(opens=1.0)

    async def main() -> None:
        streams, failed = make()
        found = await asyncio.gather(*(streams.llm(provider) for _ in range(3)))
        assert [*found, await streams.llm(provider)] == [provider] * 4
        assert provider.log == ["opens", "open"]
        await streams.close()
        assert failed == []

    virtual(main())
    assert provider.log == ["opens", "open", "closed"]
    assert provider.tasks[0] is provider.tasks[1], "what it is made of may have to be closed where it was opened"


def test_a_voice_speaks_in_the_lines_format_where_it_can(virtual: Virtual) -> None:
    async def main() -> Any:
        streams, _ = make()
        found = await streams.tts(Provider())
        await streams.close()
        return found[0].given[1], found[1]

    assert virtual(main()) == (MULAW_8K, MULAW_8K)


@pytest.mark.parametrize(
    ("opens", "error"),
    [
        (ValueError("no key"), "mine raised ValueError: no key"),
        (PatterError("There is no key."), "There is no key."),
        (1000.0, f"mine was not open within {OPENING_SECONDS:g} s."),
    ],
)
def test_one_that_cannot_be_opened_is_one_sentence_and_may_be_tried_again(virtual: Virtual, opens: Any, error: str) -> None:
    async def main() -> None:
        streams, failed = make()
        provider = Provider(opens=opens)
        with pytest.raises(PatterError) as refused:
            await streams.llm(provider)
        assert str(refused.value) == error
        provider.opens = None
        assert await streams.llm(provider) is provider
        await streams.close()
        assert failed == []
        assert provider.log[-2:] == ["open", "closed"]

    virtual(main())


def test_who_gives_up_waiting_does_not_take_it_from_the_others(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        provider = Provider(opens=2.0)
        impatient, patient = (asyncio.create_task(streams.llm(provider)) for _ in range(2))
        await asyncio.sleep(1)
        impatient.cancel()
        assert await patient is provider
        await streams.close()

    virtual(main())


def test_closing_does_not_wait_for_what_is_still_being_opened(virtual: Virtual) -> None:
    async def main() -> float:
        streams, failed = make()
        wanted = asyncio.create_task(streams.llm(Provider(opens=20.0)))
        await asyncio.sleep(1)
        await streams.close()
        with pytest.raises(asyncio.CancelledError):
            await wanted
        assert failed == []
        return asyncio.get_running_loop().time()

    assert virtual(main()) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("closes", "error", "seconds"),
    [
        (ValueError("stuck"), "mine raised ValueError: stuck", 0.0),
        (60.0, f"The model or the voice was not closed within {CLOSING_SECONDS:g} s.", CLOSING_SECONDS),
    ],
)
def test_one_that_does_not_close_is_told_and_holds_nobody_up(virtual: Virtual, closes: Any, error: str, seconds: float) -> None:
    async def main() -> float:
        streams, failed = make()
        other = Provider()
        await streams.llm(Provider(closes=closes))
        await streams.llm(other)
        await streams.close()
        assert failed == [error]
        assert other.log[-1] == "closed"
        assert len(asyncio.all_tasks()) == 1
        return asyncio.get_running_loop().time()

    assert virtual(main()) == pytest.approx(seconds, abs=0.1)


def test_a_recogniser_is_opened_each_time_it_is_wanted_and_closed_by_whoever_took_it(virtual: Virtual) -> None:
    provider = Provider()

    async def main() -> None:
        streams, _ = make()
        for _ in range(2):
            async with streams.stt(provider) as stream:
                assert stream is provider
        assert provider.given[1] == MULAW_8K
        assert len(asyncio.all_tasks()) == 1

    virtual(main())
    assert provider.log == ["opens", "open", "closed"] * 2


def test_what_is_opened_ahead_is_what_the_call_gets(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        provider = Provider(opens=1.0)
        streams.ahead("llm", provider)
        await asyncio.sleep(0.5)
        assert await streams.llm(provider) is provider
        assert provider.log == ["opens", "open"]
        assert asyncio.get_running_loop().time() == pytest.approx(1.0, abs=0.01)
        await streams.close()

    virtual(main())


class Ear(Provider):
    """A recogniser that says what it used when it is closed, and ends by itself before that if it is told to."""

    def __init__(self, *, ended: bool = False) -> None:
        super().__init__()
        self.ended = ended
        self.events: asyncio.Queue[Usage | None] = asyncio.Queue()

    @asynccontextmanager
    async def open(self, *given: Any) -> AsyncIterator[Any]:
        async with super().open(*given):
            if self.ended:
                self.events.put_nowait(None)
            yield self
        for event in (Usage("stt", "mine", "m", audio_seconds=1.0), None):
            self.events.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (event := await self.events.get()) is not None:
            yield event


def test_a_recogniser_that_waits_is_taken_once_and_what_it_reports_is_its_takers(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        ear = Ear()
        waiting = await streams.ahead("stt", ear).stream
        async with streams.stt(ear) as stream:
            assert stream is waiting
        assert ear.log == ["opens", "open", "closed"]
        assert [event.audio_seconds async for event in stream] == [1.0]
        async with streams.stt(ear) as stream:
            assert stream is ear
        await streams.close()
        assert streams.take_unused() == []
        assert len(asyncio.all_tasks()) == 1

    virtual(main())


def test_a_recogniser_that_nobody_took_leaves_what_it_used_in_vain(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        await streams.ahead("stt", Ear()).stream
        await streams.close()
        assert [usage.audio_seconds for usage in streams.take_unused()] == [1.0]
        assert streams.take_unused() == []

    virtual(main())


def test_a_recogniser_that_ended_while_it_waited_is_not_given_to_the_call(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        ear = Ear(ended=True)
        await streams.ahead("stt", ear).stream
        await asyncio.sleep(0)
        async with streams.stt(ear) as stream:
            assert stream is ear
            await asyncio.sleep(0)
            assert ear.log.count("closed") == 1, "it is not kept until the end of the call"
        await streams.close()

    virtual(main())


def test_what_fails_ahead_is_tried_once_more_when_it_is_wanted(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        provider = Provider(opens=ValueError("no key"))
        streams.ahead("llm", provider)
        with pytest.raises(PatterError, match="no key"):
            await streams.llm(provider)
        assert provider.log == ["opens", "opens"]
        await streams.close()

    virtual(main())


def test_what_is_dropped_is_closed_and_opened_anew_when_it_is_wanted(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        dropped, kept, other = Provider(), Provider(), Provider()
        for each in (dropped, kept, other):
            await streams.ahead("llm", each).stream
        streams.drop(dropped)
        streams.keep([kept, dropped])
        await asyncio.sleep(0)
        assert [each.log[-1] for each in (dropped, kept, other)] == ["closed", "open", "closed"]
        await streams.llm(dropped)
        assert dropped.log == ["opens", "open", "closed", "opens", "open"]
        await streams.close()

    virtual(main())


def test_nothing_is_opened_when_the_call_is_over(virtual: Virtual) -> None:
    async def main() -> None:
        streams, _ = make()
        provider = Provider()
        await streams.close()
        with pytest.raises(PatterError, match="mine is not opened: the call is over"):
            await streams.llm(provider)
        assert provider.log == []

    virtual(main())
