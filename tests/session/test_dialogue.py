"""The conversation as users see it, and what they give back."""

from __future__ import annotations

from typing import Any

import pytest

from patter_nb.errors import ConfigError
from patter_nb.session.dialogue import from_dicts, to_dicts
from patter_nb.turns.messages import Message, ToolRequest

MESSAGES = [
    Message("system", "Be kind."),
    Message("user", "When?"),
    Message("assistant", "", (ToolRequest("t1", "look", '{"day": "Sunday"}'), ToolRequest("t2", "end", "{}"))),
    Message("tool", "At six.", (), "t1"),
    Message("assistant", "At six."),
]


def test_what_users_see_is_in_the_shape_of_openai() -> None:
    assert to_dicts(MESSAGES)[1:4] == [
        {"role": "user", "content": "When?"},
        {
            "role": "assistant", "content": "",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"day": "Sunday"}'}},
                {"id": "t2", "type": "function", "function": {"name": "end", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "content": "At six.", "tool_call_id": "t1"},
    ]  # fmt: skip


def test_what_is_given_back_unchanged_is_what_it_was() -> None:
    assert from_dicts(to_dicts(MESSAGES)) == MESSAGES
    assert from_dicts(tuple(to_dicts(MESSAGES))) == MESSAGES
    assert from_dicts([]) == []


@pytest.mark.parametrize("content", [None, ""])
def test_content_may_be_missing_where_tools_are_asked(content: Any) -> None:
    assert from_dicts([{"role": "assistant", "content": content}, {"role": "user"}]) == [
        Message("assistant", ""),
        Message("user", ""),
    ]


REFUSED: list[tuple[Any, str]] = [
    ("text", "before_llm returned str; it returns a list of messages or None"),
    ({"role": "user"}, "before_llm returned dict; it returns a list"),
    ([{"role": "user", "content": "x"}, "y"], "message 1 of before_llm is str; it must hold role and content"),
    ([{"role": "boss", "content": "x"}], "message 0 of before_llm has role 'boss'"),
    ([{"content": "x"}], "message 0 of before_llm has role None"),
    ([{"role": "user", "content": [{"type": "text"}]}], "message 0 of before_llm has role 'user'; it must have role and content"),
    ([{"role": "assistant", "tool_calls": [{}]}], "tool_calls of message 0 of before_llm are not in OpenAI's shape (KeyError"),
    ([{"role": "assistant", "tool_calls": 5}], "tool_calls of message 0 of before_llm are not in OpenAI's shape (TypeError"),
    (
        [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "b"}}]}],
        "are not in OpenAI's shape (KeyError('arguments')",
    ),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED, ids=[case[1] for case in REFUSED])
def test_what_is_no_message_is_one_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match="before_llm") as refused:
        from_dicts(given)
    assert sentence in str(refused.value)
