"""What is asked of a language model."""

from __future__ import annotations

import json
from functools import partial

from patter_nb.providers.base import LLM, TextDelta, ToolSpec
from patter_nb.testing.harness import (
    Rule,
    call_context,
    check,
    kind,
    require,
    require_context,
    require_iterator,
    require_usage,
    stop_early,
)
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Usage

MESSAGES = (
    Message("system", "You are the receptionist of Acme. Dinner is served from six to ten. Breakfast is from seven to nine."),
    Message("user", "When is dinner, please?"),
)
TOOLS = (
    ToolSpec(
        "look_up",
        "Looks a guest up by name.",
        {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    ),
)
AT_ONCE_CHARACTERS = 80
"""An answer longer than this must not come in one piece: its first sentence could have been spoken already."""


async def check_llm(llm: LLM, *, failing: LLM | None = None, patience_seconds: float = 20.0) -> None:
    """Hold every rule of the `LLM` protocol against `llm`; `ConformanceError` names the first that it breaks.

    It is asked a handful of questions. `failing` is one that is set up so that its first request fails, if there is a way: its
    error is checked, too. `patience_seconds` bounds each rule.
    """
    await check(llm, failing, LLM, _rules, patience_seconds)


def _rules(llm: LLM) -> list[Rule]:
    return [
        Rule("answering", partial(_answers, llm)),
        Rule("opening a second time", partial(_answers, llm)),
        Rule("closing the iterator of reply() early", partial(_stops, llm)),
    ]


async def _answers(llm: LLM) -> None:
    async with require_context(llm.open(call_context())) as stream:
        texts: list[str] = []
        tools: list[ToolRequest] = []
        usages: list[Usage] = []
        async for event in require_iterator(stream.reply(MESSAGES, TOOLS), "reply()"):
            if isinstance(event, TextDelta):
                require(isinstance(event.text, str), f"a TextDelta holds a {type(event.text).__name__}; it holds a string.")
                texts.append(event.text)
            elif isinstance(event, ToolRequest):
                tools.append(event)
            else:
                require(isinstance(event, Usage), f"reply() yielded a {kind(event)}; it yields TextDelta, ToolRequest and Usage.")
                usages.append(event)
        text = "".join(texts)
        require(bool(text.strip() or tools), "reply() answered nothing: neither text nor a request for a tool.")
        at_once = len(texts) == 1 and len(text) > AT_ONCE_CHARACTERS
        require(not at_once, f"reply() brought its {len(text)} characters at once; yield text as it comes.")
        _require_tools(tools)
        require_usage(llm, "llm", usages, "reply()")


def _require_tools(tools: list[ToolRequest]) -> None:
    ids = [tool.id for tool in tools]
    require(all(ids) and len(set(ids)) == len(ids), f"reply() asked for tools under the ids {ids}; each needs one of its own.")
    known = [tool.name for tool in TOOLS]
    for tool in tools:
        require(tool.name in known, f"reply() asked for the tool {tool.name!r}; it was told of {known}.")
        require(_is_object(tool.arguments), f"reply() asked for a tool with {tool.arguments!r}; arguments are a JSON object.")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


async def _stops(llm: LLM) -> None:
    async with require_context(llm.open(call_context())) as stream:
        await stop_early(require_iterator(stream.reply(MESSAGES, ()), "reply()"), "reply()", TextDelta | ToolRequest)
    await _answers(llm)
