"""The recogniser of one call: opened, read, and opened again when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from patter_nb.agent import Agent
from patter_nb.audio.formats import AudioFormat
from patter_nb.providers.base import CallContext, STTEvent, STTStream, Transcript, TurnEnded, choose_format
from patter_nb.session.boundary import guarded
from patter_nb.session.inbound import Inbound
from patter_nb.session.meter import Meter
from patter_nb.turns.events import (
    Event,
    FinalReceived,
    HangUpRequested,
    InterimReceived,
    ProviderTurnEnded,
    TranscriptionFailed,
)

MAX_OPENINGS = 4
"""How often a call opens its recogniser before it gives up: once, and three times after failures."""

LAST_WORDS_SECONDS = 1.0
"""How long a closed recogniser may take to report what it used."""


class Listening:
    """Feeds a call's audio to its recogniser and posts what that hears."""

    def __init__(
        self, agent: Agent, call_id: str, audio: AudioFormat, inbound: Inbound, post: Callable[[Event], None], meter: Meter
    ) -> None:
        self._agent = agent
        self._context = CallContext(call_id, agent.language)
        self._wanted = choose_format(agent.stt.formats, audio)
        self._inbound = inbound
        self._post = post
        self._meter = meter
        self._stream: STTStream | None = None
        self._over = asyncio.Event()

    def finalize(self) -> None:
        """Ask for the final transcript of what was said so far."""
        if self._stream is not None:
            self._stream.finalize()

    def finish(self) -> None:
        """The call is over: close the recogniser, and hear its last words about what it used."""
        self._over.set()

    async def run(self) -> None:
        """Listen until `finish`; a recogniser that keeps failing ends the call politely."""
        for _ in range(MAX_OPENINGS):
            await guarded(self._listen(), self._failed, who=self._agent.stt.provider)
            self._stream = None
            if self._over.is_set():
                return
        self._post(HangUpRequested("speech recognition failed", self._agent.policy().goodbye))

    async def _listen(self) -> None:
        over = asyncio.ensure_future(self._over.wait())
        reading: asyncio.Task[None] | None = None
        try:
            async with self._agent.stt.open(self._context, self._wanted) as stream:
                self._stream = stream
                self._inbound.listen(stream, self._wanted)
                reading = asyncio.create_task(self._read(stream), name="transcripts")
                await asyncio.wait((reading, over), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reading,), timeout=LAST_WORDS_SECONDS)
            if reading.done():
                await reading
        finally:
            over.cancel()
            if reading is not None:
                reading.cancel()

    async def _read(self, stream: STTStream) -> None:
        async for event in stream:
            self._heard(event)
        if not self._over.is_set():
            raise EOFError("its transcripts ended before the call did")

    def _heard(self, event: STTEvent) -> None:
        if isinstance(event, Transcript):
            if event.final:
                self._post(FinalReceived(event.text, event.started_at, event.ended_at))
            else:
                self._post(InterimReceived(event.text))
        elif isinstance(event, TurnEnded):
            self._post(ProviderTurnEnded(event.at))
        else:
            self._meter(event, None)

    def _failed(self, error: str) -> None:
        if not self._over.is_set():
            self._post(TranscriptionFailed(error))
