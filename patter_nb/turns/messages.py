"""What the agent remembers, in the form a language model is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool the model asked for."""

    id: str
    name: str
    arguments: str
    """The arguments as the model wrote them: JSON text."""

    def __post_init__(self) -> None:
        for name, value in (("id", self.id), ("name", self.name), ("arguments", self.arguments)):
            if not isinstance(value, str):
                raise TypeError(f"{name} of a ToolRequest is {type(value).__name__}; it must be a string.")


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation. `tool_requests` belong to an assistant message, `tool_id` to a tool's result."""

    role: Role
    content: str
    tool_requests: tuple[ToolRequest, ...] = ()
    tool_id: str | None = None

    def plain(self) -> dict[str, Any]:
        """As OpenAI's chat messages are: `role`, `content`, `tool_calls` where tools were asked for, `tool_call_id` of a result.
        """
        plain: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_requests:
            plain["tool_calls"] = [
                {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
                for each in self.tool_requests
            ]
        if self.tool_id is not None:
            plain["tool_call_id"] = self.tool_id
        return plain
