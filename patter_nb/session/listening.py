"""The recogniser of one call: opened, read, and opened again when it breaks."""

from __future__ import annotations

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

    def finalize(self) -> None:
        """Ask for the final transcript of what was said so far."""
        if self._stream is not None:
            self._stream.finalize()

    async def run(self) -> None:
        """Listen until cancelled; a recogniser that keeps failing ends the call politely."""
        for _ in range(MAX_OPENINGS):
            await guarded(self._listen(), self._failed, who=self._agent.stt.provider)
            self._stream = None
        self._post(HangUpRequested("speech recognition failed", self._agent.policy().goodbye))

    async def _listen(self) -> None:
        async with self._agent.stt.open(self._context, self._wanted) as stream:
            self._stream = stream
            self._inbound.listen(stream, self._wanted)
            async for event in stream:
                self._heard(event)
        raise EOFError("the stream of transcripts ended before the call did")

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
        self._post(TranscriptionFailed(error))
