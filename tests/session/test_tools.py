"""Running what a model asks for."""

import asyncio

import pytest

from patter_nb.providers.base import ToolSpec
from patter_nb.session.tools import run_tool
from patter_nb.session.user_code import UserCode
from patter_nb.turns.commands import RunTool


def broken(arguments: dict) -> str:
    raise ValueError("no such table")


TOOLS = {
    "greet": (ToolSpec("greet", "", {}), lambda arguments: f"Hello {arguments['name']}"),
    "count": (ToolSpec("count", "", {}), lambda arguments: {"n": len(arguments)}),
    "broken": (ToolSpec("broken", "", {}), broken),
}

CASES = [
    ("greet", '{"name": "Ann"}', "Hello Ann", None),
    ("count", "", '{"n": 0}', None),
    ("count", "[1]", None, "must be a JSON object, not list"),
    ("count", "{", None, "are not JSON"),
    ("broken", "{}", None, "broken raised ValueError: no such table"),
    ("transfer", "{}", None, "There is no tool named 'transfer'; the tools are: greet, count, broken."),
]


@pytest.mark.parametrize(("name", "arguments", "result", "error"), CASES)
def test_a_tools_end_is_told_to_the_model(name: str, arguments: str, result: str | None, error: str | None) -> None:
    returned = asyncio.run(run_tool(TOOLS, UserCode(), RunTool(3, "c1", name, arguments)))
    assert (returned.reply, returned.id, returned.result) == (3, "c1", result)
    assert (error or "") in (returned.error or "")
    assert (returned.error is None) == (error is None)
