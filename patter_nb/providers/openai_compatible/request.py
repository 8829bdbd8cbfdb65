"""A conversation as the JSON that a server of chat completions is sent.

Field names: `openai.types.chat.CompletionCreateParamsStreaming` of OpenAI's own client, against which the tests hold them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from patter_nb.providers.base import ToolSpec
from patter_nb.turns.messages import Message


def body(model: str, messages: Sequence[Message], tools: Sequence[ToolSpec], more: Mapping[str, Any]) -> dict[str, Any]:
    """The request. What is None is not sent, so that the server's own default holds; `more` goes over the rest."""
    fields: dict[str, Any] = {
        "model": model,
        "messages": [_message(each) for each in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [each.plain() for each in tools] or None,
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _message(message: Message) -> dict[str, Any]:
    plain = message.plain()
    if message.tool_requests and not message.content:
        plain["content"] = None  # as servers say it themselves; some take "" for an answer that was empty
    return plain
