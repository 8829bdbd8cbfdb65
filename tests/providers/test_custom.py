"""A language model of one's own, whatever kind of function it is."""

from __future__ import annotations

import asyncio
import functools
import threading

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError, ProviderError
from patter_nb.providers.base import LLM, CallContext, TextDelta, ToolSpec
from patter_nb.providers.custom import CustomLLM
from patter_nb.testing import check_llm
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage

ASKED = (Message("system", "Be brief."), Message("user", "When is dinner?"))
LOOK_UP = ToolSpec("look_up", "Looks a guest up.", {"type": "object"})
USED = Usage("llm", "custom", "custom", input_tokens=4, output_tokens=2)


async def generator(messages):
    yield "Six "
    yield "to ten."


async def coroutine(messages):
    return "Six to ten."


async def coroutine_of_a_generator(messages):
    return generator(messages)


def function(messages):
    return "Six to ten."


def sync_generator(messages):
    yield "Six "
    yield "to ten."


def returns_a_coroutine(messages):
    return coroutine(messages)


def returns_a_generator(messages):
    return generator(messages)


async def with_prompt(prompt, messages):
    return "Six to ten."


class Generates:
    async def __call__(self, messages):
        yield "Six "
        yield "to ten."

    def method(self, messages):
        return "Six to ten."


KINDS = {
    "an async generator": generator,
    "a coroutine": coroutine,
    "a coroutine that returns a generator": coroutine_of_a_generator,
    "a function": function,
    "a generator": sync_generator,
    "a function that returns a coroutine": returns_a_coroutine,
    "a function that returns an async generator": returns_a_generator,
    "an object": Generates(),
    "a method": Generates().method,
    "a partial": functools.partial(with_prompt, "Be brief."),
}


async def answer(generate, *, messages=ASKED, tools=()):
    events = []
    async with CustomLLM(generate).open(CallContext("call-1")) as opened:
        try:
            async for event in opened.reply(messages, tools):
                events.append(event)  # noqa: PERF401 (what came before an error counts)
        except ProviderError as error:
            events.append(error)
    return events


def answered(generate, **asked):
    return asyncio.run(answer(generate, **asked))


@pytest.mark.parametrize("generate", KINDS.values(), ids=KINDS.keys())
def test_whatever_gives_text_is_a_model(generate):
    assert "".join(event.text for event in answered(generate)) == "Six to ten."


@pytest.mark.parametrize("generate", KINDS.values(), ids=KINDS.keys())
def test_it_answers_in_virtual_time_as_well(generate, virtual):
    assert "".join(event.text for event in virtual(answer(generate))) == "Six to ten."


def test_a_thread_is_given_real_time_where_time_is_virtual(virtual):
    def generate(messages):
        threading.Event().wait(0.05)
        return "Six to ten."

    async def main():
        async with asyncio.timeout(5):
            return await answer(generate)

    assert virtual(main()) == [TextDelta("Six to ten.")]


def test_it_keeps_the_rules_of_a_model():
    async def generate(messages, tools):
        for word in ("Six ", "to ", "ten."):
            yield word
        yield USED

    async def fails(messages):
        raise LookupError("no words")

    assert isinstance(CustomLLM(generate), LLM)
    asyncio.run(check_llm(CustomLLM(generate), failing=CustomLLM(fails)))
    asyncio.run(check_llm(CustomLLM(generate, virtual_time=True)))


def test_pieces_of_any_kind_pass_and_empty_ones_do_not():
    request = ToolRequest("a", "look_up", "{}")

    async def generate(messages):
        for piece in ("", "Wait.", TextDelta(" So."), request, USED):
            yield piece

    assert answered(generate) == [TextDelta("Wait."), TextDelta(" So."), request, USED]


def test_no_usage_is_made_up_and_one_of_another_model_keeps_its_names():
    theirs = Usage("llm", "openai", "gpt-4o-mini", input_tokens=4)

    async def generate(messages):
        yield "Hi"
        yield theirs

    assert answered(generator) == [TextDelta("Six "), TextDelta("to ten.")]
    assert answered(generate)[-1] == theirs


def test_messages_and_tools_come_in_openais_shape_and_are_the_functions_own():
    asked = Message("assistant", "", (ToolRequest("a", "look_up", "{}"),))
    messages = (*ASKED, asked, Message("tool", "in 7", tool_id="a"))
    given = []

    async def generate(messages, tools):
        given.append((messages, tools))
        messages.clear()
        yield "Hi"

    async def twice():
        await answer(generate, messages=messages, tools=[LOOK_UP])
        await answer(generate, messages=messages, tools=[LOOK_UP])

    seen = []
    answered(lambda messages: seen.extend(messages) or "Hi", messages=messages)
    assert seen[0] == {"role": "system", "content": "Be brief."}
    assert seen[2]["tool_calls"] == [{"id": "a", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]
    assert seen[3] == {"role": "tool", "content": "in 7", "tool_call_id": "a"}
    asyncio.run(twice())
    assert [tools for _, tools in given] == [[LOOK_UP.plain()]] * 2


def second_place(*, default):
    def required(messages, anything):
        return anything

    def tools(messages, tools=None):
        return tools

    def other(messages, temperature=0.5):
        return temperature

    return {"required": required, "tools": tools, "other": other}[default]


@pytest.mark.parametrize(("default", "gets_tools"), [("required", True), ("tools", True), ("other", False)])
def test_a_second_argument_is_the_tools_when_it_has_to_be_given_or_is_called_so(default, gets_tools):
    (error,) = answered(second_place(default=default), tools=[LOOK_UP])
    assert str(error).startswith(f"custom gave {'list' if gets_tools else 'float'}; it gives strings")


def nothing():
    return ""


def three(messages, tools, more):
    return ""


def by_name(*, messages):
    return ""


def also_by_name(messages, *, key):
    return ""


@pytest.mark.parametrize("generate", [nothing, three, by_name, also_by_name])
def test_other_signatures_are_refused_where_they_are_given(generate):
    with pytest.raises(ConfigError, match=r"generate is .*; it must take \(messages\) or \(messages, tools\)"):
        CustomLLM(generate)


REFUSED = [
    ({"generate": "Hi"}, "generate is 'Hi'; it must be a function"),
    ({"generate": Generates}, "it must be a function"),
    ({"name": ""}, "name of a custom model is ''"),
    ({"model": None}, "model of a custom model is None"),
    ({"price": 1}, "price is 1; it must be a Price"),
    ({"virtual_time": "yes"}, "virtual_time is 'yes'"),
]


@pytest.mark.parametrize(("given", "told"), REFUSED)
def test_settings_that_cannot_be_used_are_refused_by_name(given, told):
    with pytest.raises(ConfigTypeError) as refused:
        CustomLLM(**{"generate": generator, **given})
    assert told in str(refused.value)


def test_it_goes_by_its_name():
    llm = CustomLLM(generator, name="mine", model="parrot", price=Price())
    assert (llm.provider, llm.model, llm.price, llm.virtual_time) == ("mine", "parrot", Price(), False)


def raises(error):
    async def of_a_generator(messages):
        yield "Six "
        raise error

    async def of_a_coroutine(messages):
        raise error

    def of_a_function(messages):
        raise error

    def of_a_sync_generator(messages):
        yield "Six "
        raise error

    return of_a_generator, of_a_coroutine, of_a_function, of_a_sync_generator


@pytest.mark.parametrize("place", range(4), ids=["generator", "coroutine", "function", "sync generator"])
@pytest.mark.parametrize(
    ("error", "told", "retryable"),
    [
        (KeyError("dinner"), "custom raised KeyError: 'dinner'", False),
        (ConnectionError("gone, api_key=hunter2"), "custom raised ConnectionError: gone, api_key=•••", True),
        (TimeoutError(), "custom raised TimeoutError", True),
        (ProviderError("theirs failed", provider="theirs"), "theirs failed", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_whatever_it_raises_is_the_providers_failure(place, error, told, retryable):
    *_, failure = answered(raises(error)[place])
    assert isinstance(failure, ProviderError)
    assert (str(failure), failure.retryable) == (told, retryable)


@pytest.mark.parametrize("place", range(4), ids=["generator", "coroutine", "function", "sync generator"])
def test_an_exit_is_the_models_failure_and_never_an_answer_that_ended(place):
    *_, failure = answered(raises(SystemExit(2))[place])
    assert isinstance(failure, ProviderError)
    assert (str(failure), type(failure.__cause__)) == ("custom raised SystemExit: 2", SystemExit)


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, StopIteration])
def test_whatever_a_thread_raises_is_told_and_not_taken_for_the_end_of_the_answer(error):
    def generate(messages):
        raise error

    (failure,) = answered(generate)
    assert isinstance(failure, ProviderError)
    assert str(failure) == f"custom raised {error.__name__}"


class UntellableError(Exception):
    def __str__(self):
        raise RuntimeError("no words for it")


@pytest.mark.parametrize("place", range(4), ids=["generator", "coroutine", "function", "sync generator"])
def test_an_error_that_cannot_even_be_told_is_still_a_failure(place):
    async def main():
        async with asyncio.timeout(20):
            return await answer(raises(UntellableError())[place])

    *_, failure = asyncio.run(main())
    assert str(failure) == "custom raised UntellableError"


@pytest.mark.parametrize("given", [3, None, b"Hi", ["Hi"], {"text": "Hi"}])
def test_what_is_no_piece_of_an_answer_is_named(given):
    async def generate(messages):
        yield "Hi"
        yield given

    (_, error) = answered(generate)
    kind = type(given).__name__
    assert str(error) == f"custom gave {kind}; it gives strings, TextDelta, ToolRequest or Usage."


def uses_a_voice(messages):
    return Usage("tts", "custom", "custom")


def test_usage_of_something_else_than_a_model_is_refused():
    (error,) = answered(uses_a_voice)
    assert str(error) == 'custom gave a Usage of "tts"; its service is "llm".'


def test_what_is_async_runs_on_the_calls_loop_and_what_is_not_runs_in_a_thread():
    threads = []

    async def on_the_loop(messages):
        threads.append(threading.current_thread())
        yield "Hi"

    def beside_it(messages):
        threads.append(threading.current_thread())
        return "Hi"

    answered(on_the_loop)
    answered(beside_it)
    assert threads[0] is threading.main_thread()
    assert threads[1].daemon  # one that never returns does not keep the process from ending


def test_closing_the_iterator_closes_the_generator():
    ends = []

    async def generate(messages):
        try:
            yield "Six "
            yield "to ten."
        finally:
            ends.append("closed")

    async def main():
        events = CustomLLM(generate).reply(ASKED, ())
        assert await anext(events) == TextDelta("Six ")
        await events.aclose()
        return list(ends)

    assert asyncio.run(main()) == ["closed"]


def test_closing_the_iterator_ends_a_sync_generator_at_its_next_piece():
    go_on, closed, ran_on = threading.Event(), threading.Event(), []

    def generate(messages):
        try:
            yield "Six "
            go_on.wait(20)
            yield "to ten."
            ran_on.append("it was asked for more")
        finally:
            closed.set()

    async def main():
        events = CustomLLM(generate).reply(ASKED, ())
        assert await anext(events) == TextDelta("Six ")
        await events.aclose()  # does not wait for the thread
        go_on.set()
        return await asyncio.to_thread(closed.wait, 20)

    assert asyncio.run(main())
    assert ran_on == []


def test_a_function_that_returns_after_the_call_is_over_bothers_nobody():
    go_on, returned = threading.Event(), threading.Event()

    def generate(messages):
        go_on.wait(20)
        returned.set()
        return "late"

    async def main():
        events = CustomLLM(generate).reply(ASKED, ())
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        await events.aclose()

    asyncio.run(main())
    go_on.set()
    assert returned.wait(20)
