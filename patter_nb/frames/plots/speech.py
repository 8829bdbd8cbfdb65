"""Who spoke when, call by call, from the table of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patter_nb.frames.plots.groups import many
from patter_nb.frames.plots.sheet import WIDTH, empty, grid, sheet
from patter_nb.notebook.bars import SMALL
from patter_nb.notebook.picture import Area, Lines, Picture, Rect, Shape, Text, shorten
from patter_nb.notebook.view import Speech, clock_text, number, speech_of

if TYPE_CHECKING:
    import pandas as pd

HEADING = "Who spoke when"
MOST_CALLS = 14

_LEFT = 134.0
_ROW = 34.0
_LANE = 11.0
_STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    speech: tuple[Speech, ...]
    stalls: tuple[tuple[float, float], ...]
    """Start and end of each, in seconds of the call's clock."""

    @property
    def end(self) -> float:
        return max([0.0, *(stretch.ended_at for stretch in self.speech), *(end for _, end in self.stalls)])


def speech_picture(events: pd.DataFrame) -> Picture:
    """Two lanes for each call, the caller's above the agent's; of more than 14 calls the last ones."""
    calls = _calls(events)
    if not any(call.speech for call in calls):
        return empty(HEADING, "Nobody spoke in the calls of this table: hold a call, then draw again.")
    last = [call for call in calls if call.speech][-MOST_CALLS:]
    end = max(1.0, *(call.end for call in last))
    top = 40.0
    area = Area(
        _LEFT, top, WIDTH - _LEFT - 14, _ROW * len(last), (0.0, end), (-0.5, len(last) - 0.5), "minutes since the answer", ""
    )
    step = next((step for step in _STEPS_SECONDS if end / step <= 10), _STEPS_SECONDS[-1])
    ticks = [(float(at), clock_text(at)) for at in range(0, int(end) + 1, step)]
    upright = tuple((area.x_of(at), top, area.x_of(at), top + area.height) for at, _ in ticks)
    shapes: list[Shape] = [*grid(area, ticks, ()), Lines(upright, "line"), *_key(last)]
    for index, call in enumerate(last):
        shapes += _row(call, area, top + _ROW * index)
    more = f"the last {len(last)} of {len(calls)} calls" if len(last) < len(calls) else ""
    return sheet(HEADING, shapes, top + area.height + 38, _reading(last), remark=more, area=area)


def _calls(events: pd.DataFrame) -> list[_Call]:
    """The calls in the order in which the table has them."""
    rows: dict[Any, list[Mapping[str, Any]]] = {}
    names = events["call_id"].tolist() if "call_id" in events.columns else [""] * len(events)
    for call, kind, data in zip(names, events["kind"].tolist(), events["data"].tolist(), strict=True):
        rows.setdefault(call, []).append({"kind": kind, **(data if isinstance(data, Mapping) else {})})
    return [_Call(str(name) or "call", speech_of(found), _stalls(found)) for name, found in rows.items()]


def _stalls(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[float, float], ...]:
    found = ((number(row.get("started_at")), number(row.get("seconds"))) for row in rows if row["kind"] == "loop_stall")
    return tuple((start, start + seconds) for start, seconds in found if start >= 0 and seconds > 0)


def _row(call: _Call, area: Area, y: float) -> list[Shape]:
    caller, agent = y + 4, y + 4 + _LANE + 2
    shapes: list[Shape] = [
        Text(0, y + 21, shorten(call.name, _LEFT - 14, SMALL), "ink", SMALL, title=call.name),
        *(Rect(area.x, lane + _LANE / 2 - 0.5, area.width, 1, "line") for lane in (caller, agent)),
    ]
    for stretch in call.speech:
        x = area.x_of(stretch.started_at)
        width = max(1.5, area.x_of(stretch.ended_at) - x)
        shapes.append(Rect(x, caller if stretch.who == "caller" else agent, width, _LANE, stretch.who, min(2.5, width / 2)))
    for start, end in call.stalls:
        shapes.append(Rect(area.x_of(start), agent + _LANE + 1, max(2.0, area.x_of(end) - area.x_of(start)), 3, "error"))
    cuts = [area.x_of(stretch.ended_at) for stretch in call.speech if stretch.interrupted]
    return [*shapes, Lines(tuple((x, caller - 2, x, agent + _LANE + 2) for x in cuts), "accent", 2)]


def _key(calls: Sequence[_Call]) -> list[Shape]:
    """What the colours mean, from the right edge leftwards."""
    marks = [("caller", "caller"), ("agent", "agent")]
    if any(stretch.interrupted for call in calls for stretch in call.speech):
        marks.append(("accent", "interrupted"))
    if any(call.stalls for call in calls):
        marks.append(("error", "loop stalled"))
    shapes: list[Shape] = []
    x = _LEFT
    for role, label in marks:
        shapes += [Rect(x, 22, 3 if role == "accent" else 10, 10, role), Text(x + 15, 31, label, "muted", SMALL)]
        x += 15 + 7.5 * len(label) + 12
    return shapes


def _reading(calls: Sequence[_Call]) -> str:
    seconds = {"caller": 0.0, "agent": 0.0}
    for stretch in (stretch for call in calls for stretch in call.speech):
        seconds[stretch.who] += stretch.ended_at - stretch.started_at
    both = sum(seconds.values()) or 1.0
    cuts = sum(stretch.interrupted for call in calls for stretch in call.speech)
    interrupted = f"; {many(cuts, 'interruption')}" if cuts else ""
    stalls = [end - start for call in calls for start, end in call.stalls]
    stalled = f"; the loop stood still for {sum(stalls):.1f} s in all" if stalls else ""
    shares = f"the caller spoke for {_length(seconds['caller'])}, the agent for {_length(seconds['agent'])}"
    return f"In {many(len(calls), 'call')} {shares}, {seconds['agent'] / both:.0%} of all speech{interrupted}{stalled}."


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
