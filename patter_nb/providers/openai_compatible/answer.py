"""A streamed answer put together from its chunks: text at once, requests for tools when whole, the last usage at the end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from patter_nb.providers.base import TextDelta
from patter_nb.turns.messages import ToolRequest


@dataclass(slots=True)
class _Call:
    """A request for a tool, as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a server says that an answer consumed."""

    input: int
    """Without those read from its cache."""
    cached: int
    output: int


class Answer:
    """One choice of one response.

    Thoughts (`reasoning`, `reasoning_content`) are no text: nobody shall hear them.
    """

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.tokens: Tokens | None = None
        """None: the server has said nothing of it."""
        self.said = False
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def chunk(self, chunk: Mapping[str, Any]) -> Iterator[TextDelta]:
        """The text of a chunk; the rest of it is remembered. `ValueError` for a chunk of another shape."""
        if usage := chunk.get("usage"):
            # Some servers send a running total with every chunk: the last one counts.
            self.tokens = _tokens(_object(usage, "usage"))
        for choice in _list(chunk.get("choices"), "choices"):
            if choice.get("index", 0) != 0:
                continue
            delta = _object(choice.get("delta") or {}, "delta")
            for text in (delta.get("content"), delta.get("refusal")):
                if text is not None and not isinstance(text, str):
                    raise ValueError(f"content is {type(text).__name__}")
                if text:
                    self.said = True
                    yield TextDelta(text)
            for piece in _list(delta.get("tool_calls"), "tool_calls"):
                self._piece(piece)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def requests(self) -> list[ToolRequest]:
        """The requests for tools, each under an id of its own; they are given once."""
        calls, self._calls = self._calls, []
        self._at = {}
        used: set[str] = set()
        return [_request(call, used) for call in calls]

    def _piece(self, piece: Mapping[str, Any]) -> None:
        function = _object(piece.get("function") or {}, "function")
        call = self._call(piece, begins=bool(function.get("name")))
        call.id = call.id or str(piece.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        arguments = function.get("arguments")
        if arguments:
            call.arguments.append(arguments if isinstance(arguments, str) else json.dumps(arguments))

    def _call(self, piece: Mapping[str, Any], *, begins: bool) -> _Call:
        """The request that a piece belongs to.

        By its index; servers that send whole requests leave it away or let it be 0 for all, so another id together with a name
        begins another request, and so does a name without an index.
        """
        index, given_id = piece.get("index"), piece.get("id")
        call = self._at.get(index) if isinstance(index, int) else (self._calls[-1] if self._calls else None)
        other = call is not None and begins and ((given_id and call.id and given_id != call.id) or index is None)
        if call is None or other:
            call = _Call()
            self._calls.append(call)
            if isinstance(index, int):
                self._at[index] = call
        return call


def _request(call: _Call, used: set[str]) -> ToolRequest:
    if not call.name:
        raise ValueError("a tool call has no name")
    if not call.id or call.id in used:
        call.id = f"call_{secrets.token_hex(12)}"
    used.add(call.id)
    # A tool without parameters is asked for with no arguments at all by some models.
    return ToolRequest(call.id, call.name, "".join(call.arguments) or "{}")


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    prompt, output = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(output, int):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    cached = min(prompt, cached) if isinstance(cached, int) else 0
    return Tokens(prompt - cached, cached, output)


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {type(value).__name__}")
    return value


def _list(value: object, name: str) -> list[Mapping[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{name} is {type(value).__name__}")
    return [_object(each, name) for each in value]
