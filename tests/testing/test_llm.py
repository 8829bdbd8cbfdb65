"""`check_llm` passes models that keep the protocol and names the rule that a broken one breaks."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from patter_nb.errors import ProviderError
from patter_nb.providers.base import AudioChunk, TextDelta
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.testing import ConformanceError, check_llm
from patter_nb.turns.messages import ToolRequest
from patter_nb.turns.usage import Usage


class Model:
    """A model as a user may write one in a cell."""

    provider = "mine"
    model = "m"
    virtual_time = True
    price = None

    def ready(self):
        pass

    @asynccontextmanager
    async def open(self, call):
        yield self

    def usage(self):
        return Usage("llm", self.provider, self.model, input_tokens=9, output_tokens=3)

    async def reply(self, messages, tools):
        for word in ("From ", "six ", "to ", "ten."):
            await asyncio.sleep(0.01)
            yield TextDelta(word)
        yield self.usage()


def model(reply=None, **members):
    """A `Model` that answers, or is, otherwise."""
    if reply is not None:
        members["reply"] = reply
    return type("Model", (Model,), members)()


def yielding(*events):
    async def reply(self, messages, tools):
        for event in events:
            await asyncio.sleep(0.01)
            yield event
        yield self.usage()

    return reply


def only(*events):
    async def reply(self, messages, tools):
        for event in events:
            yield event

    return reply


async def twice_counted(self, messages, tools):
    async for event in Model.reply(self, messages, tools):
        yield event
    yield self.usage()


async def never_stopping(self, messages, tools):
    try:
        async for event in Model.reply(self, messages, tools):
            yield event
    except GeneratorExit:
        await asyncio.sleep(30)
        raise


async def bursting(self, messages, tools):
    yield TextDelta("From ")
    messages.append("six")


async def failing_as_another(self, messages, tools):
    yield TextDelta("From ")
    raise ProviderError("Acme is down.", provider="acme")


async def never_answering(self, messages, tools):
    await asyncio.get_running_loop().create_future()
    yield TextDelta("never")


async def leaving_a_task(self, messages, tools):
    self.kept = asyncio.ensure_future(asyncio.sleep(3600))
    async for event in Model.reply(self, messages, tools):
        yield event


async def promised(self, messages, tools):
    return Model.reply(self, messages, tools)


def asking(*requests):
    return model(yielding(*requests))


LONG = "Dinner is served from six to ten, breakfast from seven to nine, and the bar is open until midnight."
CALLED = '{"name": "Ann"}'

BROKEN = [
    (Model, "Model'> is a class; give an instance of it."),
    (object(), "object lacks provider, model, virtual_time, price, ready, open; see patter_nb.providers.base.LLM."),
    (model(provider=None), "Model.provider is None; it must be a name that is not empty."),
    (model(price="free"), "Model.price is 'free'; it must be a Price, or None where none is known."),
    (model(promised), "reply() returned a coroutine; it returns an async iterator with aclose() (an async generator)."),
    (model(yielding()), "reply() answered nothing: neither text nor a request for a tool."),
    (model(yielding(TextDelta("  "))), "reply() answered nothing: neither text nor a request for a tool."),
    (model(yielding(TextDelta(LONG))), f"reply() brought its {len(LONG)} characters at once; yield text as it comes."),
    (model(yielding("From six.")), "reply() yielded a str; it yields TextDelta, ToolRequest and Usage."),
    (model(yielding(AudioChunk(b""))), "reply() yielded a AudioChunk; it yields TextDelta, ToolRequest and Usage."),
    (model(yielding(TextDelta(None))), "a TextDelta holds a NoneType; it holds a string."),
    (model(only(TextDelta("From six."))), "reply() reported its usage 0 times; each request yields one Usage."),
    (model(twice_counted), "reply() reported its usage 2 times; each request yields one Usage."),
    (
        model(only(TextDelta("Six."), Usage("tts", "mine", "m"))),
        "reply() reported the usage of ('tts', 'mine', 'm'); prices are looked up under ('llm', 'mine', 'm').",
    ),
    (model(only(TextDelta("Six."), Usage("llm", "mine", "m", output_tokens=-1))), "reply() reported a negative usage: Usage("),
    (asking(ToolRequest("", "look_up", CALLED)), "reply() asked for tools under the ids ['']; each needs one of its own."),
    (
        asking(ToolRequest("1", "look_up", CALLED), ToolRequest("1", "look_up", CALLED)),
        "reply() asked for tools under the ids ['1', '1']; each needs one of its own.",
    ),
    (asking(ToolRequest("1", "call", CALLED)), "reply() asked for the tool 'call'; it was told of ['look_up']."),
    (asking(ToolRequest("1", "look_up", "{name")), "reply() asked for a tool with '{name'; arguments are a JSON object."),
    (asking(ToolRequest("1", "look_up", "[]")), "reply() asked for a tool with '[]'; arguments are a JSON object."),
    (model(never_stopping), "reply() did not stop within 1 s of being closed."),
    (model(never_answering), "answering came to no end within 20 s."),
    (model(bursting), "raised AttributeError ('tuple' object has no attribute 'append'); a failure raises ProviderError("),
    (model(failing_as_another), "answering raised a ProviderError of 'acme'; this provider's name is 'mine'."),
    (model(leaving_a_task), "answering left a task running: sleep."),
]


@pytest.mark.parametrize(("broken", "sentence"), BROKEN, ids=[sentence for _, sentence in BROKEN])
def test_a_broken_model_is_told_which_rule_it_breaks(broken, sentence):
    with pytest.raises(ConformanceError) as caught:
        asyncio.run(check_llm(broken))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


PASSING = [
    model(),
    model(virtual_time=False),
    asking(ToolRequest("1", "look_up", CALLED)),
    ScriptedLLM(["From six to ten."] * 4),
    ScriptedLLM(lambda messages: f"You asked: {messages[-1].content}"),
]


@pytest.mark.parametrize("llm", PASSING, ids=lambda llm: type(llm).__name__)
def test_a_model_that_keeps_the_protocol_passes(llm):
    assert asyncio.run(check_llm(llm, failing=ScriptedLLM([], provider="acme"))) is None


def test_one_that_should_fail_and_answers_is_told_so():
    with pytest.raises(ConformanceError, match="failing= did not fail"):
        asyncio.run(check_llm(model(), failing=model()))
