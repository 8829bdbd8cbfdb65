"""What the agent remembers, in the form a language model is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool the model asked for."""

    id: str
    name: str
    arguments: str
    """The arguments as the model wrote them: JSON text."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation. `tool_requests` belong to an assistant message, `tool_id` to a tool's result."""

    role: Role
    content: str
    tool_requests: tuple[ToolRequest, ...] = ()
    tool_id: str | None = None
