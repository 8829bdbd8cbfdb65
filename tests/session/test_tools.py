"""Running what a model asks for."""

import asyncio
import datetime

import pytest

from patter_nb.providers.base import ToolSpec
from patter_nb.session.tools import run_tool
from patter_nb.session.user_code import UserCode
from patter_nb.turns.commands import RunTool


def broken(arguments: dict) -> str:
    raise ValueError("no such table")


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words for it")


def knot(arguments: dict) -> list:
    tied: list = []
    tied.append(tied)
    return tied


TOOLS = {
    "knot": (ToolSpec("knot", "", {}), knot),
    "odd": (ToolSpec("odd", "", {}), lambda _: {(1, 2): 3}),
    "unspeakable": (ToolSpec("unspeakable", "", {}), lambda _: Unspeakable()),
    "date": (ToolSpec("date", "", {}), lambda _: {"on": datetime.date(2026, 7, 20)}),
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
    ("transfer", "{}", None, "There is no tool named 'transfer'; the tools are: knot, odd,"),
    ("count", "[" * 2_000, None, "are not JSON"),
    ("date", "", '{"on": "2026-07-20"}', None),
    ("knot", "", None, "What knot returned cannot be told to the model: _as_json raised ValueError: Circular"),
    ("odd", "", None, "What odd returned cannot be told to the model: _as_json raised TypeError: keys must be"),
    ("unspeakable", "", None, "What unspeakable returned cannot be told to the model: _as_json raised RuntimeError: no words"),
]


@pytest.mark.parametrize(("name", "arguments", "result", "error"), CASES)
def test_a_tools_end_is_told_to_the_model(name: str, arguments: str, result: str | None, error: str | None) -> None:
    returned = asyncio.run(run_tool(TOOLS, UserCode(), RunTool(3, "c1", name, arguments)))
    assert (returned.reply, returned.id, returned.result) == (3, "c1", result)
    assert (error or "") in (returned.error or "")
    assert (returned.error is None) == (error is None)
