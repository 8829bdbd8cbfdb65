"""`before_send_to_stt` on the way to the recogniser, which hears of everything in order."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.audio.formats import MULAW_8K, AudioFormat
from patter_nb.hooks import HookContext, PipelineHooks
from patter_nb.session.caller_audio import HookedRecogniser
from patter_nb.session.hooks import Hooks
from patter_nb.session.user_code import UserCode

Virtual = Callable[..., Any]


class Recogniser:
    """Notes what reaches it, and when."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def push(self, audio: bytes, at: float) -> None:
        self.heard.append((audio, at))

    def speech_started(self, at: float) -> None:
        self.heard.append(("speech", at))

    def finalize(self) -> None:
        self.heard.append("finalize")


class Way:
    def __init__(self, hook: Any = None, *, closed: bool = False) -> None:
        self.recogniser = Recogniser()
        self.failed: list[tuple[str, str]] = []
        self.hooks = PipelineHooks(before_send_to_stt=hook, fail_closed=closed)
        self.spawned: list[asyncio.Task[None]] = []
        self.front = HookedRecogniser(self.recogniser, MULAW_8K, self._hooks, self._spawn)

    def _hooks(self, told: set[tuple[str, str]]) -> Hooks:
        def context(audio: AudioFormat | None) -> HookContext:
            return HookContext("c", "", "", (), audio)

        return Hooks(self.hooks, context, UserCode(), lambda *failure: self.failed.append(failure), told)

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        self.spawned.append(asyncio.create_task(work, name=name))
        return self.spawned[-1]

    def utter(self) -> None:
        self.front.push(b"a", 0.1)
        self.front.speech_started(0.05)
        self.front.push(b"b", 0.2)
        self.front.finalize()


ORDER = [(b"a", 0.1), ("speech", 0.05), (b"b", 0.2), "finalize"]


def test_without_a_hook_everything_passes_at_once(virtual: Virtual) -> None:
    async def main() -> Way:
        way = Way()
        way.utter()
        return way

    way = virtual(main())
    assert (way.recogniser.heard, way.spawned) == (ORDER, [])


@pytest.mark.parametrize("seconds", [(0.0, 0.0), (1.0, 0.0), (0.3, 2.0)])
def test_with_a_hook_the_order_stays_whatever_it_takes_and_the_line_never_waits(
    virtual: Virtual, seconds: tuple[float, float]
) -> None:
    waits = dict(zip((b"a", b"b"), seconds, strict=True))

    async def slow(audio: bytes, ctx: HookContext) -> bytes:
        assert ctx.audio == MULAW_8K
        await asyncio.sleep(waits[audio])
        return audio

    async def main() -> Way:
        way = Way(slow)
        way.utter()
        assert way.recogniser.heard == []
        await asyncio.sleep(5)
        way.front.finalize()  # with nothing on its way it passes at once
        return way

    way = virtual(main())
    assert way.recogniser.heard == [*ORDER, "finalize"]
    assert len(way.spawned) == 1


@pytest.mark.parametrize(
    ("returned", "passes"), [(b"xyz", [(b"xyz", 0.1)]), (bytearray(b"z"), [(b"z", 0.1)]), (None, []), (b"", [])]
)
def test_what_a_hook_returns_is_what_is_heard(virtual: Virtual, returned: Any, passes: list[Any]) -> None:
    async def main() -> Way:
        way = Way(lambda audio, ctx: returned)
        way.front.push(b"a", 0.1)
        await asyncio.sleep(1)
        return way

    way = virtual(main())
    assert (way.recogniser.heard, way.failed) == (passes, [])


@pytest.mark.parametrize("closed", [False, True])
def test_one_that_raises_lets_the_audio_pass_or_keeps_it(virtual: Virtual, closed: bool) -> None:
    def broken(audio: bytes, ctx: HookContext) -> bytes:
        raise ValueError("no audio")

    async def main() -> Way:
        way = Way(broken, closed=closed)
        way.utter()
        await asyncio.sleep(1)
        return way

    way = virtual(main())
    assert way.recogniser.heard == ([("speech", 0.05), "finalize"] if closed else ORDER)
    assert way.failed == [("before_send_to_stt", "before_send_to_stt raised ValueError: no audio")] * 2, "one for each stretch"


@pytest.mark.parametrize(("said", "told"), [(["no audio"], 1), (["odd", "even"], 2), ([f"frame {n}" for n in range(50)], 5)])
def test_what_goes_wrong_is_told_once_for_each_stretch_of_speech_and_never_for_each_frame(
    virtual: Virtual, said: list[str], told: int
) -> None:
    frames = itertools.count()

    def broken(audio: bytes, ctx: HookContext) -> bytes:
        raise ValueError(said[next(frames) % len(said)])

    async def main() -> list[int]:
        way, counts = Way(broken), list[int]()
        for _ in range(2):
            way.front.speech_started(0.0)
            for _ in range(50):
                way.front.push(b"a", 0.1)
            await asyncio.sleep(1)
            counts.append(len(way.failed))
        return counts

    assert virtual(main()) == [told, 2 * told]


def test_audio_that_is_none_is_told_and_what_came_in_is_heard(virtual: Virtual) -> None:
    async def main() -> Way:
        way = Way(lambda audio, ctx: "text")
        way.front.push(b"a", 0.1)
        await asyncio.sleep(1)
        return way

    way = virtual(main())
    assert way.recogniser.heard == [(b"a", 0.1)]
    assert way.failed == [("before_send_to_stt", "before_send_to_stt returned str; it returns bytes or None")]


def test_what_comes_after_an_edit_took_the_hook_away_waits_for_what_came_before(virtual: Virtual) -> None:
    async def slow(audio: bytes, ctx: HookContext) -> bytes:
        await asyncio.sleep(1)
        return audio.upper()

    async def main() -> list[Any]:
        way = Way(slow)
        way.front.push(b"a", 0.1)
        await asyncio.sleep(0.5)
        way.hooks = PipelineHooks()
        way.front.push(b"b", 0.2)
        await asyncio.sleep(2)
        return way.recogniser.heard

    assert virtual(main()) == [(b"A", 0.1), (b"b", 0.2)]
