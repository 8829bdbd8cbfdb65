"""Who is at the telephone end of a line: their lines as samples, and when they speak, wait and hang up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from patter_nb.audio.samples import Samples
from patter_nb.callers import Line, read_caller, render
from patter_nb.carriers.simulated import SpokenLine
from patter_nb.carriers.simulated.hearing import HZ, Ear
from patter_nb.carriers.simulated.lines import LineAudio, on_the_telephone
from patter_nb.carriers.simulated.script import Script
from patter_nb.testing.twilio.callee import Callee
from patter_nb.testing.twilio.tones import BEEP_HZ, BEEP_SECONDS, FAX_HZ, FAX_SECONDS, tone

FOREVER_SECONDS = 86_400.0
MACHINE_QUIET_SECONDS = 10.0
"""How long a machine records silence before it hangs up."""


@dataclass
class Person:
    """Somebody, or a machine, on the telephone. `waits`: the first line follows the agent's first words."""

    lines: list[LineAudio] = field(default_factory=list)
    waits: bool = True
    no_reply_seconds: float = 8.0
    hang_up_seconds: float = 1.0
    stays_seconds: float | None = None
    beep_seconds: float | None = None
    """Of a machine: when its beep is over, counted from its answer."""
    max_seconds: float = 600.0

    def script(self, ear: Ear) -> Script:
        """How they behave on one stream. Whoever has nothing to say listens until the other side hangs up."""
        listens = not self.lines
        return Script(
            self.lines,
            ear,
            expects_greeting=self.waits or listens,
            no_reply_seconds=FOREVER_SECONDS if listens else self.no_reply_seconds,
            hang_up_seconds=FOREVER_SECONDS if listens else self.hang_up_seconds,
        )

    def voice(self) -> Samples:
        """All that they say, one line after the other: int16, 8 kHz."""
        return np.concatenate([line.samples for line in self.lines]) if self.lines else np.zeros(0, np.int16)


async def spoken_lines(given: Any, *, synthetic: bool) -> list[SpokenLine]:
    """Lines as samples: texts are spoken by the on-device voice, `SpokenLine`s are taken as they are."""
    if isinstance(given, Sequence) and not isinstance(given, str | tuple) and any(isinstance(one, SpokenLine) for one in given):
        return [one if isinstance(one, SpokenLine) else (await _rendered([one], synthetic))[0] for one in given]
    if isinstance(given, Sequence) and not len(given):
        return []
    return await _rendered(given, synthetic)


async def _rendered(given: Any, synthetic: bool) -> list[SpokenLine]:
    script = read_caller(list(given) if isinstance(given, tuple) and isinstance(given[0], str | Line) else given)
    return await render(script, synthetic=synthetic)


async def caller(given: Any, *, synthetic: bool, **manners: Any) -> Person:
    """Somebody who calls in and says these lines."""
    lines = await spoken_lines(given, synthetic=synthetic)
    return Person(await asyncio.to_thread(_filtered, lines), **manners)  # filters take their time


async def person(callee: Callee, *, synthetic: bool) -> Person:
    """Whoever answers as `callee` says."""
    if callee.kind == "fax":
        return await asyncio.to_thread(_answering, [SpokenLine("", tone(FAX_HZ, FAX_SECONDS), HZ, 0.0)], callee)
    lines = await spoken_lines(callee.lines, synthetic=synthetic) if callee.has_lines else []
    if callee.kind == "machine":
        return await asyncio.to_thread(_machine, lines, callee)
    if lines and callee.greets_after_seconds is not None:
        lines[0] = replace(lines[0], wait_seconds=callee.greets_after_seconds)
    return await asyncio.to_thread(_answering, lines, callee)


def _filtered(lines: list[SpokenLine]) -> list[LineAudio]:
    return [on_the_telephone(line) for line in lines]


def _answering(lines: list[SpokenLine], callee: Callee) -> Person:
    return Person(
        _filtered(lines),
        waits=callee.greets_after_seconds is None,
        no_reply_seconds=callee.no_reply_seconds or FOREVER_SECONDS,
        hang_up_seconds=callee.hang_up_seconds or 0.02,
        stays_seconds=callee.stays_seconds,
    )


def _machine(lines: list[SpokenLine], callee: Callee) -> Person:
    """Its greeting and its beep are one line, said at once; the beep is no speech and keeps its full band."""
    spoken = [line.samples for line in _filtered(lines)]
    samples = np.concatenate([*spoken, np.zeros(HZ // 5, np.int16), tone(BEEP_HZ, BEEP_SECONDS)])
    audio = on_the_telephone(SpokenLine(" ".join(line.text for line in lines), samples, HZ, 0.0))
    return Person(
        [audio],
        waits=False,
        no_reply_seconds=max(callee.no_reply_seconds, MACHINE_QUIET_SECONDS),
        hang_up_seconds=callee.hang_up_seconds or 0.02,
        stays_seconds=callee.stays_seconds,
        beep_seconds=len(audio.samples) / HZ,
    )
