"""One client for all calls of a loop, and nothing left when they are over."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack

import httpx
import pytest
from openai_server import says, serving

from patter_nb.providers.openai_compatible.client import http_client


def test_calls_of_one_loop_share_a_client_which_the_last_one_closes():
    async def main():
        async with AsyncExitStack() as first, AsyncExitStack() as second:
            clients = [await each.enter_async_context(http_client()) for each in (first, second)]
            assert clients[0] is clients[1]
            await first.aclose()
            assert not clients[1].is_closed
            await second.aclose()
            assert clients[1].is_closed
            async with http_client() as another:
                assert another is not clients[0]
        return clients[0]

    assert asyncio.run(main()) is not asyncio.run(main())  # each loop has its own


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_server_on_this_machine_is_not_asked_through_a_proxy(name, monkeypatch):
    monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def main():
        async with serving(says("Hi")) as server, http_client() as client:
            return (await client.post(f"{server.url}/chat/completions", json={})).status_code

    assert asyncio.run(main()) == 200


def test_a_proxy_of_the_environment_is_used_for_other_hosts(monkeypatch):
    async def main():
        async with serving(says("Hi")) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
            async with http_client() as client:
                await client.post("http://models.invalid/v1/chat/completions", json={})
            return proxy.requests[0].path

    assert asyncio.run(main()) == "http://models.invalid/v1/chat/completions"


LOADED = """
import asyncio, sys
from patter_nb import OpenAICompatibleLLM
from patter_nb.providers.base import CallContext
from patter_nb.turns.messages import Message

async def main(llm):
    async with llm.open(CallContext("call-1")) as opened:
        try:
            async for _ in opened.reply([Message("user", "Hi")], ()):
                pass
        except Exception as error:
            assert "cannot be reached" in str(error), error

llm = OpenAICompatibleLLM("m", base_url="http://127.0.0.1:1/v1")
assert "httpx" not in sys.modules
llm.ready()
before = set(sys.modules)
asyncio.run(main(llm))
print([name for name in set(sys.modules) - before if name.split(".")[0] not in sys.stdlib_module_names])
"""


def test_nothing_is_imported_within_a_call_that_was_not_loaded_by_ready():
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_request_is_possible_again_after_all_were_over():
    async def main():
        async with serving(says("Hi")) as server:
            for _ in range(2):
                async with http_client() as client:
                    response = await client.post(f"{server.url}/chat/completions", json={})
                    assert isinstance(response, httpx.Response)

    asyncio.run(main())
