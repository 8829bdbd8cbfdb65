"""One call, from answer to hang-up: the engine's events in, its commands performed.

Producers only put events into one mailbox; one consumer hands them to the engine; performing a command starts or stops work and
never waits for it. Every task of the call lives in one task group.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime

from patter_nb.audio.convert import decode
from patter_nb.audio.recording import Recording, StereoRecorder
from patter_nb.audio.vad import VoiceDetector
from patter_nb.clock import CallClock
from patter_nb.providers.base import CLOSING_SECONDS, CallContext, LLMStream, TTSStream, choose_format
from patter_nb.session.agent_speech import AgentSpeech
from patter_nb.session.boundary import guard, guarded, naming
from patter_nb.session.chains import AudioChain, TextChain
from patter_nb.session.inbound import Inbound
from patter_nb.session.listening import LAST_WORDS_SECONDS, Listening
from patter_nb.session.mailbox import Mailbox
from patter_nb.session.meter import Meter
from patter_nb.session.outbound import Outbound
from patter_nb.session.patience import opened
from patter_nb.session.pipeline import Pipeline
from patter_nb.session.playout import Heard, Playout
from patter_nb.session.reception import Reception
from patter_nb.session.setup import CallSetup
from patter_nb.session.speech import Speech
from patter_nb.session.tools import run_tool
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
from patter_nb.turns.events import (
    AudioHeard,
    CallAnswered,
    CallerHungUp,
    DtmfReceived,
    Event,
    FinalReceived,
    InstantRecorded,
    UsageReported,
)


class Session:
    """Runs one call to its end on the loop that calls `run`."""

    def __init__(self, setup: CallSetup) -> None:
        self._setup = setup
        self._agent = setup.live.current.agent
        self._clock = CallClock()
        self._loop = asyncio.get_running_loop()
        self._engine = TurnEngine(self._agent.policy())
        self._mailbox = Mailbox(self._clock)
        self._meter = Meter(self._agent, setup.log.prices, self._mailbox.put)
        self._outbound = Outbound(setup.connection, setup.codec)
        self._recorder = StereoRecorder() if setup.record else None
        self._agent_speech = AgentSpeech(setup.codec.audio, self._recorder, lambda data: self._event("agent_speech", data))
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
            chain=AudioChain(setup.audio_in, self._stage_failed),
        )
        self._listening = Listening(
            self._agent,
            setup.call_id,
            audio=setup.codec.audio,
            inbound=self._inbound,
            post=self._mailbox.put,
            meter=self._meter,
        )
        self._reception = Reception(
            setup.connection,
            setup.codec,
            started=self._answer,
            audio=self._inbound.frame,
            mark=lambda name: self._playout.mark(name, self._inbound.dated()),
            key=lambda digit: self._mailbox.put(DtmfReceived(digit)),
            stopped=self._line_over,
            failed=self._line_failed,
        )
        self._made_as = choose_format(self._agent.tts.formats, setup.codec.audio)
        self._opened = asyncio.Event()
        self._opening: asyncio.Timeout | None = None
        self._answered = False
        self._ended_after: float | None = None
        self._cancelled = 0
        self._orders: deque[Command] = deque()
        self.end_reason = ""
        self.zero = self._clock.zero
        """The loop's time at the answer: what instants of this call count from."""

    @property
    def duration_seconds(self) -> float:
        """Seconds from the answer to now, or until the line was closed; 0.0 before the answer."""
        return self._elapsed() if self._ended_after is None else self._ended_after

    def _elapsed(self) -> float:
        return self._clock.now() if self._answered else 0.0

    @property
    def recording(self) -> Recording | None:
        """What was said and heard so far; None when the call is not recorded."""
        return None if self._recorder is None else self._recorder.recording()

    async def ready(self) -> None:
        """Wait until model, voice and recogniser are open, so that a call answered now is served at once."""
        await self._opened.wait()
        await self._listening.tried.wait()

    def stop(self, reason: str) -> None:
        """End the call at once, as if the caller had hung up. From any thread; harmless when it is over."""
        self.end_reason = self.end_reason or reason
        with contextlib.suppress(RuntimeError):  # its loop is closed: the call is over
            self._loop.call_soon_threadsafe(self._hang_up)

    def _hang_up(self) -> None:
        self._mailbox.put(CallerHungUp())
        if self._opening is not None:
            with contextlib.suppress(RuntimeError):  # it is open, or will not be
                self._opening.reschedule(self._loop.time())

    async def run(self) -> None:
        """Hold the call. Returns when it is over; however it ends, what was open of it is in the log.

        Raises `PatterError` for a model or voice that cannot even be opened.
        """
        streams = contextlib.AsyncExitStack()
        try:
            both = await self._open(streams)
            if both is not None:
                await self._hold(*both)
        except asyncio.CancelledError:
            self.end_reason = self.end_reason or "cancelled"
            raise
        finally:
            self._close()
            with guard(lambda error: self._event("not_closed", {"error": error}), who="the model or the voice"):
                async with asyncio.timeout(CLOSING_SECONDS):
                    await streams.aclose()

    async def _open(self, streams: contextlib.AsyncExitStack) -> tuple[LLMStream, TTSStream] | None:
        """The call's model and voice; None when it is stopped before they are open."""
        agent, context = self._agent, CallContext(self._setup.call_id, self._agent.language)
        self._opening = asyncio.timeout(0 if self.end_reason else None)
        try:
            async with self._opening:
                with naming(agent.llm.provider):
                    llm = await opened(streams, agent.llm.open(context), provider=agent.llm.provider)
                with naming(agent.tts.provider):
                    tts = await opened(streams, agent.tts.open(context, self._made_as), provider=agent.tts.provider)
        except TimeoutError:
            return None
        self._opened.set()
        return llm, tts

    async def _hold(self, llm: LLMStream, tts: TTSStream) -> None:
        async with asyncio.TaskGroup() as tasks:

            at_work: set[asyncio.Task[None]] = set()

            def spawn(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
                task = tasks.create_task(work, name=name)
                at_work.add(task)
                task.add_done_callback(at_work.discard)
                return task

            self._spawn = spawn
            self._pipeline = self._make_pipeline(llm, tts)
            spawn(self._line(self._reception.run), "receive")
            spawn(self._line(self._outbound.run), "send")
            spawn(self._playout.run(), "playout")
            listening = spawn(self._listening.run(), "listen")
            if self._setup.real_time:
                spawn(watch(self._clock, self._stalled), "watch")
            try:
                await self._converse()
            finally:
                self._pipeline.stop()
                await guarded(self._outbound.close(), self._line_failed, who="the carrier's socket")
                self._listening.finish()
                await asyncio.wait((listening,), timeout=2 * LAST_WORDS_SECONDS)
                await _end(at_work)

    def _make_pipeline(self, llm: LLMStream, tts: TTSStream) -> Pipeline:
        setup = self._setup

        out = AudioChain(setup.audio_out, self._stage_failed)

        def speech(reply: int) -> Speech:
            return Speech(
                reply,
                spawn=self._spawn,
                tts=tts,
                provider=self._agent.tts.provider,
                made_as=self._made_as,
                heard_as=setup.codec.audio,
                chain=out,
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
            self._orders.extend(self._engine.handle_timer(now) if event is None else self._decide(event, now))
            while self._orders:
                self._perform(self._orders.popleft())

    def _decide(self, event: Event, now: float) -> list[Command]:
        if isinstance(event, CallerHungUp):
            self._ended_after = self.duration_seconds  # the caller's last words are still waited for
        try:
            return self._engine.receive(event, now)
        except ValueError as error:
            # It made no sense to the engine, which is unharmed by it.
            self._event("refused", {"event": type(event).__name__, "error": str(error)})
            return []

    def _perform(self, command: Command) -> None:
        match command:
            case FinalizeTranscript():
                if not self._inbound.speaking:  # else it is asked for when that has ended
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
            case RunTool():
                self._run_tool(command)
            case RecordTurn() | RecordEvent() | EndCall():
                self._remember(command)
            case SendDtmf() | TransferCall() | AdoptReply():
                # They need a carrier with a control channel or a speech-to-speech provider; nothing can ask for them without one.
                self._event("unsupported", {"command": type(command).__name__})

    def _remember(self, command: RecordTurn | RecordEvent | EndCall) -> None:
        match command:
            case RecordTurn(facts):
                self._agent_speech.closed(facts.reply, interrupted=facts.interrupted)
                self._setup.log.turn(self._setup.call_id, facts)
                self._setup.turn_closed()
            case RecordEvent(kind, data):
                self._event(kind, data)
            case EndCall(reason):
                self.end_reason = self.end_reason or reason

    def _run_tool(self, command: RunTool) -> None:
        async def work() -> None:
            self._mailbox.put(await run_tool(self._setup.tools, self._setup.user_code, command))

        self._spawn(work(), f"tool {command.name}")

    async def _line(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """One direction of the line: when it ends or breaks, the call is over."""
        await guarded(work(), self._line_failed, who="the carrier's socket")
        self._line_over()

    def _line_over(self) -> None:
        self._inbound.end()
        self._mailbox.put(CallerHungUp())

    def _stage_failed(self, error: str) -> None:
        self._event("audio_stage_failed", {"error": error})

    def _line_failed(self, error: str) -> None:
        self._event("carrier_error", {"error": error})

    def _answer(self) -> None:
        self._answered = True
        self._clock.start()
        self.zero = self._clock.zero
        self._setup.log.answered(self._setup.call_id, datetime.now(UTC))
        self._event("answered", {})
        self._mailbox.put(CallAnswered(self._agent.greeting))

    def _heard(self, heard: Heard) -> None:
        self._mailbox.put(AudioHeard(heard.reply, heard.segment, heard.seconds, heard.at))
        self._agent_speech.heard(heard)

    def _clear(self) -> None:
        unheard, since = self._playout.clear()
        now = self._clock.now()
        self._stamp(self._cancelled, "cleared_at", now)
        self._agent_speech.cleared(self._cancelled, unheard, since, now)

    def _caller_spoke(self, started_at: float, ended_at: float) -> None:
        self._event("caller_speech", {"started_at": started_at, "ended_at": ended_at})

    def _stalled(self, started_at: float, seconds: float, cell: int | None) -> None:
        self._event("loop_stall", {"started_at": started_at, "seconds": seconds, "cell": cell})

    def _stamp(self, reply: int, name: str, at: float) -> None:
        self._mailbox.put(InstantRecorded(reply, name, at))

    def _event(self, kind: str, data: Mapping[str, object]) -> None:
        self._setup.log.event(self._setup.call_id, self._elapsed(), kind, data)

    def _close(self) -> None:
        """Write down what is still open. After an end as calls end that is usage alone; otherwise also the turn that was open."""
        if not self._engine.ended:
            self.end_reason = self.end_reason or "failed"
        for event in (*self._mailbox.left(), CallerHungUp()):
            if not self._engine.ended:
                self._orders.extend(self._decide(event, self._clock.now()))
            elif isinstance(event, UsageReported):
                # What is reported after the engine's last word still costs money.
                self._event("call_usage", {"usage": event.usage})
            elif isinstance(event, FinalReceived) and event.text.strip():
                self._event("late_words", {"text": event.text})
        over = self._engine.next_timer()
        if not self._engine.ended and over is not None:
            # Nobody listens any more, so last words that did not come will not.
            self._orders.extend(self._engine.handle_timer(max(over, self._clock.now())))
        for command in self._orders:
            if isinstance(command, RecordTurn | RecordEvent | EndCall):
                self._remember(command)
        self._agent_speech.over()
        self._ended_after = self.duration_seconds


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for them; more than once for those that wait for something else while they end."""
    for _ in range(3):
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks), timeout=CLOSING_SECONDS)
