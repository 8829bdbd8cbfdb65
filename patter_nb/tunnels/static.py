"""A host name that leads here already: a reverse proxy, a named tunnel, a machine with a public address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from patter_nb.tunnels.base import OpenTunnel, Tell
from patter_nb.tunnels.host import public_host


@dataclass(frozen=True, slots=True)
class Static:
    """Your own public host name, which you lead to the server's port yourself: `Static("calls.example.com")`.

    It must answer HTTPS with a valid certificate. A URL will do; a port other than 443 is kept.
    """

    hostname: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "hostname", public_host(self.hostname, "Static(hostname)"))

    @asynccontextmanager
    async def open(self, port: int, tell: Tell) -> AsyncIterator[OpenTunnel]:  # noqa: ARG002 (as every tunnel)
        """Give the name; nothing is opened, so nothing could be lost."""
        yield OpenTunnel(self.hostname)
