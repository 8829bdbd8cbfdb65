"""One HTTP client for all calls of an event loop, there as long as one of them is.

A client for each call would block the loop for tens of milliseconds (it reads the certificates), and share no connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from patter_nb.web.post import tls

if TYPE_CHECKING:
    import httpx

IDLE_SECONDS = 300.0
"""How long a connection is kept while nobody speaks; httpx alone would drop it after 5 s, in the middle of a caller's story."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Never asked through a proxy, whatever the environment says."""


@dataclass(slots=True)
class _Shared:
    client: httpx.AsyncClient
    users: int = 0


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


@cache
def load() -> None:
    """Import what the first request would, and read the certificates, once per process: it would hold up a call for 0.1 s."""
    import anyio
    import httpx

    httpx.AsyncClient(verify=tls())
    # The part of anyio that waits on asyncio is imported when a loop first needs it; the caller's thread may have one already.
    first = threading.Thread(target=anyio.run, args=(anyio.sleep, 0), name="load anyio")
    first.start()
    first.join()


@asynccontextmanager
async def http_client() -> AsyncIterator[httpx.AsyncClient]:
    """The running loop's client. The last to leave closes it, and with it every connection."""
    await asyncio.to_thread(load)
    loop = asyncio.get_running_loop()
    if loop not in _shared:
        import httpx

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=IDLE_SECONDS)
        direct = {f"all://{host}": None for host in LOOPBACK}
        _shared[loop] = _Shared(httpx.AsyncClient(verify=tls(), limits=limits, mounts=direct))
    mine = _shared[loop]
    mine.users += 1
    try:
        yield mine.client
    finally:
        mine.users -= 1
        if not mine.users:
            del _shared[loop]
            await mine.client.aclose()
