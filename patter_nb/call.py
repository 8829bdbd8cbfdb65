"""The handle of one call: what it is doing, what was said, how long everything took and what it cost."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal

from patter_nb.audio.recording import Recording
from patter_nb.callbacks import HUNG_UP, Done, Orders
from patter_nb.errors import CarrierError, ConfigError, PatterError
from patter_nb.live import Edit, Live
from patter_nb.notebook.display import CardHandle
from patter_nb.notebook.standing import limits_of, remarks_of, standing_of, title_of
from patter_nb.notebook.view import CallView, pieces_of, speech_of, tools_of
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.session.boundary import guarded
from patter_nb.session.notices import CallEvent, Notices, come, to_come
from patter_nb.session.session import Session
from patter_nb.turns.events import Event
from patter_nb.turns.orders import undone

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from patter_nb.records.facts import EventFacts
    from patter_nb.records.metrics import CallMetrics

State = Literal["running", "ended", "failed"]


class Call(Orders):
    """One phone conversation. It starts at once. `await call` waits for its end, or, where `phone.call()` made it, until the
    carrier has accepted the dial; `await call.ended()` always waits for its end.

    A real call goes on when that wait is cancelled. Whoever cancels the wait for a test ends the test and keeps its rows: an
    interrupt of the cell that awaits does, and so does a time-out put around it (`asyncio.wait_for`). To look in again later,
    wait with `call.ended(timeout_seconds=...)`: the call goes on.

    While it is on: `say`, `inject`, `hangup`, `send_dtmf`, `transfer`, `mute` and `unmute`, `edit` and `rollback`, `stream`.
    """

    def __init__(
        self, call_id: str, log: CallLog, shelf: RecordingShelf, live: Live, notices: Notices, *, real: bool = False
    ) -> None:
        self.id = call_id
        self.carrier_call_id = ""
        """What the carrier calls it (Twilio: `CA...`); "" before it is known, and of a test call."""
        self.live = live
        """The agent of this call, and the edit that waits for its next reply."""
        self.state: State = "running"
        self.error: str | None = None
        """Why the call failed, in one sentence; None while it runs and when it ended as calls do."""
        self.end_reason = ""
        self.zero = 0.0
        """When it was answered, by the loop's clock (`time.monotonic()` on a real one): the zero of its instants. 0.0 before."""
        self._log = log
        self._shelf = shelf
        self._session: Session | None = None
        self._recording: Recording | None = None
        self._loop = asyncio.get_running_loop()
        self._done = to_come()
        self._real = real
        self._accepted: Future[None] | None = None
        """Comes when the carrier has accepted the dial of an outbound call; None where nobody waits for that."""
        self._task: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._card: CardHandle | None = None
        self._stop_reason: str | None = None
        self._notices = notices
        self._lock = threading.Lock()
        self._early: list[Event] = []
        """Orders that came before there was a session to take them."""

    # How a call is held: used by `Patter` only.

    def hold(self, work: Callable[[Call], Coroutine[Any, Any, None]], card: CardHandle | None) -> None:
        """Start `work`, which holds the call, and show its end in `card`."""
        self._card = card
        self._task = self._loop.create_task(self._hold(work), name=f"call {self.id}")

    async def _hold(self, work: Callable[[Call], Coroutine[Any, Any, None]]) -> None:
        async def working() -> None:
            await guarded(work(self), self._fail, who="the call")

        self._work = asyncio.create_task(working(), name=f"work of call {self.id}")
        try:
            await self._unless_stopped(self._work)
        finally:
            try:
                # Also when the loop is about to close and this task was cancelled: first what needs no waiting.
                self._end()
                await self._afterwards()
            finally:
                self._done.set_result(None)
                if self._accepted is not None and not self._accepted.done():
                    self._accepted.set_result(None)

    async def _unless_stopped(self, work: asyncio.Task[None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            if not work.cancelled() or self._stop_reason is None:  # cancelled by somebody else than `stop`
                raise

    def attach(self, session: Session) -> None:
        """The session that runs this call; may be called from another thread."""
        with self._lock:
            self._session = session
            for event in self._early:  # under the lock, so that none that comes now overtakes them
                session.post(event)
            self._early.clear()
        if self._stop_reason is not None:
            session.stop(self._stop_reason)

    def dialled(self) -> None:
        """Whoever awaits this call waits until its dial is accepted."""
        self._accepted = to_come()

    def carried(self, carrier_call_id: str) -> None:
        """The carrier has it, under this id."""
        self.carrier_call_id = carrier_call_id
        if carrier_call_id and self._accepted is not None and not self._accepted.done():
            self._accepted.set_result(None)

    async def over(self) -> None:
        """Wait until it is over, however it ends."""
        await come(self._done)

    def when_over(self, function: Callable[[], object]) -> None:
        """Call `function()` once the call is over."""
        self._done.add_done_callback(lambda _: function())

    def refresh(self) -> None:
        """Show the call as it stands now in its card. From any thread."""
        if self._card is not None:
            self._card.refresh(self.view)

    def _fail(self, error: str) -> None:
        self.state, self.error = "failed", error

    def _end(self) -> None:
        """Keep how the call ended."""
        session, seconds = self._session, 0.0
        self.end_reason = self._stop_reason or "cancelled"
        if session is not None:
            self.end_reason, seconds = session.end_reason, session.duration_seconds
            self._recording, self.zero = session.recording, session.zero
        if self.error is not None:
            self.end_reason = "failed"
            self._log.event(self.id, seconds, "failed", {"error": self.error})
        elif self.state == "running":
            self.state = "ended"
        for told in map(undone, self._early):  # no session has come to take them
            if told is not None:
                self._log.event(self.id, seconds, told.kind, told.data)
        self._log.finish(self.id, duration_seconds=seconds, end_reason=self.end_reason, error=self.error)
        if self._recording is not None and len(self._recording.samples):
            self._shelf.keep(self.id, self._recording)  # its path follows when it is written
        self._session = None
        self.live.end()  # also where no session ended it: edits shall not wait for this call

    async def _afterwards(self) -> None:
        """Write the recording to the disk, and fill in the card.

        The card is drawn before whoever awaits goes on, so that it stands under the cell that awaited also where no page is open.
        """
        await asyncio.to_thread(self._shelf.retry)
        if (problem := self._shelf.problem_of(self.id)) is not None:
            self._log.event(self.id, self.duration_seconds, "recording_not_saved", {"error": problem})
        await self._tell_end()
        if self._card is not None:
            await guarded(self._card.update(self.view), self._undrawn, who="the card")

    async def _tell_end(self) -> None:
        """Tell the callbacks that the call is over, and wait until all of them have been called."""
        row = self._log.row(self.id)
        end = {name: row.get(name) for name in ("caller", "callee", "direction", "end_reason", "error")}
        said = self._log.transcript(self.id)
        end |= {"call_id": self.id, "ended_at": time.time(), "transcript": said, "conversation_history": said}
        self._notices.tell("call_ended", self.duration_seconds, {**end, "metrics": self.metrics}, callback="on_call_end")
        self._notices.finish()
        await self._notices.drained()

    def _undrawn(self, error: str) -> None:
        self._log.event(self.id, self.duration_seconds, "card_not_drawn", {"error": error})

    # What users do with it.

    def __await__(self) -> Generator[Any, None, Call]:
        return (self.ended() if self._accepted is None else self._accepted_dial(self._accepted)).__await__()

    async def _accepted_dial(self, accepted: Future[None]) -> Call:
        """Wait until the carrier has accepted the dial, on any loop. `CarrierError` with the reason when it has not."""
        await come(accepted)
        if self.error is not None and not self.carrier_call_id:
            raise CarrierError(self.error)
        return self

    async def ended(self, timeout_seconds: float | None = None) -> Call:
        """Wait until the call is over, on any loop. `PatterError` with the reason when it failed.

        `TimeoutError` when it is not over after `timeout_seconds`; the call goes on. Cancelling this wait (an interrupt of the
        cell, `asyncio.wait_for`) ends the call.
        """
        try:
            over = await come(self._done, timeout_seconds)
        except asyncio.CancelledError:
            if not self._real:
                self.stop("interrupted")
            raise
        if not over:
            raise TimeoutError(f"The call is not over after {timeout_seconds:g} s; it goes on.")
        if self.error is not None:
            raise PatterError(self.error)
        return self

    def stop(self, reason: str = "stopped") -> None:
        """End the call now; its rows and its recording stay. From any thread; harmless when it is over."""
        if self.state != "running":
            return
        self._stop_reason = self._stop_reason or reason
        with self._lock:
            session = self._session
        if session is not None:
            session.stop(reason)
        else:
            with contextlib.suppress(RuntimeError):  # its loop is closed: the call is over
                self._loop.call_soon_threadsafe(self._give_up)

    def ends(self, reason: str) -> None:
        """Whoever holds the call is about to return, for this reason."""
        self._stop_reason = self._stop_reason or reason

    def hangup(self, text: str = "") -> Done:
        """End the call when what is being said was heard, and `text` after it. One that still rings is given up at once."""
        with self._lock:
            rings = self._real and self._session is None
        if not rings:
            return super().hangup(text)
        self.stop(HUNG_UP)
        return Done()

    def _give_up(self) -> None:
        """Stop what comes before there is a session. Once: what was cancelled may wait for a thread that makes one."""
        if self._session is None and self._work is not None and not self._work.cancelling():
            self._work.cancel()

    @property
    def _transferring(self) -> bool:
        session = self._session
        return session is not None and session.is_transferring

    def _hand_over(self, event: Event) -> bool:
        if self.state != "running":
            return False
        with self._lock:
            session = self._session
            if session is None:
                self._early.append(event)
                return True
        return session.post(event)

    def edit(self, *, note: str = "", **changes: Any) -> Edit:
        """Change fields of this call's agent, from its next reply on: `call.edit(system_prompt="...")`. From any thread.

        `ConfigError` when the changes make no agent, or name what stays as it is during a call; nothing has changed then.
        """
        self._expect_running()
        return self.live.propose(note=note, **changes)

    def rollback(self, number: int, *, note: str = "") -> Edit:
        """Take what an earlier revision of the agent says, from the next reply of this call on."""
        self._expect_running()
        return self.live.line.roll_back(number, note=note, live=self.live)

    def _expect_running(self) -> None:
        if self.state != "running":
            raise ConfigError("The call is over: phone.edit(...) changes the agent for the next one.")

    def stream(self) -> AsyncIterator[CallEvent]:
        """Everything that happens in the call, from its beginning to its end: `async for event in call.stream()`. On any
        loop."""
        return self._notices.stream()

    @property
    def duration_seconds(self) -> float:
        """Seconds since the answer; 0.0 before it."""
        session = self._session
        return session.duration_seconds if session is not None else float(self._log.row(self.id).get("duration_seconds") or 0.0)

    @property
    def turns(self) -> pd.DataFrame:
        """One row per turn so far; columns as documented in `patter_nb.records.columns`."""
        return self._log.call_turns(self.id)

    @property
    def events(self) -> pd.DataFrame:
        """Everything that was recorded about the call, in order."""
        return self._log.call_events(self.id)

    @property
    def transcript(self) -> list[dict[str, str]]:
        """What was said, in order: `{"role": "user" | "assistant", "text": ...}`, the agent's words as they were heard.

        Word for word: phone numbers are not masked here, so that it can be worked with; tables, cards and reprs mask them.
        """
        return self._log.transcript(self.id)

    @property
    def metrics(self) -> CallMetrics:
        """Latency and cost of the call, in Patter's own fields."""
        return self._log.metrics(self.id)

    @property
    def cost(self) -> pd.DataFrame:
        """US dollars per turn and service, call-level rows, and their sum; NaN where a price is unknown."""
        return self._log.cost(self.id)

    @property
    def audio(self) -> Recording | None:
        """The recording so far: caller left, agent right as heard. None when the call is not recorded."""
        session = self._session
        return self._recording if session is None else session.recording

    def between(self, since: float, until: float) -> Recording | None:
        """A stretch of the recording, in seconds of the call's clock; silence where nothing is known yet. Also while it runs."""
        session, kept = self._session, self._recording
        if session is not None:
            return session.between(since, until)
        return None if kept is None else Recording(kept.samples[int(since * kept.hz) : int(until * kept.hz)], kept.hz)

    def plot(self, *, dark: bool | None = None) -> Figure:
        """The latency waterfall of each turn over who spoke when. `dark` None: where matplotlib's own style is dark."""
        from patter_nb.notebook.figure import call_figure

        return call_figure(self.view(), dark=dark)

    def view(self) -> CallView:
        """The call as it stands, for a card, a figure or a terminal."""
        return call_view(self, self._log, self._shelf)

    def __repr__(self) -> str:
        seconds = self._log.row(self.id).get("duration_seconds")
        length = "" if not seconds else f", {seconds:.1f} s"
        return f"<Call {self.id}, {self.error or self.end_reason or self.state}{length}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 (IPython's)
        from patter_nb.notebook.display import mimebundle

        if self._card is not None and self._card.in_its_cell():
            return {"text/plain": repr(self)}
        return mimebundle(self.view())


def call_view(call: Call, log: CallLog, shelf: RecordingShelf) -> CallView:
    """Collect what a card shows of a call."""
    row, events, reading = log.row(call.id), log.event_rows(call.id), log.reading(call.id)
    facts, line = reading.record.facts, reading.line
    is_test = facts.direction == "test"
    remarks = (*remarks_of(facts, line, error=call.error), *limits_of(events, facts.direction))
    return CallView(
        call_id=call.id,
        title=title_of(facts),
        state=call.state,
        started_at=row.get("started_at"),
        duration_seconds=call.duration_seconds,
        caller=row.get("caller", "") if is_test else "",  # the title has the one that is not ours
        callee=row.get("callee", "") if is_test else "",
        agent=row.get("agent", ""),
        revision=row.get("revision"),
        turns=call.turns,
        cost=call.cost,
        latency=log.latency(call.id),
        answered=line.answered,
        standing=standing_of(facts, call.state, line),
        ring_seconds=line.ring_seconds,
        speech=speech_of({"kind": event.kind, **event.data} for event in events),
        recording=None if call.state == "running" else call.audio,  # its player would start anew with every turn
        end_reason=call.end_reason,
        error=call.error,
        notes=tuple(note for note in (*remarks, _voice_activity(events), log.problem, shelf.problem_of(call.id)) if note),
        pieces=pieces_of(log.attributions(call.id)),
        tools=tools_of(log.call_tools(call.id)),
    )


def _voice_activity(events: Sequence[EventFacts]) -> str | None:
    """What a reader must know of the call's ear: that it only told loud from quiet, and why."""
    heard = (event.data for event in events if event.kind == "voice_activity" and event.data["fallback"])
    return next((f"Voice activity by loudness alone ({data['reason']})" for data in heard), None)
