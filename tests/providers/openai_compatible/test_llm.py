"""A model behind a server: what is sent, what comes back, and what happens when something goes wrong."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
from openai_server import (
    ABORTED,
    DONE,
    HANGING,
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

from patter_nb.agent.describe import describe
from patter_nb.errors import ConfigError, ProviderError
from patter_nb.providers.base import LLM, CallContext, TextDelta, ToolSpec
from patter_nb.providers.openai_compatible import OpenAICompatibleLLM
from patter_nb.testing import check_llm
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Usage

CALL = CallContext("call-1")
ASKED = (Message("system", "Be brief."), Message("user", "When is dinner?"))
LOOK_UP = ToolSpec("look_up", "Looks a guest up.", {"type": "object", "properties": {"name": {"type": "string"}}})


def consumed(input_tokens, output_tokens, cached=0):
    return Usage("llm", "127.0.0.1", "m", input_tokens=input_tokens, cached_input_tokens=cached, output_tokens=output_tokens)


async def answers(llm, *, messages=ASKED, tools=(), times=1):
    """The events of the last of so many answers; the error that ended it is the last of them."""
    events = []
    async with llm.open(CALL) as opened:
        for _ in range(times):
            events.clear()
            try:
                async for each in opened.reply(messages, tools):
                    events.append(each)  # noqa: PERF401 (what came before an error counts)
            except ProviderError as error:
                events.append(error)
    return events


def opened_at(server, **settings):
    return OpenAICompatibleLLM("m", base_url=server.url, **settings).open(CALL)


async def came_back():
    """The response to what warmed a connection has arrived, and the connection can be used."""
    (warming,) = [task for task in asyncio.all_tasks() if task.get_name().startswith("connect to ")]
    await asyncio.wait({warming})


def ask(*given, messages=ASKED, tools=(), times=1, drops_idle=False, **settings):
    """The events, and the server with all that it saw."""

    async def main():
        async with serving(*given, drops_idle=drops_idle) as server:
            llm = OpenAICompatibleLLM("m", base_url=server.url, **settings)
            async with asyncio.timeout(20):
                events = await answers(llm, messages=messages, tools=tools, times=times)
            for _ in range(100):
                if not server.open_connections:
                    break
                await asyncio.sleep(0)
        return events, server

    return asyncio.run(main())


def refused(*given, **settings):
    """The error of an answer that brought nothing else."""
    (error,), _ = ask(*given, **settings)
    assert isinstance(error, ProviderError)
    return error


def test_it_keeps_the_rules_of_a_model():
    async def main():
        async with serving(says("Dinner ", "is ", "from ", "six."), says("One")) as server, serving(refuses(500, "no")) as broken:
            server.answers = [says("Dinner ", "is ", "from ", "six.")]
            llm, failing = (OpenAICompatibleLLM("m", base_url=each.url) for each in (server, broken))
            assert isinstance(llm, LLM)
            await check_llm(llm, failing=failing)

    asyncio.run(main())


def test_text_comes_as_it_is_sent_and_usage_once_at_the_end():
    events, server = ask(stream(text_chunks("Six ", "to ", "ten.", counted=usage(12, 3, cached=8))))
    assert events == [TextDelta("Six "), TextDelta("to "), TextDelta("ten."), consumed(4, 3, cached=8)]
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When is dinner?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_word_is_there_before_the_next_one_is_sent():
    async def main():
        answer = Answer([event(chunk({"content": "Six"})), HANGING])
        async with serving(answer) as server, opened_at(server) as opened:
            async with aclosing(opened.reply(ASKED, ())) as events, asyncio.timeout(20):
                assert await anext(events) == TextDelta("Six")
            return server.sent

    assert asyncio.run(main()) == 1


def test_settings_are_sent_when_they_are_given_and_only_then():
    given = {"temperature": 0.0, "max_tokens": 50, "top_p": 0.9, "seed": 7, "stop": "\n"}
    _, server = ask(says("Hi"), **given, extra={"top_k": 3, "stream_options": None}, api_key="k-1", headers={"X-Team": "desk"})
    (request,) = server.requests
    body = {name: value for name, value in request.body.items() if name not in ("model", "messages", "stream")}
    assert body == {"temperature": 0.0, "max_tokens": 50, "top_p": 0.9, "seed": 7, "stop": ["\n"], "top_k": 3}
    assert request.headers["authorization"] == "Bearer k-1"
    assert request.headers["x-team"] == "desk"


def test_no_key_is_sent_when_there_is_none():
    _, server = ask(says("Hi"))
    assert "authorization" not in server.requests[0].headers


def test_a_conversation_with_tools_is_sent_as_it_was():
    asked = (ToolRequest("a", "look_up", '{"name": "Jo"}'), ToolRequest("b", "look_up", "{}"))
    told = (Message("tool", "in 7", tool_id="a"), Message("tool", "nobody", tool_id="b"))
    messages = (*ASKED, Message("assistant", "", asked), *told, Message("assistant", "Wait.", asked[:1]))
    _, server = ask(says("Hi"), messages=messages, tools=[LOOK_UP])
    (body,) = server.bodies
    calls = [
        {"id": "a", "type": "function", "function": {"name": "look_up", "arguments": '{"name": "Jo"}'}},
        {"id": "b", "type": "function", "function": {"name": "look_up", "arguments": "{}"}},
    ]
    assert body["messages"][2:] == [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": "in 7", "tool_call_id": "a"},
        {"role": "tool", "content": "nobody", "tool_call_id": "b"},
        {"role": "assistant", "content": "Wait.", "tool_calls": calls[:1]},
    ]
    function = {"name": "look_up", "description": "Looks a guest up.", "parameters": LOOK_UP.parameters}
    assert body["tools"] == [{"type": "function", "function": function}]


def test_requests_for_tools_come_whole_and_before_the_usage():
    pieces = (
        tool_piece(0, id="a", name="look_up", arguments=""),
        tool_piece(0, arguments='{"name":'),
        tool_piece(1, id="b", name="look_up", arguments='{"name"'),
        tool_piece(0, arguments=' "Jo"}'),
        tool_piece(1, arguments=': "Al"}'),
    )
    events, _ = ask(stream(tool_chunks(*pieces)), tools=[LOOK_UP])
    first, second = ToolRequest("a", "look_up", '{"name": "Jo"}'), ToolRequest("b", "look_up", '{"name": "Al"}')
    assert events == [first, second, consumed(20, 5)]


def test_tools_are_asked_for_as_soon_as_the_answer_is_said_to_be_over():
    async def main():
        chunks = tool_chunks(tool_piece(0, id="a", name="look_up", arguments="{}"))[:-1]
        answer = Answer([*map(event, chunks), HANGING])
        async with serving(answer) as server, opened_at(server) as opened:
            loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
            async with aclosing(opened.reply(ASKED, [LOOK_UP])) as events:
                assert await anext(events) == ToolRequest("a", "look_up", "{}")
                return loop.time() - began

    assert asyncio.run(main()) < 0.9  # not after LAST_WORDS_SECONDS


ENDS = {
    "without [DONE]": [*map(event, text_chunks("Six."))],
    "with nothing but [DONE] after the reason": [*map(event, text_chunks("Six.")), DONE],
    "with the usage in the last chunk of text": [
        *map(event, text_chunks("Six.")[:-2]),
        event(chunk({}, "stop", usage=usage(10, 1))),
        DONE,
    ],
    "with a running total in each chunk": [
        event(chunk({"content": "Six."}, usage=usage(10, 0))),
        event(chunk({}, "stop", usage=usage(10, 1))),
        DONE,
    ],
    "cut off after its usage": [*map(event, text_chunks("Six.")), ABORTED],
    "with comments and an empty line": [": working\n\n", *map(event, text_chunks("Six.")), "\n", DONE],
    "in one lump": ["".join([*map(event, text_chunks("Six.")), DONE])],
    "byte by byte": list("".join([*map(event, text_chunks("Six.")), DONE])),
}


@pytest.mark.parametrize("pieces", ENDS.values(), ids=ENDS.keys())
def test_an_answer_that_was_said_to_be_over_is_whole_however_it_ends(pieces):
    events, _ = ask(Answer(pieces))
    assert events == [TextDelta("Six."), consumed(10, 1)]


def test_a_server_that_forgets_to_end_its_answer_is_not_waited_for_long():
    events, _ = ask(Answer([*map(event, text_chunks("Six."))], stays_open=False))
    assert events == [TextDelta("Six."), consumed(10, 1)]


def test_no_usage_is_made_up_for_a_server_that_tells_none():
    events, _ = ask(Answer([*map(event, text_chunks("Six.")[:-1]), DONE]))
    assert events == [TextDelta("Six.")]


BROKEN = {
    "in the middle": (Answer([event(chunk({"content": "Si"}))]), "ended the connection in the middle of its answer", True),
    "with [DONE] too early": (Answer([event(chunk({"content": "Si"})), DONE]), "in the middle of its answer", True),
    "by a cut": (Answer([event(chunk({"content": "Si"})), ABORTED]), "broke the connection", True),
    "with an error": (
        Answer([event(chunk({"content": "Si"})), event({"error": {"message": "GPU lost, key=hunter2", "code": 500}})]),
        'ended its answer with an error, saying "GPU lost, key=•••"',
        True,
    ),
    "with an error of vLLM": (
        Answer([event(chunk({"content": "Si"})), event({"object": "error", "message": "too long", "code": 400})]),
        'saying "too long"',
        False,
    ),
    "with an error that is a word": (Answer([event(chunk({"content": "Si"})), event({"error": "bad"})]), 'saying "bad"', False),
    "with half a chunk": (Answer([event(chunk({"content": "Si"})), 'data: {"choices": [{\n\n']), "sent what is no JSON", False),
    "with a list": (Answer([event(chunk({"content": "Si"})), event([1])]), "sent list where a chunk", False),
    "with other choices": (Answer([event(chunk({"content": "Si"})), event({"choices": 3})]), "choices is int", False),
    "with other text": (Answer([event(chunk({"content": "Si"})), event(chunk({"content": 3}))]), "content is int", False),
    "with a nameless tool": (
        Answer([event(chunk({"content": "Si"})), *map(event, tool_chunks(tool_piece(0, id="a", arguments="{}"))), DONE]),
        "a tool call has no name",
        False,
    ),
}


@pytest.mark.parametrize(("answer", "told", "retryable"), BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_breaks_off_is_an_error_after_what_was_said(answer, told, retryable):
    (text, error), _ = ask(answer)
    assert text == TextDelta("Si")
    assert (error.provider, error.retryable) == ("127.0.0.1", retryable)
    assert told in str(error)
    assert "hunter2" not in str(error)


def test_an_answer_that_a_filter_took_is_an_error_and_no_silence():
    assert "withheld its answer" in str(refused(stream(text_chunks(finish_reason="content_filter"))))


STATUSES = {
    "a key that is wrong": (
        401,
        {"error": {"message": "You gave secret-0 here"}},
        False,
        'refused the API key (status 401), saying "You gave ••• here": give the right one as the setting api_key.',
    ),
    "a model that is not there": (
        404,
        {"error": {"message": "model 'm' not found", "type": "api_error"}},
        False,
        "does not know the model 'm'",
    ),
    "a request that it cannot read": (
        400,
        {"detail": [{"msg": "no tools"}]},
        False,
        'refused the request (status 400), saying "[{"msg"',
    ),
    "too many requests": (
        429,
        {"error": {"message": "slow down"}},
        True,
        'takes no more requests for now (status 429), saying "slow',
    ),
    "overload": (503, "overloaded", True, 'failed (status 503), saying "overloaded".'),
    "a gateway's page": (502, "<html>bad</html>", True, "failed (status 502)."),
    "nothing": (500, "", True, "failed (status 500)."),
    "another address": (307, "", False, "sends the request elsewhere (status 307): give the address it really has as base_url."),
    "an answer in one piece": (200, {"choices": [{"message": {"content": "Hi"}}]}, False, "sent no stream of events"),
    "an error with status 200": (200, {"error": "no such model"}, False, 'which was asked for, saying "no such model"'),
}


@pytest.mark.parametrize(("status", "body", "retryable", "told"), STATUSES.values(), ids=STATUSES.keys())
def test_a_refusal_quotes_the_servers_words_without_the_key(status, body, retryable, told):
    error = refused(refuses(status, body), api_key="secret-0")
    assert told in str(error)
    assert str(error).startswith("127.0.0.1 ")
    assert (error.retryable, error.provider) == (retryable, "127.0.0.1")
    assert "secret-0" not in str(error)


def test_a_key_that_was_not_given_is_asked_for():
    assert "wants an API key (status 401): give the right one as the setting api_key." in str(refused(refuses(401, "")))


def test_a_long_page_is_quoted_in_part():
    error = refused(refuses(500, "word " * 100_000, "text/plain"))
    assert len(str(error)) < 400
    assert "word word" in str(error)


def test_a_server_that_is_not_there_is_named_with_where_it_was_sought_and_how_it_starts():
    async def main():
        async with serving() as server:
            port = server.url
        return port, await answers(OpenAICompatibleLLM("m", base_url=port))

    url, (error,) = asyncio.run(main())
    assert str(error) == f"127.0.0.1 cannot be reached at {url}: check that the server runs and listens on this port."
    assert error.retryable


@pytest.mark.parametrize(("name", "start"), [("ollama", "`ollama serve`"), ("llama.cpp", "`llama-server -m model.gguf --jinja`")])
def test_a_program_that_is_not_there_is_named_with_the_command_that_starts_it(name, start, monkeypatch):
    from dataclasses import replace

    from patter_nb.providers.openai_compatible import servers

    async def main():
        async with serving() as server:
            url = server.url
        monkeypatch.setitem(servers.KNOWN, name, replace(servers.KNOWN[name], url=url))
        return await answers(OpenAICompatibleLLM("m", base_url=name))

    (error,) = asyncio.run(main())
    assert str(error).endswith(f"start it with {start}.")
    assert error.provider == name


def test_a_model_that_the_program_has_not_got_is_named_with_the_command_that_brings_it(monkeypatch):
    from dataclasses import replace

    from patter_nb.providers.openai_compatible import servers

    async def main():
        async with serving(refuses(404, {"error": {"message": "model not found"}})) as server:
            monkeypatch.setitem(servers.KNOWN, "ollama", replace(servers.KNOWN["ollama"], url=server.url))
            return await answers(OpenAICompatibleLLM("m", base_url="ollama"))

    (error,) = asyncio.run(main())
    assert str(error).endswith('saying "model not found": try `ollama pull m`.')


def test_a_server_that_falls_silent_is_given_up():
    (error,), _ = ask(Answer([HANGING]), timeout_seconds=0.05)
    assert "sent nothing for 0.05 s (timeout_seconds)" in str(error)
    assert error.retryable


def test_closing_the_iterator_closes_the_connection_and_leaves_another_one_at_hand():
    async def main():
        answer = Answer([event(chunk({"content": "Six "})), HANGING])
        async with serving(answer, says("Yes.")) as server, opened_at(server) as opened, asyncio.timeout(20):
            await came_back()
            events = opened.reply(ASKED, ())
            assert await anext(events) == TextDelta("Six ")
            await events.aclose()
            await server.closed.wait()
            await came_back()
            warmed = [await server.heads.get() for _ in range(2)]
            again = [each async for each in opened.reply(ASKED, ())]
        return again, server.requests[1].connection, warmed[1].connection

    again, *connections = asyncio.run(main())
    assert again == [TextDelta("Yes."), consumed(10, 1)]
    assert len(set(connections)) == 1


def test_one_connection_serves_the_warming_and_every_turn_of_a_call():
    async def main():
        async with serving(says("Hi")) as server, opened_at(server) as opened, asyncio.timeout(20):
            await came_back()
            warmed = await server.heads.get()
            for _ in range(3):
                assert len([each async for each in opened.reply(ASKED, ())]) == 2
        return warmed, server

    warmed, server = asyncio.run(main())
    assert {request.connection for request in (warmed, *server.requests)} == {0}
    assert (warmed.method, warmed.path) == ("HEAD", "/v1/models")


def test_no_connection_outlives_the_call():
    _, server = ask(says("Hi"))
    assert (server.open_connections, server.connections > 0) == (0, True)


def test_a_connection_that_the_server_dropped_meanwhile_is_made_anew():
    events, server = ask(says("Hi"), times=3, drops_idle=True)
    assert events == [TextDelta("Hi"), consumed(10, 1)]
    assert len(server.requests) > 3  # the dropped ones came twice


def test_ready_asks_nothing_of_the_server_and_finds_a_url_that_is_none():
    OpenAICompatibleLLM("m", base_url="https://unknown.invalid/v1").ready()
    with pytest.raises(ConfigError, match="which is no URL"):
        OpenAICompatibleLLM("m", base_url="http://1.2.3.999/v1").ready()


def test_an_agents_revision_holds_its_settings_and_no_secret():
    llm = OpenAICompatibleLLM("m", base_url="ollama", temperature=0.2, api_key="hunter2", headers={"X-Key": "hunter2"})
    told = describe(llm)
    assert (told["provider"], told["model"], told["temperature"]) == ("ollama", "m", "0.2")
    assert "hunter2" not in json.dumps(told)
