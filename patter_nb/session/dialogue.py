"""The conversation in the form users see it: dictionaries in the shape of OpenAI's chat messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from patter_nb.errors import ConfigError
from patter_nb.turns.messages import Message, Role, ToolRequest


def to_dicts(messages: Iterable[Message]) -> list[dict[str, Any]]:
    return [message.plain() for message in messages]


def from_dicts(given: Any) -> list[Message]:
    """Messages out of what a hook returned; `ConfigError` for what is none."""
    if not isinstance(given, list | tuple):
        raise ConfigError(f"before_llm returned {type(given).__name__}; it returns a list of messages or None")
    return [_message(number, each) for number, each in enumerate(given)]


def _message(number: int, given: Any) -> Message:
    if not isinstance(given, Mapping):
        raise ConfigError(f"message {number} of before_llm is {type(given).__name__}; it must hold role and content")
    role, content = given.get("role"), given.get("content") or ""
    if role not in get_args(Role) or not isinstance(content, str):
        raise ConfigError(f"message {number} of before_llm has role {role!r}; it must have role and content, of {get_args(Role)}")
    try:
        asked = [each["function"] | {"id": each["id"]} for each in given.get("tool_calls") or ()]
        requests = tuple(ToolRequest(str(each["id"]), str(each["name"]), str(each["arguments"])) for each in asked)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"tool_calls of message {number} of before_llm are not in OpenAI's shape ({error!r})") from error
    return Message(cast(Role, role), content, requests, given.get("tool_call_id"))
