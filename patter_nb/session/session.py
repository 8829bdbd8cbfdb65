"""One call, from answer to hang-up: the engine's events in, its commands performed.

Producers only put events into one mailbox; one consumer hands them to the engine; performing a command starts or stops work and
never waits for it. Every task of the call lives in one task group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

from patter_nb.audio.convert import decode
from patter_nb.audio.recording import Recording, StereoRecorder
from patter_nb.audio.vad import VoiceDetector, VoiceModel
from patter_nb.carriers.base import (
    AudioReceived,
    CarrierMessage,
    Connection,
    DtmfPressed,
    MarkPlayed,
    MediaCodec,
    StreamStarted,
    StreamStopped,
)
from patter_nb.clock import CallClock
from patter_nb.errors import CarrierError
from patter_nb.live import Live
from patter_nb.providers.base import CallContext, LLMStream, ToolSpec, TTSStream, choose_format
from patter_nb.records.log import CallLog
from patter_nb.session.boundary import guarded
from patter_nb.session.chains import AudioChain, AudioStage, TextChain, TextStage
from patter_nb.session.inbound import Inbound
from patter_nb.session.listening import Listening
from patter_nb.session.mailbox import Mailbox
from patter_nb.session.meter import Meter
from patter_nb.session.outbound import Outbound
from patter_nb.session.pipeline import Pipeline
from patter_nb.session.playout import Heard, Playout
from patter_nb.session.speech import Speech
from patter_nb.session.tools import ToolHandler, run_tool
from patter_nb.session.user_code import UserCode
from patter_nb.session.watchdog import watch
from patter_nb.turns.commands import (
    AdoptReply,
    CancelReply,
    ClearAudio,
    Command,
    ContinueReply,
    EndCall,
    FinalizeTranscript,
    RecordEvent,
    RecordTurn,
    RunTool,
    SendDtmf,
    SpeakFiller,
    StartReply,
    TransferCall,
)
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import AudioHeard, CallAnswered, CallerHungUp, DtmfReceived, Event, InstantRecorded
from patter_nb.turns.facts import TurnFacts


@dataclass(frozen=True, kw_only=True)
class CallSetup:
    """Everything one call is held with."""

    call_id: str
    live: Live
    connection: Connection
    codec: MediaCodec
    log: CallLog
    voice_model: VoiceModel
    """The call's own voice activity model."""
    record: bool = True
    real_time: bool = True
    """False on a virtual-time loop, where nothing can stall."""
    user_code: UserCode = field(default_factory=UserCode)
    tools: Mapping[str, tuple[ToolSpec, ToolHandler]] = field(default_factory=dict)
    text_stages: Sequence[Callable[[], TextStage]] = ()
    """Made anew for each reply; between the model and the voice."""
    audio_in: Sequence[AudioStage] = ()


class Session:
    """Runs one call to its end on the loop that calls `run`."""

    def __init__(self, setup: CallSetup) -> None:
        self._setup = setup
        self._agent = setup.live.current.agent
        self._clock = CallClock()
        self._loop = asyncio.get_running_loop()
        self._engine = TurnEngine(self._agent.policy())
        self._mailbox = Mailbox(self._clock)
        self._meter = Meter(self._agent, setup.log.prices, self._metered)
        self._outbound = Outbound(setup.connection, setup.codec)
        self._recorder = StereoRecorder() if setup.record else None
        self._playout = Playout(
            audio=setup.codec.audio,
            clears=setup.codec.clears,
            clock=self._clock,
            send=self._outbound.put,
            decode=lambda audio: decode(audio, setup.codec.audio),
            on_heard=self._heard,
            on_instant=self._stamp,
        )
        self._inbound = Inbound(
            audio=setup.codec.audio,
            clock=self._clock,
            detector=VoiceDetector(setup.voice_model),
            post=self._mailbox.put,
            stretch=self._caller_spoke,
            recorder=self._recorder,
            chain=AudioChain(setup.audio_in),
        )
        self._listening = Listening(self._agent, setup.call_id, setup.codec.audio, self._inbound, self._mailbox.put, self._meter)
        self._answered = False
        self._spoken: tuple[int, float, float] | None = None
        self._cancelled = 0
        self.end_reason = ""
        self.zero = self._clock.zero
        """The loop's time at the answer: what instants of this call count from."""

    @property
    def duration_seconds(self) -> float:
        """Seconds since the answer; 0.0 before it."""
        return self._clock.now() if self._answered else 0.0

    @property
    def recording(self) -> Recording | None:
        """What was said and heard so far; None when the call is not recorded."""
        return None if self._recorder is None else self._recorder.recording()

    def stop(self, reason: str) -> None:
        """End the call at once, as if the caller had hung up. From any thread."""

        def end() -> None:
            self.end_reason = self.end_reason or reason
            self._mailbox.put(CallerHungUp())

        self._loop.call_soon_threadsafe(end)

    async def run(self) -> None:
        """Hold the call. Returns when it is over; raises what a model or voice raises that cannot even be opened."""
        setup, agent = self._setup, self._agent
        context = CallContext(setup.call_id, agent.language)
        made_as = choose_format(agent.tts.formats, setup.codec.audio)
        async with agent.llm.open(context) as llm, agent.tts.open(context, made_as) as tts, asyncio.TaskGroup() as tasks:

            def spawn(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
                return tasks.create_task(work, name=name)

            self._spawn = spawn
            self._pipeline = self._make_pipeline(llm, tts)
            helpers = [
                spawn(self._receive(), "receive"),
                spawn(self._outbound.run(), "send"),
                spawn(self._playout.run(), "playout"),
            ]
            listening = spawn(self._listening.run(), "listen")
            if setup.real_time:
                helpers.append(spawn(watch(self._clock, self._stalled), "watch"))
            try:
                await self._converse()
            finally:
                self._pipeline.stop()
                await self._outbound.close()
                for task in helpers:
                    task.cancel()
                self._listening.finish()
                await asyncio.wait((listening,))
        self._drain()

    def _make_pipeline(self, llm: LLMStream, tts: TTSStream) -> Pipeline:
        setup, agent = self._setup, self._agent
        made_as = choose_format(agent.tts.formats, setup.codec.audio)

        def speech(reply: int) -> Speech:
            return Speech(
                reply,
                spawn=self._spawn,
                tts=tts,
                provider=agent.tts.provider,
                made_as=made_as,
                heard_as=setup.codec.audio,
                playout=self._playout,
                post=self._mailbox.put,
                meter=self._meter,
                now=self._clock.now,
            )

        return Pipeline(
            spawn=self._spawn,
            live=setup.live,
            llm=llm,
            speech=speech,
            chain=lambda: TextChain([make() for make in setup.text_stages]),
            tools=tuple(spec for spec, _ in setup.tools.values()),
            post=self._mailbox.put,
            meter=self._meter,
            now=self._clock.now,
        )

    async def _converse(self) -> None:
        while not self._engine.ended:
            event = await self._mailbox.take(self._engine.next_timer())
            now = self._clock.now()
            commands = self._engine.handle_timer(now) if event is None else self._engine.receive(event, now)
            for command in commands:
                self._perform(command)

    def _perform(self, command: Command) -> None:
        match command:
            case FinalizeTranscript():
                self._listening.finalize()
            case StartReply():
                self._pipeline.start(command)
            case ContinueReply():
                self._pipeline.proceed(command)
            case SpeakFiller(reply, text):
                self._pipeline.fill(reply, text)
            case CancelReply(reply):
                self._cancelled = reply
                self._pipeline.cancel(reply)
            case ClearAudio():
                self._clear()
            case RunTool(reply, tool_id, name, arguments):
                work = run_tool(self._setup.tools, self._setup.user_code, command)
                self._spawn(self._post_when_done(work), f"tool {name}")
            case RecordTurn(facts):
                self._record(facts)
            case RecordEvent(kind, data):
                self._event(kind, data)
            case EndCall(reason):
                self.end_reason = self.end_reason or reason
            case SendDtmf() | TransferCall() | AdoptReply():
                # These need a carrier with a control channel or a speech-to-speech provider; nothing can ask for them without one.
                self._event("unsupported", {"command": type(command).__name__})

    async def _post_when_done(self, work: Coroutine[None, None, Event]) -> None:
        self._mailbox.put(await work)

    async def _receive(self) -> None:
        async def read() -> None:
            while (text := await self._setup.connection.receive()) is not None:
                self._message(text)

        await guarded(read(), lambda error: self._event("carrier_error", {"error": error}), who="the carrier's socket")
        self._mailbox.put(CallerHungUp())

    def _message(self, text: str) -> None:
        try:
            events = self._setup.codec.decode(text)
        except CarrierError as error:
            # One malformed message loses itself, never the call.
            self._event("carrier_error", {"error": str(error)})
            return
        for event in events:
            match event:
                case AudioReceived(audio, at_ms):
                    if self._answered:
                        self._inbound.frame(audio, at_ms)
                case MarkPlayed(name):
                    self._playout.mark(name)
                case StreamStarted():
                    self._answer()
                case DtmfPressed(digit):
                    self._mailbox.put(DtmfReceived(digit))
                case StreamStopped():
                    self._mailbox.put(CallerHungUp())

    def _answer(self) -> None:
        if self._answered:
            return
        self._answered = True
        self._clock.start()
        self.zero = self._clock.zero
        self._event("answered", {})
        self._mailbox.put(CallAnswered(self._agent.greeting))

    def _heard(self, heard: Heard) -> None:
        self._mailbox.put(AudioHeard(heard.reply, heard.segment, heard.seconds, heard.at))
        began = heard.at - heard.reply_seconds
        if self._spoken is None or self._spoken[0] != heard.reply:
            self._agent_spoke(interrupted=False)
            self._spoken = (heard.reply, began, heard.at)
        else:
            self._spoken = (heard.reply, self._spoken[1], heard.at)
        if self._recorder is not None:
            self._recorder.agent(decode(heard.audio, self._setup.codec.audio), heard.at - self._setup.codec.audio.seconds(len(heard.audio)))

    def _clear(self) -> None:
        unheard, since = self._playout.clear()
        now = self._clock.now()
        self._stamp(self._cancelled, "cleared_at", now)
        if since is not None and self._recorder is not None:
            # What was playing between the last mark and now reached the ear, though no mark will ever say so.
            samples = decode(unheard, self._setup.codec.audio)
            self._recorder.agent(samples[: int((now - since) * self._setup.codec.audio.hz)], since)
        self._agent_spoke(interrupted=True)

    def _record(self, facts: TurnFacts) -> None:
        if self._spoken is not None and self._spoken[0] == facts.reply:
            self._agent_spoke(interrupted=facts.interrupted)
        self._setup.log.turn(self._setup.call_id, facts)

    def _agent_spoke(self, *, interrupted: bool) -> None:
        if self._spoken is None:
            return
        reply, began, ended = self._spoken
        self._spoken = None
        self._event("agent_speech", {"reply": reply, "started_at": began, "ended_at": ended, "interrupted": interrupted})

    def _caller_spoke(self, started_at: float, ended_at: float) -> None:
        self._event("caller_speech", {"started_at": started_at, "ended_at": ended_at})

    def _stalled(self, started_at: float, seconds: float, cell: int | None) -> None:
        self._event("loop_stall", {"started_at": started_at, "seconds": seconds, "cell": cell})

    def _stamp(self, reply: int, name: str, at: float) -> None:
        self._mailbox.put(InstantRecorded(reply, name, at))

    def _event(self, kind: str, data: Mapping[str, object]) -> None:
        self._setup.log.event(self._setup.call_id, self.duration_seconds, kind, data)

    def _metered(self, event: Event) -> None:
        self._mailbox.put(event)

    def _drain(self) -> None:
        """Usage that was reported after the engine's last word still costs money."""
        self._agent_spoke(interrupted=False)
        for usage in self._mailbox.usage_left():
            self._event("call_usage", {"usage": usage})
