"""An HTTP client of the MCP package's own kind that connects to one checked address only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patter_nb.errors import need
from patter_nb.tools.tool import ToolError
from patter_nb.web.address import Target
from patter_nb.web.post import tls

SILENT_SECONDS = 300.0
"""How long a server's stream of events may be silent before it is opened anew (the MCP package's own default)."""


def pinned_client(target: Target, headers: Mapping[str, str] | None, timeout_seconds: float) -> Any:
    """An `AsyncClient` that sends everything to `target.address`, and nothing to any other host or port."""
    httpx = need("httpx2", extra="mcp", what="mcp_servers=")

    class Pinned(httpx.AsyncHTTPTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            host = request.url.raw_host.decode("ascii").lower().removesuffix(".")
            if (host, request.url.port or target.port) != (target.host, target.port):
                raise ToolError(f"The MCP server {target.host} leads on to {host}, which is not followed.")
            request.url = request.url.copy_with(host=target.address)
            request.extensions = {**request.extensions, "sni_hostname": target.host}
            return await super().handle_async_request(request)

    transport = Pinned(verify=tls(), trust_env=False)
    timeout = httpx.Timeout(timeout_seconds, read=SILENT_SECONDS)
    return httpx.AsyncClient(transport=transport, headers=dict(headers or {}), timeout=timeout, trust_env=False)
