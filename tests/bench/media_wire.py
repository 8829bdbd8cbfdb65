"""Media Streams by an independent implementation: pipecat's serializer, which is an application's side as our codec is.

    python3 -m venv other && other/bin/pip install "pipecat-ai[websocket]==1.14.0" numpy
    PYTHONPATH=. other/bin/python tests/bench/media_wire.py

It reads what our simulated carrier sends, and that carrier takes what it sends, so a field that is wrong on both of our sides
shows. Its environment needs none of our requirements but numpy: the modules of the wire are loaded without the rest of the
package.
"""

from __future__ import annotations

import asyncio
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = Path(__file__).parents[2] / "patter_nb"
FRAMES, SEED = 500, 7
KEYS = "0123456789*#"


def bare(name: str, folder: Path) -> None:
    """A package of which nothing but the modules asked for is loaded."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


async def main() -> None:
    bare("patter_nb", PACKAGE)
    bare("patter_nb.carriers.simulated", PACKAGE / "carriers" / "simulated")
    from pipecat.frames.frames import InterruptionFrame, OutputAudioRawFrame, StartFrame
    from pipecat.serializers.twilio import TwilioFrameSerializer

    from patter_nb.audio import g711
    from patter_nb.carriers.base import SendAudio, SendClear
    from patter_nb.carriers.simulated.wire import CarrierWire, Clear, Media
    from patter_nb.carriers.twilio_media import TwilioMediaCodec

    wire, codec, rng = CarrierWire(), TwilioMediaCodec(), np.random.default_rng(SEED)
    codec.decode(wire.start({"token": "made up"}))
    settings = TwilioFrameSerializer.InputParams(auto_hang_up=False)
    theirs: Any = TwilioFrameSerializer(stream_sid=wire.stream_sid, call_sid=wire.call_sid, params=settings)
    await theirs.setup(StartFrame(audio_in_sample_rate=8000, audio_out_sample_rate=8000))

    read = 0
    for number in range(FRAMES):
        payload = rng.integers(0, 256, 160, dtype=np.uint8).tobytes()
        text = wire.media(payload, number * 20)
        frame, (event,) = await theirs.deserialize(text), codec.decode(text)
        read += frame is not None and frame.audio == g711.decode(payload).tobytes() and event.audio == payload
    print(f"media of our carrier, read alike by both: {read} of {FRAMES}")

    pressed = [await theirs.deserialize(wire.dtmf(key)) for key in KEYS]
    known = sum(frame is not None and frame.button.value == key for frame, key in zip(pressed, KEYS, strict=True))
    print(f"keys of our carrier, read by theirs: {known} of {len(KEYS)}")

    taken = 0
    for _ in range(FRAMES):
        samples = rng.integers(-20_000, 20_000, 160, dtype=np.int16)
        text = await theirs.serialize(OutputAudioRawFrame(audio=samples.tobytes(), sample_rate=8000, num_channels=1))
        order = wire.read(text)
        taken += isinstance(order, Media) and json.loads(text) == json.loads(codec.encode(SendAudio(order.payload))[0])
    print(f"media of theirs, taken by our carrier and the same JSON as ours: {taken} of {FRAMES}")

    clear = await theirs.serialize(InterruptionFrame())
    same = isinstance(wire.read(clear), Clear) and json.loads(clear) == json.loads(codec.encode(SendClear())[0])
    print(f"clear of theirs, taken and the same as ours: {same}")


asyncio.run(main())
