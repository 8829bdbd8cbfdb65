"""Replies made by a language model: its failures, its tools, and the stages its text passes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from patter_nb.callers import Line
from patter_nb.hooks import PipelineHooks
from patter_nb.providers.base import TextDelta, ToolSpec
from patter_nb.providers.scripted import ScriptedLLM, ScriptedTTS
from patter_nb.tools import tool
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Usage

Hold = Callable[..., Any]

FALLBACK = "I'm sorry, I had a problem just now. Could you say that again?"
GOODBYE = "I'm sorry, I have to end the call here. Goodbye."


# Tokens and sentences.


def test_a_sentence_goes_to_the_voice_while_the_model_still_talks(hold: Hold) -> None:
    held = hold(["One?"], llm=ScriptedLLM(["It is six. " + "And then some more words follow. " * 4], token_seconds=0.1))
    at = held.turn(1).instants
    assert at["sentence_ready_at"] < at["tts_first_byte_at"] < at["played_at"] < at["llm_finished_at"]


def test_the_first_clause_may_go_before_its_sentence_is_complete(hold: Hold) -> None:
    answer = "Well I am really quite sure about that already, dinner is served from six to ten on every evening of the week."
    slow, fast = (
        hold(["One?"], llm=ScriptedLLM([answer], token_seconds=0.05), aggressive_first_flush=flush).turn(1)
        for flush in (False, True)
    )
    assert fast.heard_text == slow.heard_text == answer
    assert fast.instants["sentence_ready_at"] < slow.instants["sentence_ready_at"] - 0.3


# A model that fails.


FAILURES = [
    # ScriptedLLM's settings, what the row of the first turn says, the text that is heard in it
    ({"fails_at": 0}, "scripted failed at request 0, as it was told to.", FALLBACK),
    ({"fails_at": 0, "fails_after_tokens": 2}, "scripted failed at request 0, as it was told to.", FALLBACK),
    ({"fails_at": 0, "fails_after_tokens": 6}, "scripted failed at request 0, as it was told to.", FALLBACK),
    ({"never_answers_at": 0}, "the model did not answer within 15 s", FALLBACK),
    ({"never_answers_at": 0, "llm_error_message": "One moment."}, "the model did not answer within 15 s", "One moment."),
    ({"never_answers_at": 0, "llm_error_message": ""}, "the model did not answer within 15 s", ""),
]


@pytest.mark.parametrize(("settings", "error", "heard"), FAILURES)
def test_a_model_that_fails_unheard_is_replaced_by_the_fallback_line_and_the_call_goes_on(
    hold: Hold, settings: dict[str, Any], error: str, heard: str
) -> None:
    message = {name: settings.pop(name) for name in ("llm_error_message",) if name in settings}
    model = ScriptedLLM(["It is at six. " * 2, "Second answer."], **settings)
    held = hold(["One?", "Two?"], llm=model, no_reply_seconds=30, **message)
    first, second = held.turn(1), held.turn(2)
    assert (first.error, first.heard_text) == (error, heard)
    assert (second.error, second.heard_text) == (None, "Second answer.")
    assert [event["stage"] for event in held.events("reply_failed")] == ["llm"]
    assert held.session.end_reason == "caller hung up"
    settings.update(message)


def test_a_model_that_fails_while_it_is_heard_plays_out_what_there_is(hold: Hold) -> None:
    slow = ScriptedLLM(["It is at six. And more would have followed here.", "Second answer."], fails_at=0, fails_after_tokens=7,
                       token_seconds=0.4)  # fmt: skip
    held = hold(["One?", "Two?"], llm=slow)
    first = held.turn(1)
    assert first.error == "scripted failed at request 0, as it was told to."
    assert first.heard_text == "It is at six."
    assert held.turn(2).heard_text == "Second answer."


def test_a_model_that_falls_silent_in_the_middle_of_its_answer_is_given_up(hold: Hold) -> None:
    class Stalls(ScriptedLLM):
        @asynccontextmanager
        async def open(self, call: Any) -> AsyncIterator[Any]:
            async with super().open(call) as inner:
                yield StalledStream(inner)

    class StalledStream:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def reply(self, messages: Any, tools: Any) -> AsyncIterator[Any]:
            async for event in self.inner.reply(messages, tools):
                yield event
                if len(messages) < 4 and getattr(event, "text", "").startswith("six."):
                    await asyncio.Event().wait()

    held = hold([Line("One?"), Line("Two?", wait_seconds=30)], llm=Stalls(["It is at six. And more.", "Second answer."]))
    first = held.turn(1)
    assert first.error == "scripted brought no token within 20 s."
    assert first.heard_text == "It is at six."
    assert len(held.turns) == 3
    assert held.turn(2).caller_text == "two"


def test_a_model_that_always_fails_ends_the_call_politely(hold: Hold) -> None:
    held = hold(["One?", "Two?", "Three?", "Four?"], llm=ScriptedLLM([]))
    assert [turn.heard_text for turn in held.turns][-4:] == [FALLBACK, FALLBACK, "", GOODBYE]
    assert held.session.end_reason == "3 failures in a row"
    assert held.report.ended_by == "agent"


def test_an_empty_answer_is_a_failure_that_is_told(hold: Hold) -> None:
    held = hold(["One?", "Two?"], llm=ScriptedLLM(["", "Second answer."]))
    assert held.turn(1).error == "the reply was empty"
    assert held.turn(2).heard_text == "Second answer."


# Models out of a notebook cell.


class Written:
    """A model as a user writes it: `answer` makes the iterator of one reply."""

    provider, model, virtual_time, price = "mine", "m", True, None

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self._answer = answer
        self._asked = 0

    def ready(self) -> None: ...

    @asynccontextmanager
    async def open(self, call: Any) -> AsyncIterator[Any]:
        yield self

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Any:
        self._asked += 1
        return self._answer(self._asked)


async def _raises() -> AsyncIterator[Any]:
    yield TextDelta(f"{1 / 0}")


async def _exits() -> AsyncIterator[Any]:
    yield TextDelta("It ")
    raise SystemExit(1)


async def _waits_for_another() -> AsyncIterator[Any]:
    other = asyncio.ensure_future(asyncio.sleep(5))
    other.cancel()
    await other
    yield TextDelta("never")


class Panic(BaseException):
    """As extensions written in Rust have it."""


async def _panics() -> AsyncIterator[Any]:
    yield TextDelta("It ")
    raise Panic("index out of range")


async def _asks_for(identity: Any) -> AsyncIterator[Any]:
    yield ToolRequest(identity, "weather", "{}")


async def _says(*events: Any) -> AsyncIterator[Any]:
    for event in events:
        await asyncio.sleep(0.01)
        yield event


def _raises_when_called(_: int) -> Any:
    raise ZeroDivisionError("division by zero")


class Plain:
    """An iterator with the two methods that an iterator must have, and no `aclose`."""

    def __init__(self, *texts: str) -> None:
        self._texts = iter(texts)

    def __aiter__(self) -> Plain:
        return self

    async def __anext__(self) -> TextDelta:
        for text in self._texts:
            return TextDelta(text)
        raise StopAsyncIteration


class Nameless(Written):
    """A model that does not always know its name."""

    forgot = False

    @property
    def provider(self) -> str:  # type: ignore[override]
        if self.forgot:
            raise LookupError("no name")
        return "mine"


def test_a_model_that_forgot_its_name_fails_as_any_other_and_the_fallback_line_is_heard(hold: Hold) -> None:
    model = Nameless(lambda _: _says(TextDelta("First answer.")))

    async def forget(tap: Any, session: Any) -> None:
        await tap.at(2.0)
        model.forgot = True

    held = hold(["One?"], llm=model, meanwhile=forget)
    assert (held.turn(1).error, held.turn(1).heard_text) == ("the reply raised LookupError: no name", FALLBACK)
    assert (held.error, held.session.end_reason) == (None, "caller hung up")


class NamelessTTS(ScriptedTTS):
    """A voice that does not always know its name."""

    forgot = False

    def __getattribute__(self, name: str) -> Any:
        if name == "provider" and self.forgot:
            raise LookupError("no name")
        return super().__getattribute__(name)


def test_a_reply_that_cannot_even_be_begun_has_failed_and_the_call_ends_politely(hold: Hold) -> None:
    voice = NamelessTTS()

    async def forget(tap: Any, session: Any) -> None:
        await tap.at(2.0)
        voice.forgot = True

    held = hold(["One?", "Two?", "Three?"], tts=voice, meanwhile=forget, no_reply_seconds=2.0)
    assert held.turn(1).error == "the reply raised LookupError: no name"
    assert (held.error, held.session.end_reason) == (None, "3 failures in a row")


USAGE = Usage("llm", "mine", "m", input_tokens=3, output_tokens=5)
WRITTEN = [
    (lambda _: _raises(), "mine raised ZeroDivisionError: division by zero", FALLBACK),
    (lambda _: _waits_for_another(), "mine was cancelled.", FALLBACK),
    (lambda _: _panics(), "mine raised Panic: index out of range", FALLBACK),
    (lambda _: _exits(), "mine raised SystemExit: 1", FALLBACK),
    (lambda _: _asks_for(None), "mine raised TypeError: id of a ToolRequest is NoneType; it must be a string.", FALLBACK),
    (_raises_when_called, "mine raised ZeroDivisionError: division by zero", FALLBACK),
    (lambda _: Plain("It is ", "at six."), None, "It is at six."),
    (lambda _: _says(TextDelta("It is at six."), USAGE, USAGE), None, "It is at six."),
    (lambda _: _says("It is."), "mine raised TypeError: it brought str, which is no event of patter_nb.providers.base", FALLBACK),
    (lambda _: ["no iterator"], "mine raised TypeError: 'list' object is not an async iterable", FALLBACK),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "error", "heard"), WRITTEN)
def test_whatever_a_model_out_of_a_cell_does_its_row_tells_and_the_call_goes_on(
    hold: Hold, answer: Any, error: str | None, heard: str
) -> None:
    held = hold(["One?"], llm=Written(answer))
    assert (held.turn(1).error, held.turn(1).heard_text) == (error, heard)
    assert (held.error, held.session.end_reason, held.tasks_left) == (None, "caller hung up", [])


def test_usage_is_counted_as_often_as_it_is_reported(hold: Hold) -> None:
    held = hold(["One?"], llm=Written(lambda _: _says(TextDelta("It is at six."), USAGE, USAGE)))
    assert [usage.output_tokens for usage in held.turn(1).usage if usage.service == "llm"] == [5, 5]


def test_tokens_that_come_after_a_cancel_are_dropped_though_the_model_does_not_stop(hold: Hold) -> None:
    async def stubborn() -> AsyncIterator[Any]:
        for number in range(60):
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue  # as a class that swallows what it should pass on
            yield TextDelta(f"Sentence number {number}. ")

    lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)]
    seen: list[float] = []
    hooks = PipelineHooks(after_llm={"on_chunk": lambda chunk: seen.append(asyncio.get_running_loop().time())})
    held = hold(lines, llm=Written(lambda asked: stubborn() if asked == 1 else _says(TextDelta("Fine."))), hooks=hooks)
    cut, resumed = held.turn(1).instants["cleared_at"], held.turn(2).instants["send_started_at"]
    assert [at for at in held.tap.of("media") if cut < at < resumed] == []
    assert sum(at > held.tap.zero + cut for at in seen) == 1, "the next answer, and nothing of the one that was cut off"
    assert held.turn(2).heard_text == "Fine."
    assert held.tasks_left == []
    # Nor is the voice asked for them.
    asked = [usage.characters for turn in held.turns for usage in turn.usage if usage.service == "tts"]
    assert sum(asked) + len(asked) - 1 < len("Hello there, good evening! Fine.") + 30 * len("Sentence number 10. ")
    assert held.events("late_usage") == []


# Tools.


def weather(city: str) -> str:
    return f"Sunny in {city}."


def broken() -> str:
    raise ValueError("no such table")


async def slow() -> str:
    await asyncio.sleep(3600)
    return "never"


async def cancelled() -> str:
    raise asyncio.CancelledError


def circular() -> Any:
    knot: list[Any] = []
    knot.append(knot)
    return knot


HANDLERS = (weather, broken, slow, cancelled, circular)
TOOLS = [tool(handler) for handler in HANDLERS]
THERE_ARE = "transfer_call, end_call, weather, broken, slow, cancelled, circular"
TOOL_CASES = [
    ("weather", '{"city": "Rome"}', "Sunny in Rome.", None),
    ("nothing", "{}", None, f"There is no tool named 'nothing'; the tools are: {THERE_ARE}."),
    ("broken", "{}", None, "broken raised ValueError: no such table"),
    ("slow", "{}", None, "slow took longer than 10 s."),
    ("cancelled", "{}", None, "cancelled was cancelled."),
    ("circular", "{}", None, "What circular returned cannot be told to the model: as_text raised ValueError: Circular"),
    ("weather", "[" * 2_000, None, "The arguments of weather are not JSON"),
]


@pytest.mark.parametrize(("name", "arguments", "result", "error"), TOOL_CASES)
def test_a_tool_is_run_and_the_model_goes_on_with_what_came_of_it(
    hold: Hold, name: str, arguments: str, result: str | None, error: str | None
) -> None:
    asked: list[list[Message]] = []

    def answer(messages: Sequence[Message]) -> Any:
        asked.append(list(messages))
        return [TextDelta("Let me look. "), ToolRequest("t1", name, arguments)] if len(asked) == 1 else "There it is."

    held = hold(["One?", Line("Two?", wait_seconds=15)], llm=ScriptedLLM(answer), tools=TOOLS)
    turn = held.turn(1)
    (run,) = turn.tools
    assert (run.name, run.result) == (name, result)
    assert (run.error or "").startswith(error or "")
    assert (run.error is None) == (error is None)
    assert turn.heard_text == "Let me look. There it is."
    assert turn.error is None
    request, told = asked[1][-2:]
    assert (request.content, request.tool_requests) == ("Let me look.", (ToolRequest("t1", name, arguments),))
    assert (told.role, told.tool_id, told.content) == ("tool", "t1", result or run.error)
    assert held.tasks_left == []


def test_a_tool_that_is_still_running_does_not_hold_up_the_end_of_the_call(hold: Hold) -> None:
    async def hang_up(tap: Any, session: Any) -> None:
        await tap.at(6.0)
        session.stop("enough")

    held = hold(["One?"], llm=ScriptedLLM([[ToolRequest("t1", "slow", "{}")]]), tools=TOOLS, meanwhile=hang_up)
    assert held.session.duration_seconds == pytest.approx(6.0, abs=0.05)
    (run,) = held.turn(1).tools
    assert run.error == "cancelled before it returned"
    assert held.tasks_left == []


def test_a_result_is_told_as_json_unless_it_is_text(hold: Hold) -> None:
    table = [tool(name="rooms", handler=lambda: {"free": [1, 2], "näme": "é"})]
    replies = [[ToolRequest("t1", "rooms", "{}")], "Two."]
    (run,) = hold(["One?"], llm=ScriptedLLM(replies), tools=table).turn(1).tools
    assert run.result is not None
    assert json.loads(run.result) == {"free": [1, 2], "näme": "é"}
    assert "é" in run.result


SAME_IDS: list[tuple[list[Any], list[str]]] = [
    # What the model's answers ask for under which ids, and the ids that the tools of the call have
    ([["", "", "a"], ["", "a", "a"]], ["call_1", "call_2", "a", "call_3", "a_2", "a_3"]),
    ([["a", "b"]], ["a", "b"]),
]


@pytest.mark.parametrize(("given", "ids"), SAME_IDS)
def test_each_tool_call_has_an_id_of_its_own_whatever_the_model_gives(hold: Hold, given: list[list[str]], ids: list[str]) -> None:
    cities = iter("ABCDEF")
    asked = [[ToolRequest(each, "weather", json.dumps({"city": next(cities)})) for each in answer] for answer in given]
    messages: list[Any] = []
    answers: list[Any] = [*asked, "There it is."]

    def answer(told: Sequence[Message]) -> Any:
        messages[:] = told
        return answers.pop(0)

    turn = hold(["One?"], llm=ScriptedLLM(answer), tools=TOOLS).turn(1)
    assert [run.id for run in turn.tools] == ids
    assert [run.result for run in turn.tools] == [f"Sunny in {city}." for city in "ABCDEF"[: len(ids)]]
    results = [(each.tool_id, each.content) for each in messages if each.role == "tool"]
    assert results == [(each, f"Sunny in {city}.") for each, city in zip(ids, "ABCDEF", strict=False)]


def test_ids_differ_between_the_replies_of_a_call_too(hold: Hold) -> None:
    asked = [ToolRequest("a", "weather", '{"city": "Rome"}')]
    held = hold(["One?", "Two?"], llm=ScriptedLLM([asked, "There.", asked, "There."]), tools=TOOLS)
    assert [run.id for number in (1, 2) for run in held.turn(number).tools] == ["a", "a_2"]


# Stages on the caller's audio.


def _broken_stage(samples: Any) -> Any:
    raise IndexError("too few taps")


AUDIO_STAGES = [
    (lambda samples: samples // 2, []),
    (_broken_stage, [{"error": "_broken_stage raised IndexError: too few taps"}]),
    (lambda samples: samples / 2, [{"error": "<lambda> returned float64 of shape (160,); "
                                             "an audio stage returns int16 of the shape it was given."}]),
    (lambda samples: samples[:10], [{"error": "<lambda> returned int16 of shape (10,); "
                                              "an audio stage returns int16 of the shape it was given."}]),
    (lambda _: None, [{"error": "<lambda> returned NoneType; an audio stage returns int16 of the shape it was given."}]),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "told"), AUDIO_STAGES)
def test_audio_passes_its_stages_and_one_that_fails_is_left_out(hold: Hold, stage: Any, told: list[dict[str, str]]) -> None:
    plain, staged = hold(["One?", "Two?"]), hold(["One?", "Two?"], audio_in=[stage])
    assert [turn.caller_text for turn in staged.turns] == [turn.caller_text for turn in plain.turns]
    assert staged.events("audio_stage_failed") == told
    loudest = [abs(held.session.recording.caller.astype(int)).max() for held in (plain, staged)]
    assert loudest[1] == pytest.approx(loudest[0] / (1 if told else 2), rel=0.01)


def test_every_usage_of_a_voice_that_was_cancelled_is_paid(hold: Hold) -> None:
    lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)]
    held = hold(lines, llm=ScriptedLLM(["One long sentence to begin with. " * 4, "Fine."]), tts=ScriptedTTS(realtime_factor=3))
    asked = [usage.characters for usage in held.turn(1).usage if usage.service == "tts"]
    assert asked
    assert all(characters == len("One long sentence to begin with.") for characters in asked)
