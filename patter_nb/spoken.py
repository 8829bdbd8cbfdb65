"""A call in speech as it was ordered, whoever is at the other end: its row, its ear, and the lines that are made ready for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from patter_nb.agent import Agent
from patter_nb.audio.vad import EnergyModel, VoiceModel, default_model
from patter_nb.call import Call
from patter_nb.callbacks import Callbacks
from patter_nb.carriers.base import Connection
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.live import Live
from patter_nb.providers.base import STT, TTS, Prewarms
from patter_nb.records.facts import CallFacts, Direction
from patter_nb.records.log import CallLog
from patter_nb.session.boundary import guarded
from patter_nb.session.call_start import start_call
from patter_nb.session.copies import voice_model
from patter_nb.session.notices import Notices
from patter_nb.session.setup import CallSetup, CallTerms
from patter_nb.session.user_code import UserCode
from patter_nb.turns.sentences import Segmenter

TEST_CALLER = "+15550000001"
TEST_CALLEE = "+15550000002"


class SpokenCall:
    """What all calls in speech have in common. Those who hold one say who calls whom, and over what."""

    def __init__(
        self,
        log: CallLog,
        live: Live,
        *,
        record: bool,
        user_code: UserCode,
        callbacks: Callbacks,
        notices: Notices,
        seed: int = 0,
        real: bool = True,
    ) -> None:
        self._log = log
        self._live = live
        self._real = real
        self._seed = seed
        self._record = record
        self._user_code = user_code
        self._callbacks = callbacks
        self._notices = notices

    source = ""
    carrier = "simulated"
    direction: Direction = "test"
    caller = TEST_CALLER
    callee = TEST_CALLEE
    parameters: Mapping[str, str] = {}
    """What the carrier sent along with the call."""

    async def hold(self, call: Call) -> None:
        """Hold the call to its end."""
        raise NotImplementedError

    @property
    def _agent(self) -> Agent:
        return self._live.current.agent

    @property
    def _synthetic(self) -> bool:
        """Whether the caller's sound is made for a recogniser that is told what it hears, and not for ears."""
        return False

    def facts(self, call_id: str) -> CallFacts:
        """The call's row as it begins."""
        agent, (stt, tts) = self._agent, pipeline(self._agent)
        llm = (None, None) if agent.llm is None else (agent.llm.provider, agent.llm.model)
        return CallFacts(
            call_id=call_id,
            agent=agent.name,
            revision=self._live.current.number,
            direction=self.direction,
            source=self.source,
            carrier=self.carrier,
            mode="pipeline",
            speed="real" if self._real else "max",
            caller=self.caller,
            callee=self.callee,
            started_at=datetime.now(UTC),  # until it is answered
            stt_provider=stt.provider,
            stt_model=stt.model,
            llm_provider="on_message" if self._callbacks.on_message is not None else llm[0],
            llm_model="" if self._callbacks.on_message is not None else llm[1],
            tts_provider=tts.provider,
            tts_model=tts.model,
        )

    async def _begin(self, call: Call) -> CallTerms:
        """Ask what is different in this call."""
        shared = (self._log, self._user_code, self._callbacks, self._notices)
        terms = terms_of(
            call,
            *shared,
            carrier=self.carrier,
            direction=self.direction,
            caller=self.caller,
            callee=self.callee,
            parameters=self.parameters,
        )
        await start_call(terms)
        self._log.amend(self.facts(call.id))
        return terms

    async def _ear(self, call_id: str) -> VoiceModel:
        """The call's voice activity model. In a thread: the loop is the notebook's, and the first one imports onnxruntime."""
        ear = await asyncio.to_thread(self._voice_model)
        self._tell_voice_activity(call_id, ear)
        return ear

    async def _prepare(self, call_id: str, *texts: str) -> bool:
        """Let the voice render fixed lines, in the segments a call says them in; False when it could not."""
        (_, tts), failed = pipeline(self._agent), list[str]()
        for segment in (segment for text in texts for segment in spoken_segments(self._agent, text)):
            if isinstance(tts, Prewarms) and not failed:
                await guarded(tts.prepare(segment), failed.append, who=tts.provider)
        for error in failed:  # what cannot be prepared is tried again when it is wanted
            self._log.event(call_id, 0.0, "not_prewarmed", {"error": error})
        return not failed

    async def _prepare_greeting(self, call_id: str) -> tuple[str, ...]:
        """Prepare what is said first; returns the lines that may be prepared while the call is on."""
        agent, policy = self._agent, self._agent.policy()
        ready = agent.prewarm and (not agent.prewarm_first_message or await self._prepare(call_id, agent.greeting))
        return (policy.fallback, policy.goodbye) if ready else ()

    def _tell_voice_activity(self, call_id: str, model: VoiceModel) -> None:
        """Write down which ear the call has; where it is not the one that was wanted, the card says so, too."""
        fallback = isinstance(model, EnergyModel) and not self._synthetic
        data = {"model": type(model).__name__, "reason": model.reason, "fallback": fallback}
        self._log.event(call_id, 0.0, "voice_activity", data)

    def _setup(self, call: Call, terms: CallTerms, ear: VoiceModel, connection: Connection, **more: Any) -> CallSetup:
        return CallSetup(
            **vars(terms),
            **more,
            connection=connection,
            codec=TwilioMediaCodec(),
            voice_model=ear,
            record=self._record,
            real_time=self._real,
            seed=self._seed,
            answered=call.refresh,
            turn_closed=call.refresh,
        )

    def _voice_model(self) -> VoiceModel:
        if self._agent.vad is not None:
            return voice_model(self._agent.vad)
        return EnergyModel() if self._synthetic else default_model()


def terms_of(
    call: Call,
    log: CallLog,
    user_code: UserCode,
    callbacks: Callbacks,
    notices: Notices,
    *,
    carrier: str,
    direction: Direction = "test",
    caller: str = TEST_CALLER,
    callee: str = TEST_CALLEE,
    parameters: Mapping[str, str] | None = None,
) -> CallTerms:
    """What is known of a call before anything of it is made."""
    return CallTerms(
        call_id=call.id,
        live=call.live,
        log=log,
        caller=caller,
        callee=callee,
        direction=direction,
        carrier=carrier,
        parameters=parameters or {},
        user_code=user_code,
        callbacks=callbacks,
        notices=notices,
    )


def pipeline(agent: Agent) -> tuple[STT, TTS]:
    """The ear and the voice that every agent of a pipeline has."""
    assert agent.stt is not None
    assert agent.tts is not None
    return agent.stt, agent.tts


def spoken_segments(agent: Agent, text: str) -> list[str]:
    """The segments in which a fixed line reaches the agent's voice."""
    segmenter = Segmenter(aggressive_first_flush=agent.aggressive_first_flush, language=agent.language)
    return [*segmenter.push(text), *segmenter.flush()]


@asynccontextmanager
async def aside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Do `work` beside the block, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
