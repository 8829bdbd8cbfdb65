"""Executions of tools, each with what became of it, also after its turn was over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from patter_nb.records.readings import LATE_TOOL, TOOL_PROGRESS, CallReading, TurnReading
from patter_nb.turns.facts import ToolRun


@dataclass(frozen=True, slots=True)
class ToolReading:
    """One execution. What returned late stands in it as if it had not."""

    turn: TurnReading
    run: ToolRun
    late: bool
    progress: int
    """How often it reported on its way."""

    @property
    def ms(self) -> float:
        """From the model's request to the return; NaN when it never returned."""
        if self.run.called_at is None or self.run.returned_at is None:
            return math.nan
        return (self.run.returned_at - self.run.called_at) * 1000


def tool_runs(call: CallReading) -> Iterator[ToolReading]:
    """The executions of one call, in the order in which they were asked for within each turn."""
    reports = Counter(event.data.get("id") for event in call.events(TOOL_PROGRESS))
    for turn in call.turns:
        late = {event.data.get("id"): event.data for event in call.late(LATE_TOOL, turn.facts.turn)}  # some models count ids anew
        for run in turn.facts.tools:
            came = late.get(run.id)
            if came is not None:
                times = (run.called_at, came.get("at"))
                run = ToolRun(run.id, run.name, run.arguments, came.get("result"), came.get("error"), *times, run.attempts)  # noqa: PLW2901
            yield ToolReading(turn, run, came is not None, reports[run.id])
