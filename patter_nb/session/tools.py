"""Runs the tools a model asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from patter_nb.providers.base import ToolSpec
from patter_nb.session.user_code import Outcome, UserCode
from patter_nb.turns.commands import RunTool
from patter_nb.turns.events import ToolReturned

ToolHandler = Callable[[dict[str, Any]], Any]
"""Takes the arguments as the model wrote them; sync ones run in a thread. What it returns is told to the model."""

DEADLINE_SECONDS = 10.0


async def run_tool(tools: Mapping[str, tuple[ToolSpec, ToolHandler]], user_code: UserCode, command: RunTool) -> ToolReturned:
    """Run one tool once. Whatever goes wrong is a sentence for the model, never an exception."""
    if command.name not in tools:
        known = ", ".join(tools) or "none"
        return _error(command, f"There is no tool named {command.name!r}; the tools are: {known}.")
    try:
        arguments = json.loads(command.arguments or "{}")
    except (ValueError, RecursionError) as error:  # the latter from deep nesting
        return _error(command, f"The arguments of {command.name} are not JSON: {error}.")
    if not isinstance(arguments, dict):
        return _error(command, f"The arguments of {command.name} must be a JSON object, not {type(arguments).__name__}.")
    _, handler = tools[command.name]
    outcome = await user_code.call(handler, arguments, deadline_seconds=DEADLINE_SECONDS)
    if outcome.error is None and not isinstance(outcome.value, str):
        # What was returned is the user's as well: its parts may refuse to be written down.
        told = await user_code.call(_as_json, outcome.value, deadline_seconds=DEADLINE_SECONDS, quick=True)
        reason = f"What {command.name} returned cannot be told to the model: {told.error}"
        outcome = told if told.error is None else Outcome(error=reason)
    if outcome.error is not None:
        return _error(command, outcome.error)
    return ToolReturned(command.reply, command.id, result=outcome.value)


def _as_json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _error(command: RunTool, sentence: str) -> ToolReturned:
    return ToolReturned(command.reply, command.id, error=sentence)
