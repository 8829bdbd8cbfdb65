"""MCP servers in whole calls: official ones, over pipes and over HTTP, whose tools the agent's model calls."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from patter_nb.providers.custom import CustomLLM
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.tools import tool
from patter_nb.tools.mcp import McpServer
from patter_nb.turns.messages import ToolRequest

pytestmark = pytest.mark.slow  # real servers, as processes and over HTTP

Hold = Callable[..., Any]

SERVER = str(Path(__file__).parents[1] / "tools" / "mcp_server.py")
PIPES = McpServer(command=sys.executable, args=(SERVER,), name="desk")
NOWHERE = McpServer(command="/nonexistent/desk", name="gone")


@pytest.fixture(scope="module")
def web() -> Iterator[McpServer]:
    """The same server over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, SERVER, str(port)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.1):
            break
    yield McpServer(url=f"http://127.0.0.1:{port}/mcp", allow_private=True, name="desk")
    process.kill()
    process.wait()


def tells_what_it_was_told(*requests: ToolRequest) -> ScriptedLLM:
    """A model that asks for these tools, one an answer, and says what the last one returned."""
    left = list(requests)

    def answer(messages: Any) -> Any:
        told = [message.content for message in messages if message.role == "tool"]
        if left:
            return [left.pop(0)]
        return f"It says {told[-1]}." if told else "Nothing."

    return ScriptedLLM(answer)


BOOK = ToolRequest("t1", "book", '{"city": "Rome", "days": 2}')


@pytest.mark.parametrize("how", ["pipes", "web"])
def test_what_a_servers_tool_returned_is_spoken(hold: Hold, how: str, request: pytest.FixtureRequest) -> None:
    server = PIPES if how == "pipes" else request.getfixturevalue("web")
    held = hold(["One?"], llm=tells_what_it_was_told(BOOK), mcp_servers=[server])
    (run,) = held.turn(1).tools
    assert (run.name, run.result, run.error) == ("book", "Rome for 2", None)
    assert held.turn(1).heard_text == "It says Rome for 2."
    assert held.events("mcp_failed") == []
    assert held.error is None
    assert held.session.end_reason == "caller hung up"


def test_a_tool_that_refuses_tells_the_model_why(hold: Hold) -> None:
    held = hold(["One?"], llm=tells_what_it_was_told(ToolRequest("t1", "refuse", "{}")), mcp_servers=[PIPES])
    (run,) = held.turn(1).tools
    assert "There is no room left." in run.error
    assert "There is no room left." in held.turn(1).heard_text


def test_a_server_that_dies_in_the_call_is_an_error_of_its_tool_and_the_call_goes_on(hold: Hold) -> None:
    requests = ToolRequest("t1", "leave", "{}"), ToolRequest("t2", "book", '{"city": "Rome"}')
    held = hold(["One?", "Two?"], llm=tells_what_it_was_told(*requests), mcp_servers=[PIPES])
    assert [run.name for run in held.turn(1).tools] == ["leave", "book"]
    assert all(run.error and run.result is None for run in held.turn(1).tools)
    assert held.turn(2).heard_text.startswith("It says")
    assert held.error is None
    assert held.session.end_reason == "caller hung up"


def test_a_server_that_is_not_there_is_an_event_and_the_others_serve(hold: Hold) -> None:
    held = hold(["One?"], llm=tells_what_it_was_told(BOOK), mcp_servers=[NOWHERE, PIPES])
    ((failure,),) = [[each["error"] for each in held.events("mcp_failed")]]
    assert failure.startswith("The MCP server gone cannot be used: ")
    assert held.turn(1).heard_text == "It says Rome for 2."


def test_a_name_that_is_taken_is_told_and_the_agents_own_tool_stays(hold: Hold) -> None:
    mine = tool(name="book", description="Book.", handler=lambda city, days="1": f"mine of {city}")
    held = hold(
        ["One?"], llm=tells_what_it_was_told(ToolRequest("t1", "book", '{"city": "Rome"}')), tools=[mine], mcp_servers=[PIPES]
    )
    assert held.turn(1).heard_text == "It says mine of Rome."
    assert held.events("mcp_failed") == [
        {"error": "The tool 'book' of an MCP server has the name of another tool and is left out."}
    ]


def test_of_two_servers_with_the_same_tools_each_tool_is_there_once(hold: Hold) -> None:
    offered: list[str] = []

    async def generate(messages: Any, tools: Any) -> Any:
        offered.extend(each["function"]["name"] for each in tools)
        yield "Fine."

    held = hold(["One?"], llm=CustomLLM(generate, virtual_time=True), mcp_servers=[PIPES, PIPES])
    assert sorted(offered) == sorted(
        {"transfer_call", "end_call", "book", "rooms_free", "refuse", "environment", "header", "leave"}
    )
    assert len(held.events("mcp_failed")) == 6


def test_a_tool_that_cannot_be_used_costs_itself_alone_and_is_told(hold: Hold) -> None:
    """Schemas that are none, names that are none, and names that become the same: of each the others are there."""
    offered: list[str] = []

    async def generate(messages: Any, tools: Any) -> Any:
        offered.extend(each["function"]["name"] for each in tools)
        yield "Fine."

    odd = McpServer(command=sys.executable, args=(str(Path(SERVER).with_name("odd_mcp_server.py")),), name="odd")
    held = hold(["One?"], llm=CustomLLM(generate, virtual_time=True), mcp_servers=[odd])
    assert offered == ["transfer_call", "end_call", "book", "rooms_free", "x" * 64, "last"]
    told = [each["error"] for each in held.events("mcp_failed")]
    assert told == [
        "The tool 'definitions' of the MCP server odd cannot be used: its schema is none.",
        "The tool 'kind' of the MCP server odd cannot be used: parameters of tool 'kind' has type \"town\"; "
        "JSON knows string, integer, number, boolean, array, object, null.",
        "The tool '' of the MCP server odd cannot be used: "
        "name of a tool is ''; it must be 1 to 64 letters, digits, hyphens or underscores.",
        "The tool 'rooms/free' of the MCP server odd is called 'rooms_free' here, like another one, and is left out.",
        f"The tool {'x' * 64!r} of the MCP server odd is called {'x' * 64!r} here, like another one, and is left out.",
    ]


def test_the_end_of_the_call_ends_the_process(hold: Hold, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    code = f"""
import atexit, pathlib, runpy
mark = pathlib.Path({str(alive)!r})
mark.touch()
atexit.register(mark.unlink)
runpy.run_path({SERVER!r}, run_name="__main__")
"""
    seen: list[bool] = []
    look = tool(name="look", description="Look.", handler=lambda: seen.append(alive.exists()))
    hold(
        ["One?"], llm=tells_what_it_was_told(ToolRequest("t1", "look", "{}")), tools=[look],
        mcp_servers=[McpServer(command=sys.executable, args=("-c", code))],
    )  # fmt: skip
    assert seen == [True]
    assert not alive.exists()
