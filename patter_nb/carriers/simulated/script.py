"""When a simulated caller speaks and when it hangs up. Pure: decides from what its ear has heard, in samples of its own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patter_nb.carriers.simulated.hearing import HZ, Ear, Talk, reply_to
from patter_nb.carriers.simulated.lines import LineAudio

_PERSISTS = HZ
"""An agent that was talking when a line began, and still talks one second after it, is waited for as if it answered."""


@dataclass(slots=True)
class Spoken:
    """A line that was begun: its number, first sample, and the sample after its last (keys included)."""

    number: int
    start: int
    end: int
    onset: int
    """First sample of speech; `start` in a line without any."""
    last: int
    """The sample after the last of speech; `end` in a line without any."""
    talks: int
    """Stretches of the agent's talk that had begun by then."""


class Script:
    """Goes through the lines once. `waited_in_vain`: (line number, sample) of each reply that never came; -1 is the greeting."""

    def __init__(
        self, lines: Sequence[LineAudio], ear: Ear, *, expects_greeting: bool, no_reply_seconds: float, hang_up_seconds: float
    ) -> None:
        self._lines = lines
        self._ear = ear
        self._expects_greeting = expects_greeting
        self._no_reply = int(no_reply_seconds * HZ)
        self._linger = int(hang_up_seconds * HZ)
        self.spoken: list[Spoken] = []
        self.waited_in_vain: list[tuple[int, int]] = []
        self.hang_up_at: int | None = None

    def advance(self, start: int, end: int) -> Spoken | None:
        """Decide about the samples from `start` to before `end`, all before `end` having been heard.

        Returns the line that begins among them, if one does; sets `hang_up_at` when the call is over before `end`.
        """
        if self.hang_up_at is not None or (self.spoken and self.spoken[-1].end >= end):
            return None
        due = self._due(end)
        if due is None or due >= end:
            return None
        at = max(due, start, self.spoken[-1].end if self.spoken else 0)
        if len(self.spoken) == len(self._lines):
            self.hang_up_at = at
            return None
        return self._begin(at)

    def _begin(self, at: int) -> Spoken:
        number = len(self.spoken)
        line = self._lines[number]
        end = at + line.size
        first, last = line.speech or (0, line.size)
        self.spoken.append(Spoken(number, at, end, at + first, at + last, len(self._ear.talks)))
        return self.spoken[-1]

    def _due(self, now: int) -> int | None:
        """The sample at which the next line starts or the caller hangs up, as far as it is known at sample `now`."""
        number = len(self.spoken)
        line = self._lines[number].line if number < len(self._lines) else None
        before = self.spoken[-1] if self.spoken else None
        if before is None and not self._expects_greeting:
            return int(line.wait_seconds * HZ) if line else 0
        reply = self._reply(before)
        if reply is None:
            return self._given_up(before, now)
        if line and line.interrupt_after_seconds is not None:
            return reply.start + round(line.interrupt_after_seconds * HZ)
        return self._ear.talks[-1].end + (round(line.wait_seconds * HZ) if line else self._linger)

    def _reply(self, before: Spoken | None) -> Talk | None:
        onset, last, begun = (before.onset, before.last, before.talks) if before else (-1, 0, 0)
        talks = self._ear.talks[max(0, begun - 1) :]
        reply = reply_to(talks, onset, last)
        if reply is None and talks and not talks[-1].cut and talks[-1].end > last + _PERSISTS:
            return talks[-1]
        return reply

    def _given_up(self, before: Spoken | None, now: int) -> int | None:
        quiet_since = max(before.end if before else 0, self._ear.talks[-1].end if self._ear.talks else 0)
        if now <= quiet_since + self._no_reply:
            return None
        self.waited_in_vain.append((before.number if before else -1, quiet_since + self._no_reply))
        return quiet_since + self._no_reply
