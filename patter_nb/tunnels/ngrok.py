"""A tunnel of ngrok: by its own package in this process, or one that runs already."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from patter_nb.errors import CarrierError, need, scrub
from patter_nb.keys import find, missing
from patter_nb.tunnels.base import OpenTunnel, Tell
from patter_nb.tunnels.host import public_host

KEY = "NGROK_AUTHTOKEN"
SECONDS = 30.0
"""How long ngrok may take to open or to close."""


@dataclass(frozen=True, slots=True)
class Ngrok:
    """A tunnel of ngrok. `Ngrok()` opens one with the `ngrok` package and the key NGROK_AUTHTOKEN; `hostname` asks for a domain
    of your account.

    With a hostname and without the package or the key, an ngrok that you run yourself at that name is taken as it is. Tried with
    a stand-in for the package that offers what its types offer, never with ngrok itself.
    """

    hostname: str = ""
    authtoken: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.hostname:
            object.__setattr__(self, "hostname", public_host(self.hostname, "Ngrok(hostname)"))

    @asynccontextmanager
    async def open(self, port: int, tell: Tell) -> AsyncIterator[OpenTunnel]:
        """Open it to the port, or give the name of the one that runs already."""
        token = self.authtoken or find(KEY)
        if self.hostname and not (token and importlib.util.find_spec("ngrok")):
            tell(f"Tunnel: the ngrok that runs at {self.hostname} must lead to port {port}")
            yield OpenTunnel(self.hostname)
            return
        need("ngrok", extra="ngrok", what="Ngrok()")
        if not token:
            raise missing(KEY, "Ngrok()")
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        session = await self._session(token, lost)
        try:
            host = await self._listen(session, port)
            tell(f"Tunnel: https://{host}")
            yield OpenTunnel(host, lost)
        finally:
            lost.cancel()
            await _bounded(session.close(), "closed")

    async def _session(self, token: str, lost: asyncio.Future[str]) -> Any:
        import ngrok

        loop = lost.get_loop()

        def lose() -> None:
            if not lost.done():
                lost.set_result("ngrok was stopped from its dashboard")

        def stopped() -> None:  # on a thread of ngrok's
            loop.call_soon_threadsafe(lose)

        builder = ngrok.SessionBuilder().authtoken(token).handle_stop_command(stopped)
        return await _bounded(builder.connect(), "opened")

    async def _listen(self, session: Any, port: int) -> str:
        endpoint = session.http_endpoint()
        if self.hostname:
            endpoint = endpoint.domain(self.hostname)
        listener = await _bounded(endpoint.listen_and_forward(f"http://127.0.0.1:{port}"), "opened")
        return str(urlsplit(listener.url()).netloc)


async def _bounded(work: Any, done: str) -> Any:
    """What ngrok gives, its errors as one sentence."""
    try:
        async with asyncio.timeout(SECONDS):
            return await work
    except TimeoutError:
        raise CarrierError(f"The tunnel of ngrok was not {done} within {SECONDS:g} s.") from None
    except ValueError as error:  # its only error: sentences, and a code such as ERR_NGROK_334
        told = scrub(": ".join(" ".join(str(each).split()).rstrip(".") for each in error.args))[:300]
        raise CarrierError(f"The tunnel of ngrok could not be {done}: {told}.") from None
