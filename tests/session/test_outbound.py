"""Messages on their way to the carrier."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from patter_nb.carriers.base import CarrierMessage, SendAudio, SendClear, SendMark
from patter_nb.carriers.pipe import PipeEnd, connection_pair
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.errors import CarrierError
from patter_nb.session.outbound import Outbound

START = {
    "event": "start",
    "streamSid": "MZ1",
    "start": {
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    },
}


def codec() -> TwilioMediaCodec:
    made = TwilioMediaCodec()
    made.decode(json.dumps(START))
    return made


async def until_closed(far: PipeEnd) -> list[str]:
    received = []
    while (text := await far.receive()) is not None:
        message = json.loads(text)
        received.append(message.get("mark", {}).get("name") or message["event"])
    return received


def test_messages_are_sent_in_the_order_in_which_they_were_put(virtual: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    async def main() -> list[str]:
        near, far = connection_pair()
        outbound = Outbound(near, codec())
        messages: list[CarrierMessage] = [SendAudio(b"\xff" * 160), SendMark("a"), SendAudio(b""), SendClear(), SendMark("b")]
        for message in messages:
            outbound.put(message)
        running = asyncio.create_task(outbound.run())
        await asyncio.sleep(1)
        outbound.put(SendMark("c"))
        await asyncio.sleep(1)
        await outbound.close()
        running.cancel()
        return await until_closed(far)

    assert virtual(main()) == ["media", "a", "clear", "b", "c"]


def test_putting_never_waits_though_nobody_sends(virtual: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    async def main() -> float:
        outbound = Outbound(connection_pair()[0], codec())
        for _ in range(1000):
            outbound.put(SendAudio(b"\xff" * 1600))
        return asyncio.get_running_loop().time()

    assert virtual(main()) == 0.0


def test_what_cannot_be_said_yet_is_refused_where_it_is_put(virtual: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    async def main() -> None:
        outbound = Outbound(connection_pair()[0], TwilioMediaCodec())
        with pytest.raises(CarrierError, match="before its start message"):
            outbound.put(SendClear())

    virtual(main())
