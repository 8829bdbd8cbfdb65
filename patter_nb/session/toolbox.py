"""The tools of one call: what a model is offered, and what happens when it asks for one."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from patter_nb.agent import Agent
from patter_nb.callbacks import MODES, TRANSFERRING, CallControl, transfer_order
from patter_nb.errors import ConfigError
from patter_nb.guardrails import find
from patter_nb.providers.base import ToolSpec, closing
from patter_nb.session.user_code import Outcome, UserCode
from patter_nb.tools import Bound, Tool, ToolArgumentsError, ToolError
from patter_nb.tools.given import check_arguments
from patter_nb.tools.tool import read_arguments
from patter_nb.turns.commands import RunTool
from patter_nb.turns.events import Event, HangUpRequested, ToolReturned

ATTEMPTS = 3
"""How often an idempotent handler is called when it raises; any other is called once."""

BACKOFF_SECONDS = 0.5

GOODBYE = "The call ends when you have said goodbye: say it now, in one short sentence."
HANDED_OVER = {
    "cold": "The call is handed over when what you are saying was heard.",
    "warm": "The number is called when what you are saying was heard. Until somebody answers, stay with the caller.",
}


def _texts(required: Sequence[str], /, **properties: Any) -> dict[str, Any]:
    """A schema of texts."""
    named = {name: {"type": "string", **each} for name, each in properties.items()}
    return {"type": "object", "properties": named, "required": list(required)}


TRANSFER_CALL = ToolSpec(
    "transfer_call",
    "Hand the call to another phone number.",
    _texts(
        ["number"],
        number={"description": "The number in international form, such as +15551234567."},
        mode={
            "enum": list(MODES),
            "description": "cold (the default): hand over at once. warm: call the number first and tell the summary there.",
        },
        summary={"description": "Only with warm: what whoever answers is told about the call, in a sentence or two."},
    ),
)
END_CALL = ToolSpec(
    "end_call",
    "End the call, once the caller has nothing more to ask or says goodbye. Say goodbye first.",
    _texts([], reason={"description": "Why the call ends, in a few words."}),
)
BUILT_IN = (TRANSFER_CALL, END_CALL)
"""What every agent can do; a tool of the user's with the same name takes the place of one."""


class Toolbox:
    """Runs tools once each, and says what the model is to be told. What a tool does wrong is a sentence for the model.

    `more` are the tools of servers that are connected for this call; `progress(name, text)` is told what a tool reports on its
    way.
    """

    def __init__(
        self,
        control: CallControl,
        user_code: UserCode,
        *,
        more: Callable[[], Sequence[Tool]],
        post: Callable[[Event], None],
        progress: Callable[[str, str, str], None],
    ) -> None:
        self._control = control
        self._user_code = user_code
        self._more = more
        self._post = post
        self._progress = progress
        self._context = {"call_id": control.call_id, "caller": control.caller, "callee": control.callee}

    def specs(self, agent: Agent) -> tuple[ToolSpec, ...]:
        """What the agent's model is offered."""
        tools = self._tools(agent)
        return (*(spec for spec in BUILT_IN if spec.name not in tools), *(tool.spec for tool in tools.values()))

    def reassurance(self, agent: Agent, name: str) -> tuple[str, float]:
        """What is said while the tool runs, and after how many seconds; an empty text: nothing."""
        tool = self._tools(agent).get(name)
        if tool is None or tool.filler is None:
            return "", 0.0
        return tool.filler.text, tool.filler.after_ms / 1000

    async def run(self, agent: Agent, command: RunTool) -> ToolReturned:
        """Run one tool as the model asked for it. Raises what objects of the user's raise when they are looked at: the type of an
        argument, a report on the way."""
        tools = self._tools(agent)
        tool = tools.get(command.name)
        try:
            if tool is None:
                return self._built_in(agent, command)
            bound = tool.bind(command.arguments, self._context, self._control)
        except ToolArgumentsError as error:
            return _error(command, str(error))
        outcome = await self._attempts(command, tool, bound)
        if outcome.error is None and not isinstance(outcome.value, str):
            # What was returned is the user's as well: its parts may refuse to be written down.
            told = await self._user_code.call(as_text, outcome.value, deadline_seconds=tool.timeout_s, quick=True)
            reason = f"What {command.name} returned cannot be told to the model: {told.error}"
            outcome = told if told.error is None else Outcome(error=reason)
        if outcome.error is not None:
            return _error(command, outcome.error, bound.attempts)
        return ToolReturned(command.reply, command.id, result=outcome.value, attempts=bound.attempts)

    def _tools(self, agent: Agent) -> dict[str, Tool]:
        return {tool.name: tool for tool in (*self._more(), *(agent.tools or ()))}

    def _built_in(self, agent: Agent, command: RunTool) -> ToolReturned:
        spec = next((spec for spec in BUILT_IN if spec.name == command.name), None)
        if spec is None:
            there = ", ".join(each.name for each in self.specs(agent))
            return _error(command, f"There is no tool named {command.name!r}; the tools are: {there}.")
        arguments = read_arguments(command.name, command.arguments)
        check_arguments(command.name, spec.parameters, arguments)
        if spec is END_CALL:
            reason = str(arguments.get("reason") or "").strip()
            if find(agent.guardrails or (), reason) is not None:
                reason = ""  # it is kept with the call, and what a guardrail blocks is kept nowhere
            self._post(HangUpRequested(f"ended by the agent: {reason}" if reason else "ended by the agent", polite=True))
            return ToolReturned(command.reply, command.id, result=GOODBYE, ends_reply=True)
        return self._transfer(agent, command, arguments)

    def _transfer(self, agent: Agent, command: RunTool, arguments: Mapping[str, Any]) -> ToolReturned:
        if self._control.is_transferring:
            return _error(command, TRANSFERRING)
        try:
            given = (arguments["number"], arguments.get("mode", "cold"), arguments.get("summary", ""))
            order = transfer_order(*given, polite=True)
        except ConfigError as error:
            return _error(command, str(error))
        if find(agent.guardrails or (), order.summary) is not None:
            return _error(command, "The summary says what must not be said; put it in other words.")
        self._post(order)
        return ToolReturned(command.reply, command.id, result=HANDED_OVER[order.mode])

    async def _attempts(self, command: RunTool, tool: Tool, bound: Bound) -> Outcome:
        """What came of it. The tool's deadline holds for all tries together; a webhook tries again by itself."""
        loop = asyncio.get_running_loop()
        until = loop.time() + tool.timeout_s
        repeats = tool.idempotent and bound.kind != "webhook"
        while True:
            outcome = await self._once(command, bound, until)
            if outcome.late:  # the last try has less time than the tool, whose own limit is told
                return Outcome(error=f"{command.name} took longer than {tool.timeout_s:g} s.")
            wait = BACKOFF_SECONDS * 2 ** (bound.attempts - 1)
            if outcome.error is None or not repeats or bound.attempts == ATTEMPTS or loop.time() + wait >= until:
                return outcome
            await asyncio.sleep(wait)
            bound.attempts += 1

    async def _once(self, command: RunTool, bound: Bound, until: float) -> Outcome:
        outcome = await self._user_code.call(bound.call, deadline_seconds=_left(until), name=command.name)
        return await self._reported(command, outcome.value, until) if inspect.isasyncgen(outcome.value) else outcome

    async def _reported(self, command: RunTool, generator: AsyncGenerator[Any, Any], until: float) -> Outcome:
        """What an async generator gives: `{"progress": ...}` on the way, `{"result": ...}` or its last value in the end."""
        result = Outcome()
        reports = self._user_code.yielded(generator, deadline_seconds=_left(until), name=command.name, together=True)
        async with closing(reports) as pieces:
            async for piece in pieces:
                if piece.error is not None:
                    return piece
                if isinstance(piece.value, Mapping) and "result" in piece.value:
                    return Outcome(piece.value["result"])  # what it would do after its result is its own affair
                if isinstance(piece.value, Mapping) and "progress" in piece.value:
                    self._progress(command.id, command.name, str(piece.value["progress"]))
                else:
                    result = piece
        return result


def _left(until: float) -> float:
    return max(0.001, until - asyncio.get_running_loop().time())


def as_text(value: object) -> str:
    """A value as JSON, for a model."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    if inspect.iscoroutine(value):
        value.close()  # nobody will await it
    if inspect.iscoroutine(value) or inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise ToolError(f"a {type(value).__name__.replace('_', ' ')} holds no value yet; return what it gives.")
    dump = getattr(value, "model_dump", None)  # a pydantic model
    if callable(dump) and not inspect.isclass(value):
        return dump(mode="json")
    return vars(value) if hasattr(value, "__dataclass_fields__") else str(value)


def _error(command: RunTool, sentence: str, attempts: int = 1) -> ToolReturned:
    return ToolReturned(command.reply, command.id, error=sentence, attempts=attempts)
