"""Messages of a dialogue as language models take them."""

from __future__ import annotations

import pytest

from patter_nb.turns.messages import Message, ToolRequest

ASKED = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        (Message("user", "When?"), {"role": "user", "content": "When?"}),
        (
            Message("assistant", "", tool_requests=(ToolRequest("t1", "look", "{}"),)),
            {"role": "assistant", "content": "", "tool_calls": [ASKED]},
        ),
        (Message("tool", "found", tool_id="t1"), {"role": "tool", "content": "found", "tool_call_id": "t1"}),
    ],
)
def test_a_message_is_plain_with_nothing_that_does_not_belong_to_it(message, plain):
    assert message.plain() == plain


@pytest.mark.parametrize("given", [(None, "look", "{}"), ("t1", 5, "{}"), ("t1", "look", {"city": "Rome"})])
def test_a_tool_is_asked_for_with_texts_alone(given):
    with pytest.raises(TypeError, match=r"^(id|name|arguments) of a ToolRequest is (NoneType|int|dict); it must be a string\.$"):
        ToolRequest(*given)
