"""What comes after its time: money spent, tools that finished and instants of a reply that is not live any more."""

from __future__ import annotations

from typing import Any

from patter_nb.turns.events import InstantRecorded, ToolReturned, UsageReported
from patter_nb.turns.floor import Floor
from patter_nb.turns.reply import Reply, known_instant
from patter_nb.turns.turn import Turn


class Late:
    """Puts late facts into the row they belong to, or beside it when that is written."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def usage_reported(self, event: UsageReported, _now: float) -> None:
        """What a reply consumed belongs to its turn, transcription to the caller's last turn, everything else to the call."""
        floor, usage = self._floor, event.usage
        turn = self._turn_of(event)
        if turn is None:
            floor.record("call_usage", usage=usage)
        elif turn.written:
            floor.record("late_usage", turn=turn.number, reply=event.reply, usage=usage)
        else:
            turn.usage.append(usage)

    def _turn_of(self, event: UsageReported) -> Turn | None:
        if event.reply is not None:
            found = self._floor.rows.find(event.reply)
            return None if found is None else found[0]
        if event.usage.service != "stt":
            return None
        return next((turn for turn in self._floor.unwritten() if turn.kind == "caller"), None)

    def of_reply(self, event: Any, now: float) -> None:
        """Of a reply that is not live whatever is told is dropped, but what was done has been done."""
        if isinstance(event, InstantRecorded):
            known_instant(event.name)
        found = self._floor.rows.find(event.reply)
        if found is None:
            return
        turn, reply = found
        if isinstance(event, ToolReturned):
            self._tool_returned(turn, reply, event, now)
        elif isinstance(event, InstantRecorded) and event.name == "cleared_at" and turn.interrupted and reply is turn.reply:
            self._cleared(turn, event)

    def _cleared(self, turn: Turn, event: InstantRecorded) -> None:
        if turn.written:
            self._floor.record("late_instant", turn=turn.number, reply=event.reply, name=event.name, at=event.at)
        else:
            turn.instants.setdefault(event.name, event.at)

    def _tool_returned(self, turn: Turn, reply: Reply, event: ToolReturned, now: float) -> None:
        reply.tool_returned(event, now)
        if turn.written:
            late = {"id": event.id, "result": event.result, "error": event.error, "at": now}
            self._floor.record("late_tool_result", turn=turn.number, reply=event.reply, **late)
