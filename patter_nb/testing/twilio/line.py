"""One call as the carrier sees it: its state, its history, what was heard on it, and how it is told what comes next."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from patter_nb.audio.samples import Samples
from patter_nb.carriers.simulated import FarEndReport
from patter_nb.carriers.simulated.far_end import FarEnd
from patter_nb.testing.twilio.person import Person
from patter_nb.testing.twilio.recorder import HZ, CallRecording, Tape
from patter_nb.testing.twilio.tones import heard_keys
from patter_nb.testing.twilio.twiml import Document, LineWarning

if TYPE_CHECKING:
    from patter_nb.testing.twilio.exchange import Exchange

FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class StatusCallback:
    """Where and of what a call's progress is told."""

    url: str = ""
    method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})


@dataclass(repr=False)
class SimulatedLine:
    """A call of the simulated carrier. What it keeps can be read from any thread, and `hang_up` and `press` called."""

    exchange: Exchange = field()
    direction: str
    from_number: str = field()
    to_number: str = field()
    callback: StatusCallback = field(default_factory=StatusCallback)
    parent_sid: str = ""
    sid: str = field(default_factory=lambda: f"CA{uuid.uuid4().hex}")
    status: str = "queued"
    history: list[tuple[str, float]] = field(default_factory=list)
    """Each status and the second of the line's life at which it began."""
    reports: list[FarEndReport] = field(default_factory=list)
    """The far end's report of each media stream."""
    said: list[str] = field(default_factory=list)
    """What <Say> told the person on this line."""
    warnings: list[LineWarning] = field(default_factory=list)
    recordings: list[CallRecording] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    """The conferences this line was in and the sids of the calls it was connected to, in order."""
    answered_by: str = ""
    price_usd: float | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""
    person: Person = field(default_factory=Person)
    tape: Tape = field(default_factory=Tape)
    document_url: str = field(default="")

    def __post_init__(self) -> None:
        self.far_end: FarEnd | None = None
        self.person_left = False
        self.dismissed = False
        """The carrier or the account ended the call."""
        self.interrupted = asyncio.Event()
        self.streaming = asyncio.Event()
        """Set when a media stream has begun, and with it what the person says."""
        self._redirect: Document | None = None
        self._born = self.exchange.clock.now()
        self._answered: float | None = None
        self._duration = 0
        self._sequence = 0
        self._unsent: asyncio.Queue[tuple[str, dict[str, str]] | None] = asyncio.Queue()
        self._sending = self.exchange.task(self._send_callbacks())
        self._over: concurrent.futures.Future[FarEndReport | None] = concurrent.futures.Future()

    def __repr__(self) -> str:
        seconds = f", {self._duration} s" if self.ended_at else ""
        return f"<SimulatedLine {self.sid} {self.direction}, {self.status}{seconds}>"

    # From any thread.

    @property
    def report(self) -> FarEndReport | None:
        """The far end's report of the last media stream, once it has ended."""
        return self.reports[-1] if self.reports else None

    @property
    def heard(self) -> Samples:
        """What the person heard, all streams and announcements after each other: int16, 8 kHz."""
        return self.tape.heard

    @property
    def keys(self) -> str:
        """The keys whose tones the person heard."""
        return heard_keys(self.heard)

    @property
    def duration_seconds(self) -> int:
        """Whole seconds from answer to end."""
        return self._duration

    @property
    def is_over(self) -> bool:
        """Whether the call has ended and its callbacks are answered."""
        return self._over.done()

    def hang_up(self) -> None:
        """The person hangs up. Harmless when the call is over."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the call ended with it
            self.exchange.loop.call_soon_threadsafe(self.leave)

    def press(self, keys: str) -> None:
        """The person presses keys, one after the other."""
        self.exchange.loop.call_soon_threadsafe(lambda: self.exchange.task(self._press(keys)))

    async def ended(self) -> FarEndReport | None:
        """Wait for the end, and until its callbacks are answered. Gives the report of the last media stream, if there was one."""
        return await asyncio.shield(asyncio.wrap_future(self._over))

    # On the exchange's loop.

    @property
    def since_answer(self) -> float:
        """Seconds of the line since it was answered."""
        return 0.0 if self._answered is None else self.exchange.clock.now() - self._answered

    @property
    def leaving(self) -> bool:
        return self.person_left or self.dismissed

    def leave(self) -> None:
        self.person_left = True
        self._interrupt("caller")

    def dismiss(self) -> None:
        self.dismissed = True
        self._interrupt("carrier")

    def redirect(self, document: Document) -> None:
        """Drop what runs and go on with `document`."""
        self._redirect = document
        self._interrupt("carrier")

    def take_redirect(self) -> Document | None:
        document, self._redirect = self._redirect, None
        if not self.leaving:
            self.interrupted.clear()
        return document

    def _interrupt(self, by: Any) -> None:
        self.interrupted.set()
        if self.far_end is not None:
            self.far_end.hang_up(by)

    async def wait(self, work: Awaitable[Any]) -> bool:
        """Wait for `work` or an interruption, whichever comes first; whether `work` came to its end."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.interrupted.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            finished = task.done()
            if not finished:
                task.cancel()
            await asyncio.wait({task, stop})
        if finished:
            task.result()
        return finished and not self.interrupted.is_set()

    async def play(self, samples: Samples) -> None:
        """Play to the person, as far as they get before something else happens."""
        began = self.exchange.clock.now()
        await self.wait(self.exchange.clock.sleep(len(samples) / HZ))
        heard = samples[: round((self.exchange.clock.now() - began) * HZ)]
        self.tape.add(np.zeros(len(heard), np.int16), heard)

    def warn(self, code: int, text: str) -> None:
        self.warnings.append(LineWarning(code, text))
        self.exchange.changed()

    def set_status(self, status: str, event: str = "") -> None:
        """Go on to `status`, and tell it where that is asked for."""
        if status == "in-progress":
            self.answered_at, self._answered = datetime.now(UTC), self.exchange.clock.now()
        self.status = status
        self.history.append((status, self.exchange.clock.now() - self._born))
        event = "completed" if status in FINAL else event
        if event in self.callback.events and self.callback.url:
            self._unsent.put_nowait(("status", self._progress()))
        self._sequence += bool(event)
        self.exchange.changed()

    async def finish(self, status: str) -> None:
        """The call is over: callbacks, recordings, price."""
        if self._answered is not None:
            self._duration = max(1, ceil(self.since_answer))
        self.ended_at = datetime.now(UTC)
        self.set_status(status)
        self._unsent.put_nowait(None)
        await self._sending
        for recording in self.recordings:
            recording.finish(self.tape)
            self.exchange.changed()
            if recording.callback:
                form = self.exchange.forms.recording(self, recording)
                await self.exchange.posts.post("recording", recording.callback, form, recording.callback_method)
        self.exchange.charge(self)
        self._over.set_result(self.report)
        self.exchange.changed()

    def over(self, task: asyncio.Task[None]) -> None:
        """The task that held the call is done: whoever waits is told if it did not bring the call to its end."""
        if task.cancelled():
            self._over.cancel()
        elif (error := task.exception()) is not None:
            self._over.set_exception(error)

    def record(self, recording: CallRecording) -> None:
        self.recordings.append(recording)
        self.exchange.changed()

    @property
    def position(self) -> int:
        """The sample of the tape that is being played."""
        return self.tape.size + (self.far_end.position if self.far_end is not None else 0)

    def _progress(self) -> dict[str, str]:
        form = self.exchange.forms.call(self)
        form |= {
            "Timestamp": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "SequenceNumber": str(self._sequence),
            "CallbackSource": "call-progress-events",
        }
        if self.status in FINAL:
            form |= {"CallDuration": str(self._duration), "Duration": str(ceil(self._duration / 60))}
        if self.answered_by:
            form["AnsweredBy"] = self.answered_by
        return form

    async def _send_callbacks(self) -> None:
        while (unsent := await self._unsent.get()) is not None:
            kind, form = unsent
            await self.exchange.posts.post(kind, self.callback.url, form, self.callback.method)

    async def _press(self, keys: str) -> None:
        for number, key in enumerate(keys):
            if self.far_end is None:
                return
            if number:
                await self.exchange.clock.sleep(0.2)
            await self.far_end.press(key)
