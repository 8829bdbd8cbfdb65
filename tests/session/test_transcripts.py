"""Between the recogniser and everything else: words keep their order, and strategies judge what is said over the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.barge_in import MinWordsStrategy
from patter_nb.callers import Line
from patter_nb.hooks import HookContext, PipelineHooks
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT
from patter_nb.session.hooks import Hooks
from patter_nb.session.transcripts import Transcripts
from patter_nb.session.user_code import UserCode
from patter_nb.turns.events import BargeInConfirmed, Event, FinalReceived, InterimReceived, SpeechStarted

Hold = Callable[..., Any]

STORY = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."
OVER = [Line("One?"), Line("Please stop that now, I have heard it.", interrupt_after_seconds=1.5)]
"""The second line is said over the story."""


class Judge:
    """A strategy that notes what it is asked, and answers what it was told to."""

    def __init__(self, answer: Any = False) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bool]] = []
        self.resets = 0

    def __deepcopy__(self, memo: Any) -> Judge:
        raise TypeError("it has to be looked at")

    async def evaluate(self, *, transcript: str, is_interim: bool, agent_speaking: bool) -> bool:
        assert agent_speaking
        self.asked.append((transcript, is_interim))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer(transcript) if callable(self.answer) else self.answer

    async def reset(self) -> None:
        self.resets += 1


class Door:
    """Transcripts on their own: what they posted, told and failed with."""

    def __init__(self, *strategies: Any, speaking: bool = True, **hooks: Any) -> None:
        self.posted: list[Event] = []
        self.told: list[tuple[str, bool]] = []
        self.failed: list[tuple[str, str]] = []
        self.speaking = speaking
        self.hooks = PipelineHooks(**hooks)
        self.strategies: tuple[Any, ...] = strategies
        context = HookContext("c", "", "")
        self._tasks: list[asyncio.Task[None]] = []
        user_code = UserCode()
        self.transcripts = Transcripts(
            spawn=self._spawn,
            hooks=lambda: Hooks(self.hooks, lambda _: context, user_code, self._fail),
            strategies=lambda: self.strategies,
            speaking=lambda: self.speaking,
            user_code=user_code,
            post=self.posted.append,
            told=lambda text, final: self.told.append((text, final)),
            now=asyncio.get_running_loop().time,
            failed=self._fail,
        )

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        self._tasks.append(asyncio.create_task(work, name=name))
        return self._tasks[-1]

    def _fail(self, stage: str, error: str) -> None:
        self.failed.append((stage, error))

    async def put(self, *events: Any) -> list[Event]:
        for event in events:
            (self.transcripts.speech_started if isinstance(event, SpeechStarted) else self.transcripts.put)(event)
        await self.transcripts.drained()
        return self.posted


pytestmark = pytest.mark.filterwarnings("ignore:barge_in_strategies")


def test_without_hooks_and_strategies_words_pass_at_once(virtual: Hold) -> None:
    async def main() -> Door:
        door = Door()
        door.transcripts.put(InterimReceived("a"))
        door.transcripts.put(FinalReceived("a b", 1.0, 2.0))
        door.transcripts.put(FinalReceived(""))
        return door

    door = virtual(main())
    assert door.posted == [InterimReceived("a"), FinalReceived("a b", 1.0, 2.0), FinalReceived("")]
    assert door.told == [("a", False), ("a b", True)]
    assert door._tasks == []


def test_words_pass_a_hook_in_their_order_with_the_instant_at_which_they_came(virtual: Hold) -> None:
    async def uneven(text: str, ctx: HookContext) -> str:
        await asyncio.sleep(1.0 if text == "one" else 0.0)
        return text.upper()

    async def main() -> Door:
        door = Door(after_transcribe=uneven)
        await door.put(FinalReceived("one", 0.1, 0.2), FinalReceived("two"), FinalReceived(""), FinalReceived("three"))
        return door

    door = virtual(main())
    arrived = door.posted[0].arrived_at
    assert door.posted == [
        FinalReceived("ONE", 0.1, 0.2, arrived), FinalReceived("TWO", arrived_at=arrived), FinalReceived(""),
        FinalReceived("THREE", arrived_at=arrived),
    ]  # fmt: skip
    assert arrived == pytest.approx(0, abs=0.01), "when they came, and not when the hook was done with them"


def test_interim_words_are_kept_back_from_everybody_while_a_hook_might_take_them_out(virtual: Hold) -> None:
    async def main() -> Door:
        door = Door(after_transcribe=lambda text, ctx: text.replace("4711", "[number]"))
        await door.put(InterimReceived("card 4711"), FinalReceived("card 4711"))
        return door

    door = virtual(main())
    assert [event.text for event in door.posted] == ["card [number]"]
    assert door.told == [("card [number]", True)]


def test_what_comes_while_words_are_with_a_hook_waits_for_them_also_when_the_hook_is_gone(virtual: Hold) -> None:
    async def slow(text: str, ctx: HookContext) -> str:
        await asyncio.sleep(1)
        return text

    async def main() -> list[Any]:
        door = Door(after_transcribe=slow)
        door.transcripts.put(FinalReceived("one"))
        await asyncio.sleep(0.5)
        door.hooks = PipelineHooks()
        return [event.text for event in await door.put(FinalReceived("two"))]

    assert virtual(main()) == ["one", "two"]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (ValueError("it broke"), "raised ValueError: it broke"),
        (5, "after_transcribe returned int; it returns a string or None"),
        (asyncio.Event().wait, "took longer than 5 s."),
    ],
)
def test_a_hook_that_fails_lets_the_words_pass_or_keeps_them_and_the_next_ones_come(
    virtual: Hold, returned: Any, error: str, closed: bool
) -> None:
    async def hook(text: str, ctx: HookContext) -> Any:
        if text == "two":
            return "TWO"
        if isinstance(returned, Exception):
            raise returned
        return await asyncio.Event().wait() if callable(returned) else returned

    async def main() -> Door:
        door = Door(after_transcribe=hook, fail_closed=closed)
        await door.put(FinalReceived("one"), FinalReceived("two"))
        return door

    door = virtual(main())
    assert [event.text for event in door.posted] == ["" if closed else "one", "TWO"]
    ((stage, told),) = door.failed
    assert (stage, told.endswith(error)) == ("after_transcribe", True)
    assert door.told == ([] if closed else [("one", True)]) + [("TWO", True)]


def test_a_strategy_sees_all_that_was_said_in_the_present_stretch_of_speech(virtual: Hold) -> None:
    judge = Judge()

    async def main() -> None:
        stretch = (InterimReceived("a"), FinalReceived("a b"), InterimReceived("c"), FinalReceived("c d"))
        await Door(judge).put(SpeechStarted(0.0), *stretch, SpeechStarted(5.0), InterimReceived("x"), FinalReceived("  "))

    virtual(main())
    assert judge.asked == [("a", True), ("a b", False), ("a b c", True), ("a b c d", False), ("x", True)]
    assert judge.resets == 2


def test_a_strategy_is_not_asked_while_the_agent_is_silent(virtual: Hold) -> None:
    judge = Judge(True)

    async def main() -> list[Event]:
        return await Door(judge, speaking=False).put(SpeechStarted(0.0), InterimReceived("a"), FinalReceived("a"))

    assert BargeInConfirmed(None, True) not in virtual(main())
    assert judge.asked == []


def test_one_that_says_yes_is_enough_and_those_after_it_are_not_asked(virtual: Hold) -> None:
    judges = Judge(False), Judge(True), Judge(True)

    async def main() -> list[Event]:
        return await Door(*judges).put(FinalReceived("a"))

    assert virtual(main()) == [BargeInConfirmed(None, True), FinalReceived("a")]
    assert [len(judge.asked) for judge in judges] == [1, 1, 0]


def test_a_strategy_that_raises_says_no_and_the_next_one_is_asked(virtual: Hold) -> None:
    async def main() -> Door:
        door = Door(Judge(ValueError("no idea")), Judge(True))
        await door.put(FinalReceived("a"))
        return door

    door = virtual(main())
    assert door.posted == [BargeInConfirmed(None, True), FinalReceived("a")]
    assert door.failed == [("barge_in_strategies", "Judge.evaluate raised ValueError: no idea")]


class Ambiguous:
    """As an array: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("the truth is ambiguous")


def test_an_answer_that_is_neither_true_nor_false_says_no_and_the_next_one_is_asked(virtual: Hold) -> None:
    async def main() -> Door:
        door = Door(Judge(Ambiguous()), Judge(1))
        await door.put(FinalReceived("a"))
        return door

    door = virtual(main())
    assert door.posted == [BargeInConfirmed(None, True), FinalReceived("a")]
    assert door.failed == [("barge_in_strategies", "Judge.evaluate raised ValueError: the truth is ambiguous")]


class Uncopied(Judge):
    """A strategy that fails where it is to be copied, and has no way to begin anew."""

    def __deepcopy__(self, memo: Any) -> Judge:
        raise BufferError("no memory")

    @property
    def reset(self) -> Any:  # type: ignore[override]
        raise OSError("no reset")


def test_a_strategy_that_can_neither_be_copied_nor_begin_anew_is_asked_as_it_is(virtual: Hold) -> None:
    async def main() -> Door:
        door = Door(Uncopied(True))
        await door.put(SpeechStarted(0.0), FinalReceived("a"))
        return door

    door = virtual(main())
    assert door.posted == [BargeInConfirmed(None, True), FinalReceived("a")]
    assert door.failed == [("barge_in_strategies", "Uncopied.reset raised OSError: no reset")]


def test_words_that_are_none_are_told_and_the_next_ones_pass(virtual: Hold) -> None:
    async def main() -> Door:
        door = Door(Judge())
        await door.put(FinalReceived(None), FinalReceived("a"))  # type: ignore[arg-type]
        return door

    door = virtual(main())
    assert [event.text for event in door.posted if isinstance(event, FinalReceived)] == ["a"]
    assert [stage for stage, _ in door.failed] == ["transcripts"]


class Counting:
    """A strategy with a memory: says yes when it is asked for the second time in its life."""

    def __init__(self) -> None:
        self.times = 0

    async def evaluate(self, *, transcript: str, is_interim: bool, agent_speaking: bool) -> bool:
        self.times += 1
        return self.times == 2

    async def reset(self) -> None:
        """It never forgets."""


def test_each_call_has_copies_of_its_own_which_it_keeps(virtual: Hold) -> None:
    given = Counting()

    async def main() -> list[int]:
        doors = Door(given), Door(given)
        for door in doors * 2:
            door.posted.clear()
            await door.put(FinalReceived("a"))
        return [door.posted.count(BargeInConfirmed(None, True)) for door in doors]

    assert virtual(main()) == [1, 1], "either heard of two finals"
    assert given.times == 0


def test_an_edit_that_brings_another_strategy_keeps_what_the_others_know(virtual: Hold) -> None:
    async def main() -> int:
        kept = Counting()
        door = Door(kept)
        await door.put(FinalReceived("a"))
        door.strategies = (MinWordsStrategy(min_words=9), kept)
        return (await door.put(FinalReceived("b"))).count(BargeInConfirmed(None, True))

    assert virtual(main()) == 1


# Whole calls.


@pytest.mark.parametrize(("least", "stops"), [(3, True), (20, False)])
def test_the_agent_stops_for_as_many_words_as_it_was_told_and_goes_on_for_fewer(hold: Hold, least: int, stops: bool) -> None:
    stt = ScriptedSTT(["one", "please stop that now I have heard it", "more"], interims=True)
    held = hold(
        OVER, stt=stt, llm=ScriptedLLM([STORY, "Fine.", "Fine."]), barge_in_strategies=[MinWordsStrategy(min_words=least)]
    )
    assert held.turn(1).interrupted is stops
    assert (held.turn(1).heard_text == STORY) is not stops
    assert held.session.end_reason == "caller hung up"


def test_interim_words_interrupt_sooner_than_final_ones(hold: Hold) -> None:
    def heard(use_interim: bool) -> int:
        stt = ScriptedSTT(["one", "please stop that now I have heard it"], interims=True)
        strategy = MinWordsStrategy(min_words=3, use_interim=use_interim)
        held = hold(OVER, stt=stt, llm=ScriptedLLM([STORY, "Fine."]), barge_in_strategies=[strategy], barge_in_confirm_ms=10_000)
        assert held.turn(1).interrupted
        return len(held.turn(1).heard_text)

    assert heard(True) < heard(False) < len(STORY)


def test_a_strategy_that_raises_in_a_call_is_told_and_the_call_goes_on(hold: Hold) -> None:
    held = hold(OVER, llm=ScriptedLLM([STORY, "Fine."]), barge_in_strategies=[Judge(ValueError("no idea"))])
    failures = held.events("stage_failed")
    assert failures
    assert {(each["stage"], each["error"]) for each in failures} == {
        ("barge_in_strategies", "Judge.evaluate raised ValueError: no idea")
    }
    assert held.session.end_reason == "caller hung up"
    assert held.tasks_left == []
