"""One call, from answer to hang-up: the engine's events in, its commands performed.

Producers only put events into one mailbox; one consumer hands them to the engine; performing a command starts or stops work and
never waits for it. Every task of the call lives in one task group.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime

from patter_nb.audio.recording import Recording
from patter_nb.callbacks import CallControl
from patter_nb.clock import CallClock
from patter_nb.live import Revision
from patter_nb.providers.base import CLOSING_SECONDS
from patter_nb.session.ahead import LAST_WORDS_SECONDS
from patter_nb.session.crew import Crew
from patter_nb.session.mailbox import Mailbox
from patter_nb.session.meter import Meter
from patter_nb.session.narrator import Narrator
from patter_nb.session.setup import CallSetup
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
from patter_nb.turns.events import CallAnswered, CallerHungUp, Event, FinalReceived, UsageReported
from patter_nb.turns.orders import undone


class Session:
    """Runs one call to its end on the loop that calls `run`."""

    def __init__(self, setup: CallSetup) -> None:
        self._setup = setup
        self._clock = CallClock()
        self._loop = asyncio.get_running_loop()
        self._mailbox = Mailbox(self._clock)
        self._meter = Meter(setup.log.prices, self._mailbox.put)
        self._narrator = Narrator(setup.call_id, setup.notices, setup.log, lambda: setup.live.current.agent, self._elapsed)
        self.control = CallControl(setup.call_id, setup.caller, setup.callee, setup.carrier, self)
        self._engine = TurnEngine(setup.live.current.agent.policy())
        self._meter.know(setup.live.current.agent)
        self._opened = asyncio.Event()
        self._opening: asyncio.Timeout | None = None
        self._answered = False
        self._ended_after: float | None = None
        self._cancelled = 0
        self._orders: deque[Command] = deque()
        self._at_work: set[asyncio.Task[None]] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self.is_transferred = self.is_hung_up = False
        self.end_reason = ""
        self.zero = self._clock.zero
        """The loop's time at the answer: what instants of this call count from."""
        setup.live.clock(self._elapsed)
        self._crew = self._make_crew()
        self._line = self._crew.line

    # What others ask of it.

    @property
    def duration_seconds(self) -> float:
        """Seconds from the answer to now, or until the line was closed; 0.0 before the answer."""
        return self._elapsed() if self._ended_after is None else self._ended_after

    def _elapsed(self) -> float:
        return self._clock.now() if self._answered else 0.0

    @property
    def ended(self) -> bool:
        return self._ended_after is not None

    @property
    def recording(self) -> Recording | None:
        """What was said and heard so far; None when the call is not recorded."""
        return self._line.recording

    def between(self, since: float, until: float) -> Recording | None:
        """A stretch of that, in seconds of the call's clock; silence where nothing is known yet."""
        return self._line.between(since, until)

    async def ready(self) -> None:
        """Wait until model, voice and recogniser are open, so that a call answered now is served at once."""
        await self._opened.wait()
        await self._crew.listening.tried.wait()

    def post(self, event: Event) -> bool:
        """Hand an event to the engine, from any thread; False when the call is over."""
        if self.ended or self._engine.ended:
            return False
        try:
            self._loop.call_soon_threadsafe(self._mailbox.put, event)
        except RuntimeError:  # its loop is closed: the call is over
            return False
        return True

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

    # The call.

    async def run(self) -> None:
        """Hold the call. Returns when it is over; however it ends, what was open of it is in the log.

        Raises `PatterError` for a model or voice that cannot even be opened.
        """
        try:
            if await self._open():
                await self._hold()
        except asyncio.CancelledError:
            self.end_reason = self.end_reason or "cancelled"
            raise
        finally:
            self._close()
            await self._crew.close()

    def _make_crew(self) -> Crew:
        return Crew(
            self._setup,
            clock=self._clock,
            post=self._mailbox.put,
            meter=self._meter,
            narrator=self._narrator,
            control=self.control,
            engine=self._engine,
            spawn=self._spawn,
            event=self._event,
            changed=self._changed,
            answered=self._answer,
            over=lambda: self._mailbox.put(CallerHungUp()),
        )

    async def _open(self) -> bool:
        """Open the call's model and voice; False when it is stopped before they are open."""
        self._opening = asyncio.timeout(0 if self.end_reason else None)
        try:
            async with self._opening:
                await self._crew.open()
        except TimeoutError:
            return False
        self._opened.set()
        return True

    async def _hold(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            for name, work in self._line.work():
                self._spawn(work, name)
            listening = self._spawn(self._crew.listening.run(), "listen")
            if self._setup.real_time:
                self._spawn(watch(self._clock, self._stalled), "watch")
            try:
                await self._converse()
            finally:
                self._crew.pipeline.stop()
                await self._line.close()
                self._crew.listening.finish()
                await asyncio.wait((listening,), timeout=2 * LAST_WORDS_SECONDS)
                await _end(self._at_work)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        assert self._tasks is not None
        task = self._tasks.create_task(work, name=name)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task

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
        self._narrator.event(event)
        try:
            return self._engine.receive(event, now)
        except ValueError as error:
            # It made no sense to the engine, which is unharmed by it.
            self._event("refused", {"event": type(event).__name__, "error": str(error)})
            return []

    def _perform(self, command: Command) -> None:
        self._narrator.command(command)
        match command:
            case FinalizeTranscript():
                if not self._line.inbound.speaking:  # else it is asked for when that has ended
                    self._crew.listening.finalize()
            case StartReply():
                self._crew.pipeline.start(command)
            case ContinueReply():
                self._crew.pipeline.proceed(command)
            case SpeakFiller(reply, text):
                self._crew.pipeline.fill(reply, text)
            case CancelReply(reply):
                self._cancelled = reply
                self._crew.pipeline.cancel(reply)
            case ClearAudio():
                self._line.clear(self._cancelled)
            case RunTool():
                self._crew.run_tool(command)
            case RecordTurn() | RecordEvent() | EndCall():
                self._remember(command)
            case SendDtmf(digits, delay_ms):
                self._line.press(digits, delay_ms)
            case TransferCall(number):
                self._transfer(number)
            case AdoptReply():
                # It needs a speech-to-speech provider; nothing can ask for it without one.
                self._event("unsupported", {"command": type(command).__name__})

    def _remember(self, command: RecordTurn | RecordEvent | EndCall) -> None:
        match command:
            case RecordTurn(facts):
                self._line.reply_closed(facts.reply, interrupted=facts.interrupted)
                self._setup.log.turn(self._setup.call_id, facts)
                self._narrator.turn_recorded(command)
                self._setup.turn_closed()
            case RecordEvent(kind, data):
                self._event(kind, data)
            case EndCall(reason):
                self.is_hung_up = self._ended_after is None and not self.is_transferred
                self.end_reason = self.end_reason or reason

    def _transfer(self, number: str) -> None:
        """On a line without a carrier's control the call simply leaves: the stream ends, as it does when a carrier takes it
        away."""
        self.is_transferred = True
        self._event("transferred", {"number": number})
        self.stop("transferred")

    def _changed(self, revision: Revision) -> None:
        """The reply that begins now is answered by another revision."""
        self._meter.know(self._setup.live.held(revision.agent))
        self._event("revision", {"revision": revision.number, "note": revision.note})
        self._narrator.revision(revision.number, revision.note)
        self._engine.govern(revision.agent.policy())

    def _answer(self) -> None:
        self._answered = True
        self._clock.start()
        self.zero = self._clock.zero
        self._setup.log.answered(self._setup.call_id, datetime.now(UTC))
        self._event("answered", {})
        self._narrator.answered()
        self._setup.answered()
        self._mailbox.put(CallAnswered(self._setup.live.current.agent.greeting))

    def _stalled(self, started_at: float, seconds: float, cell: int | None) -> None:
        self._event("loop_stall", {"started_at": started_at, "seconds": seconds, "cell": cell})
        self._narrator.stalled(started_at, seconds, cell)

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
            elif (told := undone(event)) is not None:
                self._event(told.kind, told.data)
        over = self._engine.next_timer()
        if not self._engine.ended and over is not None:
            # Nobody listens any more, so last words that did not come will not.
            self._orders.extend(self._engine.handle_timer(max(over, self._clock.now())))
        for command in self._orders:
            if isinstance(command, RecordTurn | RecordEvent | EndCall):
                self._remember(command)
        self._setup.live.end()
        self._line.end()
        self._ended_after = self.duration_seconds


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for them; more than once for those that wait for something else while they end."""
    for _ in range(3):
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks), timeout=CLOSING_SECONDS)
