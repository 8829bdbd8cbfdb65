"""What works in one call, and what becomes of it when the call ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.callbacks import Callbacks
from patter_nb.providers.base import CLOSING_SECONDS

Hold = Callable[..., Any]


class Filter:
    """An audio filter that notes what becomes of each of its copies, in a list that all of them share."""

    log: list[str]

    def __init__(self, *, raises: str = "", copies: bool = True) -> None:
        self.log = []
        self.raises, self.copies = raises, copies
        self.frames = 0

    def __deepcopy__(self, memo: Any) -> Filter:
        if not self.copies:
            raise TypeError("there is one of it")
        copied = type(self)(raises=self.raises)
        copied.log = self.log
        return copied

    def process(self, pcm: bytes, sample_rate: int) -> bytes:
        assert sample_rate == 8000
        self.frames += 1
        return pcm

    def close(self) -> Any:
        self.log.append(f"closed after {'some' if self.frames else 'no'} frames")
        if self.raises:
            raise ValueError(self.raises)


class AsyncFilter(Filter):
    async def close(self) -> None:
        super().close()


@pytest.mark.parametrize("kind", [Filter, AsyncFilter])
def test_a_filter_of_one_call_is_closed_at_its_end_once(hold: Hold, kind: type[Filter]) -> None:
    given = kind()
    held = hold(["One?"], audio_filter=given)
    assert given.log == ["closed after some frames"]
    assert given.frames == 0, "the call had a copy of its own"
    hold(["One?"], audio_filter=given)
    assert len(given.log) == 2
    assert held.events("not_closed") == []


@pytest.mark.filterwarnings("ignore:audio_filter")
def test_a_filter_that_other_calls_share_stays_open(hold: Hold) -> None:
    given = Filter(copies=False)
    hold(["One?"], audio_filter=given)
    assert given.frames > 0
    assert given.log == []


@pytest.mark.parametrize("kind", [Filter, AsyncFilter])
def test_one_that_fails_while_it_closes_is_an_event(hold: Hold, kind: type[Filter]) -> None:
    held = hold(["One?"], audio_filter=kind(raises="stuck"))
    assert held.events("not_closed") == [{"error": "audio_filter.close raised ValueError: stuck"}]
    assert held.error is None
    assert held.turn(1).heard_text == "First answer."


class SlowFilter(Filter):
    """One whose end takes for ever, as a driver's may."""

    leave = threading.Event()

    def close(self) -> None:
        self.log.append(threading.current_thread().name)
        self.leave.wait(30)


class SlowAsyncFilter(Filter):
    async def close(self) -> None:
        self.log.append("closing")
        await asyncio.Event().wait()


@pytest.mark.parametrize("kind", [SlowFilter, SlowAsyncFilter])
def test_one_that_does_not_end_is_left_to_itself(hold: Hold, kind: type[Filter]) -> None:
    given = kind()
    held = hold(["One?"], audio_filter=given)
    SlowFilter.leave.set()
    assert held.events("not_closed") == [{"error": f"audio_filter.close took longer than {CLOSING_SECONDS:g} s."}]
    assert given.log == ["user code audio_filter.close" if kind is SlowFilter else "closing"]
    assert (held.error, held.tasks_left) == (None, [])


def test_a_filter_is_closed_too_when_the_call_is_cancelled(hold: Hold) -> None:
    given = Filter()
    hold(["One?"], audio_filter=given, cancel_at=2.0)
    assert given.log == ["closed after some frames"]


def test_a_function_in_the_place_of_a_filter_needs_no_close(hold: Hold) -> None:
    held = hold(["One?"], audio_filter=lambda samples: samples)
    assert held.events("not_closed") == []
    assert held.turn(1).heard_text == "First answer."


def test_what_a_filter_silences_is_not_heard(hold: Hold) -> None:
    held = hold(["One?"], audio_filter=lambda samples: samples * 0, no_reply_seconds=2.0)
    assert [turn.kind for turn in held.turns] == ["greeting"]


def test_on_message_answers_in_the_place_of_the_model(hold: Hold) -> None:
    held = hold(["One?"], llm=None, callbacks=Callbacks(on_message=lambda message: "From here."))
    assert held.turn(1).heard_text == "From here."
