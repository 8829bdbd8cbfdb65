"""A call's way to the server: a connection at hand, one request at a time, the chunks of its answer as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patter_nb.providers.openai_compatible.failures import Failures
from patter_nb.providers.openai_compatible.servers import ENDPOINT
from patter_nb.providers.openai_compatible.sse import Decoder, ServerEvent, TooLongError

if TYPE_CHECKING:
    import httpx

CONNECTING_SECONDS = 10.0
LAST_WORDS_SECONDS = 1.0
"""How long the usage and the end of the stream may take after the answer was said to be over."""

LONGEST_ERROR = 64 * 1024
"""Bytes of an error's page that are read."""


@dataclass(slots=True)
class Connection:
    """Whatever goes wrong here is raised as `ProviderError`."""

    client: httpx.AsyncClient
    failures: Failures
    headers: Mapping[str, str]
    timeout_seconds: float
    _warming: asyncio.Task[None] | None = field(default=None, init=False)

    def warm(self) -> None:
        """Have a connection ready for the next request, unless one is being made."""
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._connect(), name=f"connect to {self.failures.provider}")

    async def close(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait({self._warming})

    async def _connect(self) -> None:
        import httpx

        with suppress(httpx.TransportError):  # the reply that needs it will tell
            # Nothing is generated and nothing is sent either way: all that counts is the connection, which stays.
            await self.client.head(f"{self.failures.server.url}/models", headers=self.headers, timeout=CONNECTING_SECONDS)

    async def ask(self, content: bytes) -> httpx.Response:
        """The response, to be read and closed."""
        import httpx

        try:
            try:
                response = await self._send(content)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # The server closed an idle connection at the very moment it was used again.
                response = await self._send(content)
            if response.status_code == 200 and "json" not in response.headers.get("content-type", ""):
                return response
            try:
                told = await _beginning(response)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise self.failures.unreachable(error, self.timeout_seconds) from None
        raise self.failures.status(response.status_code, told)

    async def _send(self, content: bytes) -> httpx.Response:
        import httpx

        timeout = httpx.Timeout(self.timeout_seconds, connect=min(self.timeout_seconds, CONNECTING_SECONDS))
        url = f"{self.failures.server.url}{ENDPOINT}"
        request = self.client.build_request("POST", url, content=content, headers=self.headers, timeout=timeout)
        return await self.client.send(request, stream=True, follow_redirects=False)

    async def chunks(self, response: httpx.Response, is_over: Callable[[], bool]) -> AsyncGenerator[Mapping[str, Any]]:
        """What the server sends, until it ends. Once `is_over()` it need not end properly, and is not waited for long."""
        decoder, received = Decoder(), response.aiter_bytes()
        came: bytes | None = b""
        while came is not None:
            came = await self._received(received, is_over())
            for event in self._decoded(decoder, came):
                if event.data == "[DONE]":
                    await _drain(received)
                    return
                yield self._parsed(event.data)

    async def _received(self, received: AsyncIterator[bytes], over: bool) -> bytes | None:
        """The next bytes; None at the end."""
        import httpx

        try:
            async with asyncio.timeout(LAST_WORDS_SECONDS if over else None):
                return await anext(received, None)
        except TimeoutError:
            return None
        except httpx.TransportError as error:
            if over:
                return None
            raise self.failures.unreachable(error, self.timeout_seconds) from None

    def _decoded(self, decoder: Decoder, came: bytes | None) -> list[ServerEvent]:
        try:
            return list(decoder.end() if came is None else decoder.feed(came))
        except TooLongError as error:
            raise self.failures.error(f"sent {error}.") from None

    def _parsed(self, data: str) -> Mapping[str, Any]:
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            raise self.failures.error(f"sent what is no JSON: {data[:80]!r}.") from None
        if not isinstance(chunk, Mapping):
            raise self.failures.error(f"sent {type(chunk).__name__} where a chunk of an answer belongs.")
        if (error := self.failures.reported(chunk)) is not None:
            raise error
        return chunk


async def _drain(received: AsyncIterator[bytes]) -> None:
    """Read to the end, which is due now: only then the connection can be used again."""
    import httpx

    with suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            async for _ in received:
                pass


async def _beginning(response: httpx.Response) -> bytes:
    """The beginning of an error's page."""
    read = b""
    async for piece in response.aiter_bytes():
        read += piece
        if len(read) > LONGEST_ERROR:
            break
    return read[:LONGEST_ERROR]
