"""Before a call is answered: its agent's providers are opened and its greeting is spoken ahead, so that the first word is there
when the caller is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, cast

from patter_nb.agent import Agent
from patter_nb.audio.formats import MULAW_8K, AudioFormat
from patter_nb.providers.base import TTS, CallContext, TTSStream
from patter_nb.records.log import CallLog
from patter_nb.session.boundary import guard
from patter_nb.session.meter import Meter
from patter_nb.session.streams import Kind, Streams
from patter_nb.spoken import spoken_segments

MOST_PARKED = 200
"""Calls whose providers may be open before they are answered, at once and in the whole process."""
PARKED_SECONDS = 30.0
"""How long a stream waits for its call. A provider may close one that waits for longer, and charge for it until then."""

_PLACES = threading.BoundedSemaphore(MOST_PARKED)


class Warm:
    """What is made ready for one call before it is answered. Whatever goes wrong here is an event, and costs only the warmth.

    Used like this, or with `close()` in the place of `async with`:

        async with Warm.begin(agent, call_id, log) as warm:
            ...  # it rings
            CallSetup(..., streams=warm.adopt(agent))  # of the agent with which it begins
            ...  # it is held

    Events: `prewarm_failed`, `prewarm_full`, `prewarm_expired` and `prewarm_replaced`; and in the end one `prewarmed` with the
    providers, the seconds that it took, whether the greeting was ready, and whether the call used any of it.
    """

    def __init__(self, agent: Agent, call_id: str, log: CallLog, audio: AudioFormat, *, asks_model: bool) -> None:
        self._agent = agent
        self._call_id = call_id
        self._log = log
        self._asks_model = asks_model
        self._loop = asyncio.get_running_loop()
        self._streams = Streams(CallContext(call_id, agent.language), audio, self._not_closed)
        self._began = self._finished = self._loop.time()
        self._pending = 0
        self._warmed: dict[Kind, str] = {}
        """By kind, the providers that are open, are being opened or were open."""
        self._parked: dict[Kind, Any] = {}
        """Those of which something is open, or being opened."""
        self._work: asyncio.Task[None] | None = None
        self._has_place = False
        self._over = False

    @classmethod
    def begin(
        cls, agent: Agent, call_id: str, log: CallLog, audio: AudioFormat = MULAW_8K, *, asks_model: bool = True
    ) -> Warm:
        """Begin to warm what the call's agent needs, unless `agent.prewarm` is False. `asks_model`: False where `on_message`
        answers in its place. Returns at once."""
        warm = cls(agent, call_id, log, audio, asks_model=asks_model)
        warm._begin()
        return warm

    def adopt(self, agent: Agent) -> Streams | None:
        """For the call that is answered now and begins with `agent`: what is open for it, or is being opened. What was opened
        for another agent is closed. None: the call opens all by itself."""
        if self._work is None or self._over:
            return None
        self._end()
        wanted = dict(self._providers(agent)) if agent.prewarm and agent.language == self._agent.language else {}
        kept = {kind: provider for kind, provider in self._parked.items() if wanted.get(kind) is provider}
        for kind in self._parked.keys() - kept.keys():
            self._tell("prewarm_replaced", {"kind": kind, "provider": self._warmed[kind]})
        self._streams.keep(kept.values())
        greeting = bool(wanted) and self._streams.has_rendered(agent.tts, self._greeting(agent))
        self._tell_prewarmed(greeting, used=bool(kept) or greeting)
        return self._streams if wanted else None

    async def close(self) -> None:
        """Close what no call has taken, and write down what it cost. Harmless when it is closed, or its call is over."""
        if self._work is None:
            return
        if not self._over:
            self._end()
            self._tell_prewarmed(self._streams.has_rendered(self._agent.tts, self._greeting(self._agent)), used=False)
        try:
            await self._streams.close()
            await asyncio.wait((self._work,))
        finally:  # also when whoever closes it is cancelled meanwhile
            meter = Meter(self._log.prices, lambda told: self._tell("call_usage", {"usage": told.usage}))
            meter.know(self._agent)
            for usage in self._streams.take_unused():
                meter(usage, None)

    async def __aenter__(self) -> Warm:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # How it is done.

    def _begin(self) -> None:
        if not self._agent.prewarm:
            return
        self._has_place = _PLACES.acquire(blocking=False)
        if not self._has_place:
            self._tell("prewarm_full", {"most": MOST_PARKED})
            return
        self._parked = dict(self._providers(self._agent))
        self._warmed = {kind: provider.provider for kind, provider in self._parked.items()}
        self._work = asyncio.create_task(self._warm(), name=f"prewarm {self._call_id}")

    async def _warm(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for kind, provider in tuple(self._parked.items()):
                    self._pending += 1
                    tasks.create_task(self._park(kind, provider), name=f"park {provider.provider}")
        finally:
            self._leave_place()

    async def _park(self, kind: Kind, provider: Any) -> None:
        """Open one, and close it again when no call has come for it in time."""
        failed = partial(self._failed, kind, provider)
        with guard(failed, who=provider.provider):
            held = self._streams.ahead(kind, provider)
            stream = await asyncio.shield(held.stream)
            if kind == "tts":
                self._render(provider, stream)
            self._ready()
            ended: asyncio.Task[None] = stream.reading if kind == "stt" else held.task
            done, _ = await asyncio.wait((ended,), timeout=PARKED_SECONDS)
            self._streams.drop(provider)
            if done:
                failed((stream.error if kind == "stt" else "") or f"{provider.provider} ended before the call came.")
            elif self._parked.pop(kind, None) is not None:
                self._tell("prewarm_expired", {"kind": kind, "provider": provider.provider, "seconds": PARKED_SECONDS})

    def _render(self, tts: TTS, voice: TTSStream) -> None:
        """Begin to have the greeting spoken."""

        def failed(error: str) -> None:
            self._tell("prewarm_failed", {"kind": "greeting", "provider": tts.provider, "error": error})

        if segments := self._greeting(self._agent):
            self._pending += 1
            self._streams.render(tts, voice, segments, failed).add_done_callback(lambda _: self._ready())

    def _providers(self, agent: Agent) -> Sequence[tuple[Kind, Any]]:
        given = (("llm", agent.llm if self._asks_model else None), ("tts", agent.tts), ("stt", agent.stt))
        return [(cast(Kind, kind), provider) for kind, provider in given if provider is not None]

    def _greeting(self, agent: Agent) -> list[str]:
        """What the voice speaks ahead."""
        wanted = agent.prewarm_first_message and agent.tts is not None
        return spoken_segments(agent, agent.greeting) if wanted else []

    def _ready(self) -> None:
        self._pending -= 1
        self._finished = self._loop.time()

    def _failed(self, kind: Kind, provider: Any, error: str) -> None:
        if self._parked.pop(kind, None) is not None:
            self._warmed.pop(kind, None)
            self._tell("prewarm_failed", {"kind": kind, "provider": provider.provider, "error": error})

    def _end(self) -> None:
        """Nothing waits for its time to be over any more. What is being opened or rendered goes on."""
        self._over = True
        if self._work is not None:
            self._work.cancel()
        self._leave_place()

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            _PLACES.release()

    def _tell_prewarmed(self, greeting: bool, *, used: bool) -> None:
        seconds = (self._loop.time() if self._pending else self._finished) - self._began
        providers = dict(self._warmed)
        self._tell("prewarmed", {"providers": providers, "seconds": round(seconds, 3), "greeting": greeting, "used": used})

    def _not_closed(self, error: str) -> None:
        self._tell("not_closed", {"error": error})

    def _tell(self, kind: str, data: Mapping[str, object]) -> None:
        self._log.event(self._call_id, 0.0, kind, data)
