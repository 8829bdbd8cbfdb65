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
from functools import partial

from patter_nb.audio.recording import Recording
from patter_nb.callbacks import CallControl
from patter_nb.clock import CallClock
from patter_nb.live import Revision
from patter_nb.providers.base import CLOSING_SECONDS
from patter_nb.session.ahead import LAST_WORDS_SECONDS
from patter_nb.session.budget import Budget
from patter_nb.session.crew import Crew
from patter_nb.session.handover import Handover
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
    ReleaseCaller,
    RunTool,
    SendDtmf,
    SpeakFiller,
    StartReply,
    TransferCall,
)
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import (
    CallAnswered,
    CallerHungUp,
    Event,
    FinalReceived,
    TransferRequested,
    UsageReported,
)
from patter_nb.turns.orders import undone


class Session:
    """Runs one call to its end on the loop that calls `run`."""

    def __init__(self, setup: CallSetup) -> None:
        self._setup = setup
        self._clock = CallClock()
        self._loop = asyncio.get_running_loop()
        self._mailbox = Mailbox(self._clock)
        self._budget = self._make_budget(setup)
        self._meter = Meter(setup.log.prices, self._mailbox.put, self._budget.spend)
        known = (setup.call_id, setup.notices, setup.log)
        self._narrator = Narrator(*known, lambda: setup.live.current.agent, self._elapsed, carrier=setup.carrier)
        sides = (setup.caller, setup.callee, setup.carrier)
        self.control = CallControl(setup.call_id, *sides, self, carrier_call_id=setup.carrier_call_id)
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
        self._transfer_asked = False
        """A transfer was ordered that the engine has not been told of yet."""
        self._left_by_caller = False
        self.end_reason = ""
        self.zero = self._clock.zero
        """The loop's time at the answer: what instants of this call count from."""
        setup.live.clock(self._elapsed)
        self._handover = self._make_handover()
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
    def is_transferring(self) -> bool:
        """Whether a transfer was ordered or is under way."""
        return not self.ended and (self._transfer_asked or self._engine.transferring)

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
        self._transfer_asked = self._transfer_asked or isinstance(event, TransferRequested)
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

    def _make_budget(self, setup: CallSetup) -> Budget:
        return Budget(
            setup.log.prices,
            setup.live.current.agent.max_cost_usd,
            carrier=setup.carrier,
            direction=setup.direction,
            number=setup.callee,
            reached=self._mailbox.put,
            event=self._event,
        )

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

    def _make_handover(self) -> Handover | None:
        line = self._setup.call_line
        if line is None:
            return None
        done = partial(self.stop, "transferred")
        return Handover(
            line, spawn=self._spawn, post=self._mailbox.put, event=self._event, succeeded=self._handed_on, close=done
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
                if self._handover is not None:
                    await self._handover.end(by_caller=self._left_by_caller)
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
            self._left_by_caller = not self.end_reason
        elif isinstance(event, TransferRequested):
            self._transfer_asked = False
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
            case TransferCall() | ReleaseCaller():
                self._transfer(command)
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

    def _transfer(self, command: TransferCall | ReleaseCaller) -> None:
        """On a line without a carrier nobody is called: the call leaves, as it does when a carrier takes it away, and what it was
        to be handed on with is told."""
        if self._handover is not None:
            self._handover.perform(command)
        elif isinstance(command, TransferCall):
            self._handed_on(command)
            self.stop("transferred")

    def _handed_on(self, order: TransferCall) -> None:
        """Somebody else has the call. What ended the audio was that, whatever it looked like from here."""
        self.is_transferred, self.is_hung_up, self.end_reason = True, False, "transferred"
        told = {"number": order.number, "mode": order.mode}
        self._event("transferred", told | ({"summary": order.summary} if order.summary else {}))

    def _changed(self, revision: Revision) -> None:
        """The reply that begins now is answered by another revision."""
        self._meter.know(self._setup.live.held(revision.agent))
        self._event("revision", {"revision": revision.number, "note": revision.note})
        self._narrator.revision(revision.number, revision.note)
        self._engine.govern(revision.agent.policy())
        self._budget.govern(revision.agent.max_cost_usd)

    def _answer(self) -> None:
        self._answered = True
        self._clock.start()
        self.zero = self._clock.zero
        self._setup.log.answered(self._setup.call_id, datetime.now(UTC))
        self._event("answered", {})
        self._narrator.answered()
        self._setup.answered()
        self._spawn(self._budget.watch(self._clock), "money")
        self._mailbox.put(CallAnswered(self._setup.live.current.agent.greeting, self._setup.voicemail))

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
                self._narrator.event(event)
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
