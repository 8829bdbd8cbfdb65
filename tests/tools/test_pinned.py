"""The HTTP client of MCP servers: whatever it is asked for, it connects to the address that was checked."""

from __future__ import annotations

import asyncio

import pytest
from tests_of_web_listener import listening

from patter_nb.tools import ToolError
from patter_nb.tools.pinned import pinned_client
from patter_nb.web.address import Target


def get(*urls, headers=None):
    """What a client for desk.example answers to each URL, and the requests that the server saw. `{port}` is the server's."""

    async def main():
        async with listening() as server:
            target = Target(f"http://desk.example:{server.port}/mcp", "http", "desk.example", server.port, "127.0.0.1")
            async with pinned_client(target, headers, 5.0) as client:
                for url in urls:
                    response = await client.get(url.format(port=server.port))
                    assert response.status_code == 200
            return server.port, list(server.requests)

    return asyncio.run(main())


def test_a_host_is_spoken_to_by_its_name_at_the_address_that_was_checked():
    port, (request, _) = get("http://desk.example:{port}/mcp", "http://DESK.example.:{port}/other", headers={"X-Key": "1"})
    assert request.startswith(b"GET /mcp HTTP/1.1\r\n")
    assert f"host: desk.example:{port}".encode() in request.lower()
    assert b"x-key: 1" in request.lower()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://other.example:{port}/", "http://desk.example:1/"])
def test_nothing_is_sent_to_another_host_or_port(url):
    with pytest.raises(ToolError, match=r"The MCP server desk\.example leads on to .*, which is not followed"):
        get(url)


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    get("http://desk.example:{port}/mcp")
