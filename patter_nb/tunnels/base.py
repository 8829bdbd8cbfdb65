"""What a tunnel is: a public host name whose calls reach one port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Tell = Callable[[str], None]
"""Takes a line of progress, one for each thing that is waited for."""


@dataclass(frozen=True, slots=True)
class OpenTunnel:
    """A tunnel that stands: `host` is its public name, without a scheme.

    `lost` is done, with the reason in a few words, when the tunnel has ended by itself, and cancelled when it is closed; None
    when nobody could know.
    """

    host: str
    lost: asyncio.Future[str] | None = None


@runtime_checkable
class Tunnel(Protocol):
    """Makes one port of this machine public. Settings only: what is open belongs to the `async with` that opened it."""

    def open(self, port: int, tell: Tell) -> AbstractAsyncContextManager[OpenTunnel]:
        """Open it to `port` of 127.0.0.1, and to no other; it stands when this is entered, and is closed when it is left."""
        ...
