"""Requests for tools as servers really send them, and what they say was consumed."""

from __future__ import annotations

import pytest
from openai_server import chunk, tool_piece

from patter_nb.providers.openai_compatible.answer import Answer, Tokens
from patter_nb.turns.messages import ToolRequest

A, B = ToolRequest("a", "look_up", '{"n": 1}'), ToolRequest("b", "book", '{"n": 2}')
WHOLE_A = tool_piece(0, id="a", name="look_up", arguments='{"n": 1}')
WHOLE_B = tool_piece(1, id="b", name="book", arguments='{"n": 2}')


def without(piece, *names):
    return {name: value for name, value in piece.items() if name not in names}


SENT = {
    "each in one piece": ([[WHOLE_A], [WHOLE_B]], [A, B]),
    "both in one chunk": ([[WHOLE_A, WHOLE_B]], [A, B]),
    "the second one first": ([[WHOLE_B], [WHOLE_A]], [B, A]),
    "without an index": ([[without(WHOLE_A, "index")], [without(WHOLE_B, "index")]], [A, B]),
    "without an index, in pieces": (
        [
            [{"id": "a", "function": {"name": "look_up", "arguments": '{"n"'}}],
            [{"function": {"arguments": ": 1}"}}],
            [without(WHOLE_B, "index")],
        ],
        [A, B],
    ),
    "all with index 0": ([[WHOLE_A], [{**WHOLE_B, "index": 0}]], [A, B]),
    "id and name in every piece": (
        [
            [tool_piece(0, id="a", name="look_up", arguments='{"n"')],
            [tool_piece(0, id="a", name="look_up", arguments=": 1}")],
        ],
        [A],
    ),
    "arguments as an object": ([[{"index": 0, "id": "a", "function": {"name": "look_up", "arguments": {"n": 1}}}]], [A]),
    "no arguments": ([[tool_piece(0, id="a", name="look_up")]], [ToolRequest("a", "look_up", "{}")]),
    "empty arguments": ([[tool_piece(0, id="a", name="look_up", arguments="")]], [ToolRequest("a", "look_up", "{}")]),
}


def put_together(pieces):
    answer = Answer()
    for each in pieces:
        assert list(answer.chunk(chunk({"tool_calls": each}))) == []
    return answer.requests()


@pytest.mark.parametrize(("pieces", "requests"), SENT.values(), ids=SENT.keys())
def test_requests_for_tools_are_put_together(pieces, requests):
    assert put_together(pieces) == requests


@pytest.mark.parametrize("ids", [("", ""), ("a", "a"), (None, None)], ids=["empty", "twice the same", "none"])
def test_each_request_has_an_id_of_its_own_whatever_the_server_gave(ids):
    pieces = [[tool_piece(place, id=given, name="look_up", arguments="{}")] for place, given in enumerate(ids)]
    found = [request.id for request in put_together(pieces)]
    assert len(set(found)) == 2
    assert all(found)


def test_ids_that_are_made_up_do_not_repeat_in_a_later_answer():
    piece = [[tool_piece(0, name="look_up", arguments="{}")]]
    assert put_together(piece) != put_together(piece)


def test_requests_are_given_once():
    answer = Answer()
    list(answer.chunk(chunk({"tool_calls": [WHOLE_A]})))
    assert [answer.requests(), answer.requests()] == [[A], []]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thoughts_are_no_text(field):
    assert list(Answer().chunk(chunk({"content": None, field: "The caller wants dinner."}))) == []


def test_a_refusal_is_said():
    (text,) = Answer().chunk(chunk({"content": None, "refusal": "I cannot."}))
    assert text.text == "I cannot."


def test_of_several_choices_the_first_is_heard():
    choices = [{"index": index, "delta": {"content": text}, "finish_reason": None} for index, text in ((1, "no"), (0, "yes"))]
    assert [text.text for text in Answer().chunk({"choices": choices})] == ["yes"]


COUNTS = [
    ({"prompt_tokens": 10, "completion_tokens": 2}, Tokens(10, 0, 2)),
    ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": None}, Tokens(10, 0, 2)),
    ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}, Tokens(2, 8, 2)),
    ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": None}}, Tokens(10, 0, 2)),
    ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 12}}, Tokens(0, 10, 2)),
    ({"prompt_tokens": 0, "completion_tokens": 0}, Tokens(0, 0, 0)),
    ({"total_tokens": 12}, None),
    (None, None),
]


@pytest.mark.parametrize(("told", "tokens"), COUNTS)
def test_tokens_from_the_cache_are_counted_by_themselves(told, tokens):
    answer = Answer()
    list(answer.chunk(chunk(usage=told)))
    assert answer.tokens == tokens


def test_a_later_chunk_without_usage_takes_nothing_back():
    answer = Answer()
    for each in (chunk(usage={"prompt_tokens": 1, "completion_tokens": 1}), chunk({}, usage=None)):
        list(answer.chunk(each))
    assert answer.tokens == Tokens(1, 0, 1)


@pytest.mark.parametrize("choices", [None, [], [{"index": 0}], [{"index": 0, "delta": None}]])
def test_a_chunk_that_says_nothing_is_nothing(choices):
    assert list(Answer().chunk({"choices": choices})) == []
