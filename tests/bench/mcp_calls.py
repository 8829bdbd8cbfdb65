"""Spoken calls whose agent uses a tool of an official MCP server: over pipes and over HTTP, with the on-device parts.

Run it with `python tests/bench/mcp_calls.py`; it needs the extras local and mcp. The server is `tests/tools/mcp_server.py`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from patter_nb import CustomLLM, LocalSTT, LocalTTS, Patter
from patter_nb.turns.messages import ToolRequest

SERVER = str(Path(__file__).parents[1] / "tools" / "mcp_server.py")


async def model(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> AsyncIterator[Any]:
    """Asks for the first tool whose name ends in "book", and says what it returned."""
    if messages[-1]["role"] == "tool":
        yield f"It is booked: {messages[-1]['content']} days."
        return
    names = [each["function"]["name"] for each in tools]
    (name,) = [each for each in names if each.endswith("book")]
    yield ToolRequest("t1", name, '{"city": "Paris", "days": 2}')


async def one_call(name: str, server: Any) -> None:
    phone = Patter(store=False)
    parts = {"stt": LocalSTT(), "llm": CustomLLM(model), "tts": LocalTTS()}
    agent = phone.agent("A test.", first_message="Good evening!", mcp_servers=[server], **parts)
    call = await phone.test(agent, ["Please book a room in Paris for two days."], show=False)
    turn, run = call.turns.iloc[-1], phone.tools_log.iloc[-1]
    print(f"{name}: {run['name']} returned {run['result']!r} in {run['ms']:.1f} ms, error {run['error']}")
    print(f"    caller {turn['caller_text']!r}; heard {turn['heard_text']!r}; gap {turn['gap_ms']:.0f} ms")


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server did not listen within 10 s")


def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    asyncio.run(one_call("over pipes", {"command": sys.executable, "args": [SERVER]}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = subprocess.Popen([sys.executable, SERVER, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        asyncio.run(one_call("over HTTP", {"url": f"http://127.0.0.1:{port}/mcp", "allow_private": True}))
    finally:
        served.terminate()
        served.wait(10)


if __name__ == "__main__":
    main()
