"""Messages on their way to the carrier: put from anywhere on the loop, sent in order by one task."""

from __future__ import annotations

import asyncio

from patter_nb.carriers.base import CarrierMessage, Connection, MediaCodec


class Outbound:
    """Encodes each message when it is put, and sends it without the producer waiting."""

    def __init__(self, connection: Connection, codec: MediaCodec) -> None:
        self._connection = connection
        self._codec = codec
        self._texts: asyncio.Queue[str] = asyncio.Queue()

    def put(self, message: CarrierMessage) -> None:
        for text in self._codec.encode(message):
            self._texts.put_nowait(text)

    async def run(self) -> None:
        """Send, for ever."""
        while True:
            await self._connection.send(await self._texts.get())

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()
