"""MCP servers: official ones, over pipes and over HTTP, whose tools are tools like others."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests_of_web_listener import listening

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.tools import ToolArgumentsError, ToolError
from patter_nb.tools.mcp import McpServer, connect, read_servers

pytestmark = pytest.mark.slow  # real servers, as processes and over HTTP

SERVER = str(Path(__file__).with_name("mcp_server.py"))
PIPES = McpServer(command=sys.executable, args=(SERVER,), name="desk")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def web():
    """The same server over HTTP; its URL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, SERVER, str(port)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.1):
            break
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


@pytest.fixture(params=["pipes", "web"])
def server(request):
    if request.param == "pipes":
        return PIPES
    return McpServer(url=request.getfixturevalue("web"), allow_private=True, name="desk")


def connected(function):
    """A test of a server and its connection's tools by name."""

    @functools.wraps(function)
    def test(server):
        async def main():
            async with asyncio.timeout(30), connect(server) as connection:
                await function({tool.name: tool for tool in connection.tools})

        asyncio.run(main())

    del test.__wrapped__  # whose parameters are no fixtures
    return test


async def ask(tool, **arguments):
    return await tool.bind(json.dumps(arguments), {}).call()


@connected
async def test_tools_of_a_server_are_tools(tools):
    assert set(tools) == {"book", "rooms_free", "refuse", "environment", "header", "leave"}
    assert tools["book"].spec.description == "Book a room."
    properties = {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}}
    assert tools["book"].spec.parameters == {"type": "object", "properties": properties, "required": ["city"]}
    assert tools["book"].bind('{"city": "Rome"}', {}).kind == "async"


@connected
async def test_what_a_tool_answers_is_its_text(tools):
    assert await ask(tools["book"], city="Rome", days=2) == "Rome for 2"
    assert await ask(tools["rooms_free"]) == "one\ntwo"
    assert await asyncio.gather(*(ask(tools["book"], city=str(n)) for n in range(10))) == [f"{n} for 1" for n in range(10)]


@connected
async def test_an_error_of_a_tool_is_one_for_the_model(tools):
    with pytest.raises(ToolError, match=r"There is no room left\."):
        await ask(tools["refuse"])
    assert await ask(tools["book"], city="Rome") == "Rome for 1"  # the connection goes on


@connected
async def test_arguments_are_checked_before_they_are_sent(tools):
    for arguments, sentence in (
        ({}, "city is missing"),
        ({"city": 5}, "city is 5"),
        ({"city": "Rome", "x": 1}, "no argument 'x'"),
    ):
        with pytest.raises(ToolArgumentsError, match=sentence):
            await ask(tools["book"], **arguments)


@connected
async def test_a_tool_may_be_called_from_another_loop(tools):
    answers = []
    caller = threading.Thread(target=lambda: answers.append(asyncio.run(ask(tools["book"], city="Rome"))))
    caller.start()
    await asyncio.to_thread(caller.join, 10)
    assert answers == ["Rome for 1"]


def in_connection(server, function):
    async def main():
        async with asyncio.timeout(30), connect(server) as connection:
            return await function({tool.name: tool for tool in connection.tools})

    return asyncio.run(main())


def test_headers_are_sent_and_never_shown(web):
    server = McpServer(url=f"{web}?key=hunter2", headers={"X-Key": "hunter2"}, allow_private=True)
    assert in_connection(server, lambda tools: ask(tools["header"], name="x-key")) == "hunter2"
    assert re.fullmatch(rf"McpServer\('{re.escape(web)}\?•••#[0-9a-f]{{8}}'\)", repr(server))
    assert repr(McpServer(url=web, allow_private=True)) == f"McpServer('{web}')"


def test_a_process_gets_its_own_environment_and_no_keys_of_ours(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2")
    server = McpServer(command=sys.executable, args=[SERVER], env={"DESK": "front"})

    async def ask_both(tools):
        return [await ask(tools["environment"], name=name) for name in ("DESK", "OPENAI_API_KEY")]

    assert in_connection(server, ask_both) == ["front", "unset"]
    assert in_connection(PIPES, ask_both) == ["unset", "unset"]


CELL = """
import asyncio, sys
from patter_nb.tools import ToolError
from patter_nb.tools.mcp import McpServer, connect

async def main():
    async with connect(McpServer(command=sys.executable, args=(sys.argv[1],))) as connection:
        assert connection.tools
    try:
        async with connect(McpServer(command=sys.executable, args=("-c", "print('no message')"))):
            pass
    except ToolError:
        print("refused")

asyncio.run(main())
"""


@pytest.mark.slow
def test_nothing_is_printed_under_a_users_cell():
    done = subprocess.run([sys.executable, "-c", CELL, SERVER], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def running(marker):
    """Whether a process with `marker` among its arguments is running."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            commands.append(path.read_bytes())
    return any(marker.encode() in command for command in commands)


def test_the_end_of_the_block_ends_the_process():
    marker = f"--marker-{os.getpid()}-{time.monotonic_ns()}"
    server = McpServer(
        command=sys.executable, args=("-c", f"import runpy; runpy.run_path({SERVER!r}, run_name='__main__')  # {marker}")
    )

    async def seen(tools):
        return running(marker)

    begun = time.monotonic()
    assert in_connection(server, seen)
    assert not running(marker)
    assert time.monotonic() - begun < 30


STUBBORN = f"""
import signal, runpy, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Thread(target=time.sleep, args=(60,)).start()  # it stays although its input has ended
runpy.run_path({SERVER!r}, run_name="__main__")
"""


@pytest.mark.slow
def test_a_server_that_does_not_close_is_not_waited_for_longer_than_two_seconds():
    async def main():
        async with asyncio.timeout(30):
            async with connect(McpServer(command=sys.executable, args=("-c", STUBBORN))) as connection:
                assert connection.tools
                begun = time.monotonic()
        left = time.monotonic() - begun
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert others  # it is still being ended, beside the caller
        await asyncio.wait(others, timeout=20)
        return left

    assert 1.5 < asyncio.run(main()) < 3.0


def test_an_error_within_the_block_is_the_one_that_comes_out():
    async def main():
        async with connect(PIPES):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(main())


def test_a_server_that_leaves_in_the_middle_is_an_error_of_the_call_and_not_of_the_block():
    async def leave(tools):
        with pytest.raises(Exception, match="Connection closed"):
            await ask(tools["leave"])
        return "went on"

    assert in_connection(PIPES, leave) == "went on"


def test_connecting_can_be_given_up():
    marker = f"marker{os.getpid()}x{time.monotonic_ns()}"
    silent = McpServer(command=sys.executable, args=("-c", f"import sys; sys.stdin.read()  # {marker}"))

    async def main():
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), connect(silent):
                pass
        return time.monotonic() - begun

    assert asyncio.run(main()) < 5
    assert not running(marker)


UNREACHABLE = [
    (McpServer(command="/nonexistent/desk"), r"^The MCP server /nonexistent/desk cannot be used: .*No such file"),
    (
        McpServer(command=sys.executable, args=("-c", "pass"), name="desk"),
        r"^The MCP server desk cannot be used: Connection closed\.$",
    ),
    (
        McpServer(url="http://127.0.0.1:9/mcp"),
        r"leads to 127\.0\.0\.1, which is not on the public internet: set allow_private=True",
    ),
    (
        McpServer(url="http://127.0.0.1:9/mcp?code=hunter2", allow_private=True),
        r"^The MCP server http://127\.0\.0\.1:9/mcp\?•••#[0-9a-f]{8} cannot be used: ",
    ),
    (McpServer(url="http://127.0.0.1:9/mcp", allow_private=True), r"^The MCP server http://127\.0\.0\.1:9/mcp cannot be used: "),
]


@pytest.mark.parametrize(("server", "sentence"), UNREACHABLE, ids=[case[1] for case in UNREACHABLE])
def test_a_server_that_cannot_be_reached_is_one_sentence(server, sentence):
    with pytest.raises(ToolError, match=sentence) as refused:
        in_connection(server, None)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_elsewhere_is_not_followed(status):
    async def main():
        async with listening() as inside:
            moved = f"HTTP/1.1 {status} Moved\r\nlocation: http://127.0.0.1:{inside.port}/mcp\r\ncontent-length: 0\r\n\r\n"
            async with listening(moved.encode()) as outside:
                with pytest.raises(ToolError, match="cannot be used"):
                    async with (
                        asyncio.timeout(10),
                        connect(McpServer(url=f"http://127.0.0.1:{outside.port}/mcp", allow_private=True)),
                    ):
                        pass
                assert outside.requests
            assert inside.requests == []

    asyncio.run(main())


# What users write.

URL = "https://desk.example/mcp"


def test_a_server_may_be_written_in_three_ways():
    full = McpServer(url=URL, headers={"X-Key": "1"}, name="desk")
    process = McpServer(command="npx", args=("-y", "desk"))
    assert read_servers([URL, {"url": URL, "headers": {"X-Key": "1"}, "name": "desk"}, full]) == [McpServer(url=URL), full, full]
    assert read_servers(({"command": "npx", "args": ["-y", "desk"]},)) == [process]
    assert McpServer.of(URL) == McpServer(url=URL)


REFUSED = [
    (URL, ConfigTypeError, "mcp_servers is str; it must be a list"),
    ([5], ConfigTypeError, "mcp_servers holds int; it takes URLs, dictionaries and McpServer objects."),
    ([{}], ConfigError, "an MCP server needs exactly one of url and command."),
    ([{"url": URL, "command": "npx"}], ConfigError, "exactly one of url and command"),
    ([{"uri": URL}], ConfigError, "an MCP server has the key 'uri'; it takes url, headers, command"),
    ([{"s3cr3t-VALUE-987": URL}], ConfigError, "an MCP server has the key '•••'; it takes url, headers, command"),
    ([{"url": 5}], ConfigTypeError, "url of an MCP server is int; it must be a string."),
    ([{"url": URL, "args": ["x"]}], ConfigError, "args of an MCP server is for a command; take it away."),
    ([{"command": "npx", "headers": {"a": "b"}}], ConfigError, "headers of an MCP server is for a url; take it away."),
    ([{"command": "npx", "allow_private": True}], ConfigError, "allow_private of an MCP server is for a url"),
    ([{"command": "npx", "args": "-y desk"}], ConfigTypeError, "args of an MCP server must be a list of strings."),
    ([{"command": "npx", "args": [5]}], ConfigTypeError, "args of an MCP server must be a list of strings."),
    ([{"url": URL, "headers": ["hunter2"]}], ConfigTypeError, "headers of an MCP server must map strings to strings."),
    ([{"command": "npx", "env": {"hunter2": 5}}], ConfigTypeError, "env of an MCP server must map strings to strings."),
    ([{"url": URL, "timeout_s": "5"}], ConfigTypeError, "timeout_s of an MCP server is str; it must be a number of seconds."),
    ([{"url": URL, "timeout_s": 0}], ConfigError, "timeout_s of an MCP server is 0; it must lie from 0.1 to 300."),
    ([{"url": "desk.example"}], ConfigError, "url of an MCP server cannot be used: A URL must begin with http:// or https://."),
    ([{"url": "https://me:hunter2@desk.example/"}], ConfigError, "put credentials into headers"),
]


@pytest.mark.parametrize(("given", "kind", "sentence"), REFUSED, ids=[case[2] for case in REFUSED])
def test_what_is_no_server_is_one_sentence(given, kind, sentence):
    with pytest.raises(kind) as refused:
        read_servers(given)
    assert sentence in str(refused.value)
    assert "hunter2" not in str(refused.value)
