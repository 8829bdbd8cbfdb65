"""The far end of one call: a telephone line that runs on its own clock, whatever the agent does.

Sample n of the caller is uttered, and sample n of the agent is heard, at second n / 8000 of the stream. So a frame is sent when
its 20 ms are over, and the number of frames sent depends on the clock alone: after a delay all that are due follow at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import ceil

import numpy as np

from patter_nb.audio import g711
from patter_nb.audio.samples import Samples
from patter_nb.carriers.base import Connection
from patter_nb.carriers.simulated.hearing import HZ, Ear
from patter_nb.carriers.simulated.lines import KEY_SAMPLES, LineAudio
from patter_nb.carriers.simulated.playout import Playout
from patter_nb.carriers.simulated.report import EndedBy, FarEndEvent, FarEndReport, MarkEcho, exchanges, greeting
from patter_nb.carriers.simulated.script import Script, Spoken
from patter_nb.carriers.simulated.wire import CarrierWire, Clear, Mark, Media
from patter_nb.clock import Clock
from patter_nb.errors import CarrierError

FRAME = HZ // 50
"""Samples of a frame: 20 ms."""
_ROUNDING = 1e-6
"""Seconds that a floating-point clock may fall short of the instant it was told to wait for."""
_SILENCE = bytes([0xFF]) * FRAME
"""20 ms of µ-law zero."""


class FarEnd:
    """One call over one connection. `fault` holds what the agent's side sent that a carrier would refuse; the call ends there."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        *,
        lines: list[LineAudio],
        script: Script,
        ear: Ear,
        noise: Samples | None,
        parameters: Mapping[str, str],
        max_seconds: float,
        wire: CarrierWire | None = None,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._lines = lines
        self._script = script
        self._ear = ear
        self._noise = noise
        self._parameters = parameters
        self._max_samples = int(max_seconds * HZ)
        self._wire = wire or CarrierWire()
        self._playout = Playout()
        self._sent: list[bytes] = []
        self._marks: list[MarkEcho] = []
        self._clears: list[float] = []
        self._events: list[FarEndEvent] = []
        self._ended_by: EndedBy | None = None
        self._ended_at = 0.0
        self._told_to_end: EndedBy | None = None
        self._late = 0.0
        self._zero = self._zero_loop = 0.0
        self._mark_queued = asyncio.Event()
        self._nap: asyncio.Future[None] | None = None
        self.fault: CarrierError | None = None

    async def run(self) -> None:
        """Hold the call to its end, whichever side ends it."""
        await self._connection.send(self._wire.connected())
        await self._connection.send(self._wire.start(self._parameters))
        self._zero = self._clock.now()
        self._zero_loop = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read()), group.create_task(self._send_marks())]
                await self._speak()
                for task in tasks:
                    task.cancel()
        finally:
            self._wake_marker()
            await self._connection.close()

    @property
    def position(self) -> int:
        """Samples that were spoken and heard so far."""
        return len(self._sent) * FRAME

    def hang_up(self, by: EndedBy = "caller") -> None:
        """End the call with the frame that is being spoken. From its own loop."""
        self._told_to_end = self._told_to_end or by

    async def press(self, key: str) -> None:
        """Press a key of the telephone now. From its own loop."""
        self._events.append(FarEndEvent("key_pressed", self._now()))
        await self._connection.send(self._wire.dtmf(key))

    def report(self) -> FarEndReport:
        """What was heard and said until the end."""
        talks = self._ear.talks
        size = self.position
        vain = [
            FarEndEvent("no_greeting" if line < 0 else "no_reply", at / HZ, line if line >= 0 else None)
            for line, at in self._script.waited_in_vain
        ]
        return FarEndReport(
            heard=self._playout.heard(size),
            spoken=g711.decode(b"".join(self._sent)),
            greeting=greeting(self._script, talks, self._playout),
            exchanges=exchanges(self._lines, self._script, talks, self._playout),
            marks=tuple(self._marks),
            clears=tuple(self._clears),
            events=tuple(sorted((*self._events, *vain), key=lambda event: event.at)),
            ended_by=self._ended_by or "agent",
            duration_seconds=self._ended_at,
            frames_sent=len(self._sent),
            late_seconds=self._late,
            zero_loop_seconds=self._zero_loop,
            dry=tuple((gap.start / HZ, gap.end / HZ) for gap in self._playout.dry),
        )

    def _now(self) -> float:
        return self._clock.now() - self._zero

    def _sample(self) -> int:
        """The next sample to be heard."""
        return ceil((self._now() - _ROUNDING) * HZ)

    def _end(self, by: EndedBy) -> None:
        if self._ended_by is None:
            self._ended_by, self._ended_at = by, self._now()

    async def _read(self) -> None:
        while (text := await self._connection.receive()) is not None:
            try:
                await self._obey(text)
            except CarrierError as error:
                self.fault = error
                return self._end("caller")
        return self._end("agent")

    async def _obey(self, text: str) -> None:
        order = self._wire.read(text)
        if isinstance(order, Media):
            self._playout.play(g711.decode(order.payload), self._sample())
        elif isinstance(order, Mark):
            self._playout.mark(order.name, self._sample())
            self._mark_queued.set()
        elif isinstance(order, Clear):
            await self._clear()

    async def _clear(self) -> None:
        at = self._sample()
        self._clears.append(self._now())
        self._ear.cut(self._playout.played, at)
        names = self._playout.clear(at)
        self._wake_marker()  # the instant it sleeps until is that of a mark which is gone
        for name in names:
            await self._send_mark(name, cleared=True)

    async def _send_marks(self) -> None:
        """Send each mark back at the sample at which it falls due."""
        marks = self._playout.marks
        while True:
            self._mark_queued.clear()
            while marks:
                if self._now() + _ROUNDING >= marks[0][0] / HZ:
                    await self._send_mark(marks.popleft()[1], cleared=False)
                    continue
                self._nap = asyncio.ensure_future(self._clock.sleep_until(self._zero + marks[0][0] / HZ))
                await asyncio.wait((self._nap,))
            await self._mark_queued.wait()

    def _wake_marker(self) -> None:
        if self._nap is not None:
            self._nap.cancel()

    async def _send_mark(self, name: str, *, cleared: bool) -> None:
        self._marks.append(MarkEcho(name, self._now(), cleared))
        await self._connection.send(self._wire.mark(name))

    async def _speak(self) -> None:
        """Send every frame when its time is over, until one side hangs up."""
        while self._ended_by is None:
            over_at = (len(self._sent) + 1) * FRAME / HZ
            await self._clock.sleep_until(self._zero + over_at)
            if self._ended_by is not None:
                return
            self._late = max(self._late, self._now() - over_at)
            await self._frame()
            if self._hangs_up():
                await self._connection.send(self._wire.stop())

    async def _frame(self) -> None:
        start = len(self._sent) * FRAME
        end = start + FRAME
        self._ear.listen(self._playout.played, end)
        self._script.advance(start, end)
        line = self._script.spoken[-1] if self._script.spoken else None
        payload = self._sound(line if line and line.end > start else None, start)
        if line and line.end > start:
            await self._press_keys(line, start, end)
        self._sent.append(payload)
        await self._connection.send(self._wire.media(payload, start * 1000 // HZ))

    def _hangs_up(self) -> bool:
        size = self.position
        if self._told_to_end is not None:
            self._end(self._told_to_end)
            return True
        if self._script.hang_up_at is not None and self._script.hang_up_at <= size:
            self._end("caller")
            return True
        if size >= self._max_samples:
            self._events.append(FarEndEvent("too_long", size / HZ))
            self._end("limit")
            return True
        return False

    def _sound(self, line: Spoken | None, start: int) -> bytes:
        """The µ-law frame from sample `start`: the line that is being said, over the noise of the line."""
        if line is None and self._noise is None:
            return _SILENCE
        sound = np.zeros(FRAME, np.int32)
        if self._noise is not None:
            offset = start % len(self._noise)
            sound += self._noise[offset : offset + FRAME]
        if line is not None:
            said = self._lines[line.number].samples
            first, last = max(line.start, start), min(line.start + len(said), start + FRAME)
            if first < last:
                sound[first - start : last - start] += said[first - line.start : last - line.start]
        return g711.encode(sound.clip(-32768, 32767).astype(np.int16))

    async def _press_keys(self, line: Spoken, start: int, end: int) -> None:
        audio = self._lines[line.number]
        for number, key in enumerate(audio.line.keys):
            at = line.start + len(audio.samples) + number * KEY_SAMPLES
            if start <= at < end:
                self._events.append(FarEndEvent("key_pressed", at / HZ, line.number))
                await self._connection.send(self._wire.dtmf(key))
