"""The Tools tab: which tools an agent has, edits of what its model is told of them, and trying one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from patter_nb.notebook.studio.tools_tab import ToolsTab, tools_tab
from patter_nb.tools import Tool, tool


@tool(reassurance="One moment.", timeout_s=2)
def free_table(guests: int, hour: int = 19) -> str:
    """Look for a free table."""
    return f"Table four is free for {guests} at {hour}."


@tool
def closed(name: str) -> str:
    """Book a table."""
    raise ValueError(f"{name} is not welcome")


@tool
async def counted() -> AsyncIterator[Any]:
    """Count."""
    yield {"progress": "one"}
    yield {"result": "two"}


WEATHER = Tool("weather", "The weather.", webhook_url="https://weather.example.com/now?key=secret")


def shown(tab: ToolsTab, name: str) -> dict[str, Any]:
    return next(each for each in tab.widget.state["tools"] if each["name"] == name)


def test_tools_are_shown_with_what_runs_them_and_those_every_agent_has_as_such(desk):
    async def main() -> None:
        desk.agent(tools=[free_table, WEATHER])
        tab = tools_tab(desk.ports(), "agent")
        table, weather, end = (shown(tab, name) for name in ("free_table", "weather", "end_call"))
        assert (table["kind"], table["runs"], table["timeout_s"], table["on"]) == ("function", "free_table", 2, True)
        assert table["filler"] == "One moment."
        assert (weather["kind"], weather["runs"]) == ("webhook", "weather.example.com")
        assert (end["kind"], end["on"]) == ("built in", True)
        assert json.loads(table["schema"])["required"] == ["guests"]
        assert "secret" not in json.dumps(tab.widget.state)

    desk.run(main())


def test_a_tool_that_takes_the_name_of_one_that_is_always_there_is_shown_once(desk):
    async def main() -> None:
        desk.agent(tools=[Tool("end_call", "Mine.", handler=lambda: "bye")])
        tab = tools_tab(desk.ports(), "agent")
        assert [each["kind"] for each in tab.widget.state["tools"] if each["name"] == "end_call"] == ["function"]

    desk.run(main())


def test_a_tool_is_switched_off_and_on_again_as_the_object_it_was(desk):
    async def main() -> None:
        desk.agent(tools=[free_table, closed])
        tab = tools_tab(desk.ports(), "agent")
        page = desk.page(tab.widget)
        assert (await page.apply(on__free_table=False))["applies"] == {"tools": "next turn"}
        assert desk.phone.line().newest.agent.tools == (closed,)
        await desk.until(lambda: not shown(tab, "free_table")["on"])
        await page.apply(on__free_table=True)
        assert set(desk.phone.line().newest.agent.tools) == {free_table, closed}
        assert next(each for each in desk.phone.line().newest.agent.tools if each.name == "free_table") is free_table

    desk.run(main())


def test_what_a_model_is_told_of_a_tool_can_be_another_text_and_another_schema(desk):
    async def main() -> None:
        desk.agent(tools=[free_table, closed])
        page, live = desk.page(tools_tab(desk.ports(), "agent").widget), desk.phone.call()
        schema = {"type": "object", "properties": {"guests": {"type": "integer", "maximum": 8}}, "required": ["guests"]}
        assert (await page.apply(description__free_table="Ask me.", schema__free_table=json.dumps(schema)))["state"] == "staged"
        live.take(2)
        changed, other = live.current.agent.tools
        assert (changed.spec.description, changed.spec.parameters["properties"]["guests"]["maximum"]) == ("Ask me.", 8)
        assert (changed.handler, changed.timeout_s, changed.filler, other) == (free_table.handler, 2, free_table.filler, closed)

    desk.run(main())


WRONG = [
    ("{", "The schema of free_table is not JSON"),
    ('{"type": "array"}', "parameters of tool 'free_table'"),
    ('{"type": "object", "properties": 3}', "parameters of tool 'free_table'"),
]


@pytest.mark.parametrize(("schema", "says"), WRONG, ids=[case[0] for case in WRONG])
def test_a_schema_that_is_none_is_refused_beside_its_field(desk, schema, says):
    async def main() -> None:
        desk.agent(tools=[free_table])
        page = desk.page(tools_tab(desk.ports(), "agent").widget)
        answer = await page.apply(description__free_table="New.", schema__free_table=schema)
        assert (answer["ok"], answer["field"], len(desk.phone.line().revisions)) == (False, "schema:free_table", 1)
        assert answer["error"].startswith(says), answer["error"]

    desk.run(main())


def test_an_edit_takes_the_tool_that_a_cell_has_made_meanwhile(desk):
    async def main() -> None:
        desk.agent(tools=[free_table, closed])
        page = desk.page(tools_tab(desk.ports(), "agent").widget)
        desk.phone.tool(name="free_table", description="New code.", handler=lambda: "new")
        await page.apply(on__closed=False)
        (left,) = desk.phone.line().newest.agent.tools
        assert left.description == "New code."

    desk.run(main())


TRIALS = [
    ("free_table", {"guests": 3}, "Table four is free for 3 at 19.", None),
    ("free_table", {"guests": "many"}, None, "guests"),
    ("closed", {"name": "Ann"}, None, "Ann is not welcome"),
    ("counted", {}, "two", None),
    ("end_call", {}, "The call ends", None),
    ("nothing", {}, None, "There is no tool named 'nothing'"),
]


@pytest.mark.parametrize(("name", "arguments", "result", "error"), TRIALS, ids=[f"{case[0]}{case[1]}" for case in TRIALS])
def test_trying_a_tool_tells_what_a_model_would_be_told(desk, name, arguments, result, error):
    async def main() -> None:
        desk.agent(tools=[free_table, closed, counted])
        page = desk.page(tools_tab(desk.ports(), "agent").widget)
        number = page.order("try", name=name, arguments=json.dumps(arguments))
        assert page.told(number)[0]["ok"]
        await desk.until(lambda: bool(page.told(number, "tried")))
        (tried,) = page.told(number, "tried")
        assert result is None or tried["result"].startswith(result)
        assert error is None or error in tried["error"]
        assert tried["ms"] >= 0

    desk.run(main())


def test_reports_on_the_way_and_orders_of_a_tool_that_is_tried_are_told(desk):
    async def main() -> None:
        desk.agent(tools=[counted])
        page = desk.page(tools_tab(desk.ports(), "agent").widget)
        for number, (name, said) in enumerate([("counted", "one"), ("end_call", "in a call, this hangs up")], 1):
            page.order("try", name=name, arguments="{}")
            await desk.until(lambda: bool(page.told(number, "tried")))  # noqa: B023 (it is awaited here)
            assert page.told(number, "tried")[0]["progress"] == [said]

    desk.run(main())


def test_a_trial_ends_with_its_tab(desk):
    async def main() -> None:
        ended: list[str] = []

        async def slow() -> str:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("yes")
            return ""

        desk.agent(tools=[tool(name="slow", description="")(slow)])
        tab = tools_tab(desk.ports(), "agent")
        desk.page(tab.widget).order("try", name="slow", arguments="{}")
        for _ in range(10):
            await asyncio.sleep(0)
        tab.close()
        for _ in range(10):
            await asyncio.sleep(0)
        assert ended == ["yes"]

    desk.run(main())
