"""What comes after its time: money spent, tools that finished and instants of a reply that is not live any more."""

from __future__ import annotations

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
        floor, usage, turn = self._floor, event.usage, None
        if event.reply is not None:
            turn, _ = floor.rows.find(event.reply)
        elif usage.service == "stt":
            turn = next((turn for turn in floor.unwritten() if turn.kind == "caller"), None)
        if turn is None:
            floor.record("call_usage", usage=usage)
        elif turn.written:
            floor.record("late_usage", turn=turn.number, reply=event.reply, usage=usage)
        else:
            turn.usage.append(usage)

    def of_reply(self, event: object, now: float) -> None:
        """Of a reply that is not live whatever is told is dropped, but what was done has been done."""
        if isinstance(event, InstantRecorded):
            known_instant(event.name)
            self._cleared(event)
        elif isinstance(event, ToolReturned):
            turn, reply = self._floor.rows.find(event.reply)
            if turn is not None and reply is not None:
                self._tool_returned(turn, reply, event, now)

    def _cleared(self, event: InstantRecorded) -> None:
        turn, _ = self._floor.rows.find(event.reply)
        if event.name != "cleared_at" or turn is None or not turn.interrupted:
            return
        if turn.written:
            self._floor.record("late_instant", turn=turn.number, reply=event.reply, name=event.name, at=event.at)
        else:
            turn.instants.setdefault(event.name, event.at)

    def _tool_returned(self, turn: Turn, reply: Reply, event: ToolReturned, now: float) -> None:
        reply.tool_returned(event, now)
        if turn.written:
            late = {"id": event.id, "result": event.result, "error": event.error}
            self._floor.record("late_tool_result", turn=turn.number, reply=event.reply, **late)
