"""OpenAI's own client as the judge of the wire: of what this client sends, and of the server that the other tests believe.

`pip install --group oracle` brings it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest
from openai_server import (
    ABORTED,
    DONE,
    Answer,
    chunk,
    event,
    refuses,
    says,
    serving,
    stream,
    text_chunks,
    tool_chunks,
    tool_piece,
    usage,
)

from patter_nb.providers.base import CallContext, TextDelta, ToolSpec
from patter_nb.providers.openai_compatible import OpenAICompatibleLLM
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Usage

openai = pytest.importorskip("openai")
pydantic = pytest.importorskip("pydantic")

KEY = "secret-0"
LOOK_UP = ToolSpec("look_up", "Looks a guest up.", {"type": "object", "properties": {"name": {"type": "string"}}})
BOOK = ToolSpec("book", "Books a table.", {"type": "object", "properties": {}})
CONVERSATION = (
    Message("system", "You are the receptionist of Acme."),
    Message("user", "Is Jo there, and is there a table?"),
    Message("assistant", "One moment.", (ToolRequest("a", "look_up", '{"name": "Jo"}'), ToolRequest("b", "book", "{}"))),
    Message("tool", "in 7", tool_id="a"),
    Message("tool", "booked", tool_id="b"),
    Message("assistant", "", (ToolRequest("c", "look_up", '{"name": "Größe 🙂"}'),)),
    Message("tool", "", tool_id="c"),
    Message("user", "Thanks \u2028 bye."),
)
SAMPLING = {"temperature": 0.5, "max_tokens": 80, "top_p": 0.9, "seed": 7, "stop": ["\n\n", "Caller:"]}
PIECES = (
    tool_piece(0, id="a", name="look_up", arguments=""),
    tool_piece(0, arguments='{"name":'),
    tool_piece(1, id="b", name="book", arguments="{"),
    tool_piece(0, arguments=' "Jo"}'),
    tool_piece(1, arguments="}"),
)
ANSWERS = {
    "text": text_chunks("Six ", "to ", "ten.", counted=usage(12, 3, cached=8)),
    "one tool": tool_chunks(tool_piece(0, id="a", name="book", arguments="{}")),
    "two tools in pieces": tool_chunks(*PIECES),
    "text and a tool": [chunk({"content": "Wait. "}), *tool_chunks(*PIECES[:2], PIECES[3])],
}


def client(url):
    return openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0)


def official(messages, tools):
    """The conversation as the official client is given it, written down by hand from its documentation."""
    given = []
    for message in messages:
        plain = {"role": message.role, "content": message.content}
        if message.role == "tool":
            plain["tool_call_id"] = message.tool_id
        elif message.tool_requests:
            plain["content"] = message.content or None
            plain["tool_calls"] = [
                {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
                for each in message.tool_requests
            ]
        given.append(plain)
    functions = [{"name": each.name, "description": each.description, "parameters": each.parameters} for each in tools]
    return {"messages": given, "tools": [{"type": "function", "function": function} for function in functions]}


async def ours(server, messages=CONVERSATION, tools=(LOOK_UP, BOOK), **settings):
    llm = OpenAICompatibleLLM("told-1", base_url=server.url, api_key=KEY, **settings)
    async with llm.open(CallContext("call-1")) as opened:
        return [event async for event in opened.reply(messages, tools)]


async def theirs(server, messages=CONVERSATION, tools=(LOOK_UP, BOOK), **settings):
    """The answer as the official client puts it together."""
    asked = {**official(messages, tools), "stream_options": {"include_usage": True}, **settings}
    async with client(server.url) as sdk, sdk.chat.completions.stream(model="told-1", **asked) as events:
        async for _ in events:
            pass
        return await events.get_final_completion()


def both(*answers, **settings):
    """What each client made of the same answers, and what the server saw of each."""

    async def main():
        async with serving(*answers) as server:
            mine, its = await ours(server, **settings), await theirs(server, **settings)
        return mine, its, server.requests

    return asyncio.run(main())


def unknown_fields(value, where=""):
    """Fields that the model of the official client does not have."""
    if isinstance(value, pydantic.BaseModel):
        yield from (f"{where}.{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from unknown_fields(each, f"{where}[{place}]")


def drained(value):
    """A validated value with its lazy iterables read: they are validated only then."""
    if isinstance(value, Mapping):
        return {name: drained(each) for name, each in value.items()}
    if isinstance(value, list | tuple | Iterator) or type(value).__name__ == "ValidatorIterator":
        return [drained(each) for each in value]
    return value


@pytest.mark.parametrize("chunks", ANSWERS.values(), ids=ANSWERS.keys())
def test_every_chunk_of_the_tests_server_is_one_of_openais(chunks):
    from openai.types.chat import ChatCompletionChunk

    for each in chunks:
        assert list(unknown_fields(ChatCompletionChunk.model_validate(each, strict=True))) == []


@pytest.mark.parametrize("chunks", ANSWERS.values(), ids=ANSWERS.keys())
def test_both_clients_make_the_same_of_an_answer(chunks):
    mine, its, _ = both(stream(chunks))
    (choice,) = its.choices
    assert "".join(each.text for each in mine if isinstance(each, TextDelta)) == (choice.message.content or "")
    asked = [(each.id, each.name, each.arguments) for each in mine if isinstance(each, ToolRequest)]
    assert asked == [(each.id, each.function.name, each.function.arguments) for each in choice.message.tool_calls or ()]
    (used,) = [each for each in mine if isinstance(each, Usage)]
    cached = its.usage.prompt_tokens_details.cached_tokens
    assert (used.input_tokens + cached, used.cached_input_tokens) == (its.usage.prompt_tokens, cached)
    assert used.output_tokens == its.usage.completion_tokens


@pytest.mark.parametrize("settings", [{}, SAMPLING], ids=["no settings", "all settings"])
def test_both_clients_send_the_same(settings):
    _, _, (mine, its) = both(says("Bye."), **settings)
    assert (mine.method, mine.path) == (its.method, its.path)
    assert mine.body == its.body
    same = ("authorization", "content-type", "host")
    assert {name: mine.headers[name] for name in same} == {name: its.headers[name] for name in same}


@pytest.mark.parametrize("settings", [{}, SAMPLING], ids=["no settings", "all settings"])
def test_what_is_sent_is_a_request_of_openais_types_with_no_field_they_do_not_know(settings):
    from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

    _, _, (mine, _) = both(says("Bye."), **settings)
    validated = pydantic.TypeAdapter(CompletionCreateParamsStreaming).validate_python(mine.body, strict=False)
    assert drained(validated) == mine.body  # a field that the types lack is left out of what they validated


def test_the_judge_would_notice_a_field_of_another_name():
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

    adapter = pydantic.TypeAdapter(CompletionCreateParamsStreaming)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi", "nmae": "x"}], "stream": True, "max_token": 3}
    plain = drained(adapter.validate_python(body))
    assert (set(plain), set(plain["messages"][0])) == ({"model", "messages", "stream"}, {"role", "content"})
    with pytest.raises(pydantic.ValidationError):
        drained(adapter.validate_python({**body, "messages": [{"role": "tool", "content": "Hi"}]}))
    wrong = chunk({"contents": "Hi"})
    assert list(unknown_fields(ChatCompletionChunk.model_validate(wrong))) == [".choices[0].delta.contents"]


STATUSES = [
    (400, "BadRequestError"),
    (401, "AuthenticationError"),
    (404, "NotFoundError"),
    (429, "RateLimitError"),
    (500, "InternalServerError"),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_the_official_client_reads_the_refusals_of_the_tests_server(status, kind):
    async def main():
        async with serving(refuses(status, {"error": {"message": "No.", "type": "x", "code": None}})) as server:
            await theirs(server)

    with pytest.raises(getattr(openai, kind), match=r"No\.") as refused:
        asyncio.run(main())
    assert refused.value.status_code == status


def test_the_official_client_reads_an_error_within_the_stream_and_a_cut():
    async def main(answer):
        async with serving(answer) as server:
            await theirs(server)

    with pytest.raises(openai.APIError, match="lost"):
        asyncio.run(main(Answer([event(chunk({"content": "Si"})), event({"error": {"message": "lost"}}), DONE])))
    with pytest.raises(openai.APIConnectionError):
        asyncio.run(main(Answer([event(chunk({"content": "Si"})), ABORTED])))
