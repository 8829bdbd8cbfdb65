"""What users' own stages did to a reply: noted in its row, or beside it when that is written. It changes nothing else."""

from __future__ import annotations

from patter_nb.turns.events import GuardrailHit, StageFailed
from patter_nb.turns.floor import Floor
from patter_nb.turns.turn import UNNUMBERED, Turn


class Notes:
    """Takes the notes of one call."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def stage_failed(self, event: StageFailed, _now: float) -> None:
        turn = self._turn_of(event.reply)
        self._floor.record("stage_failed", turn=_number(turn), reply=event.reply, stage=event.stage, error=event.error)
        if turn is not None and not turn.written:
            turn.error = turn.error or event.error

    def guardrail_hit(self, event: GuardrailHit, _now: float) -> None:
        turn = self._turn_of(event.reply)
        hit = {"name": event.guardrail, "matched": event.matched, "added_ms": event.added_ms, "stage": event.stage}
        self._floor.record("guardrail", turn=_number(turn), reply=event.reply, **hit)
        if turn is not None and not turn.written:
            turn.guardrails.append(event.guardrail)

    def _turn_of(self, reply: int) -> Turn | None:
        """The turn of a reply; for what belongs to none, the one that is going on."""
        if reply == 0:
            return self._floor.listening or self._floor.speaking
        found = self._floor.rows.find(reply)
        return None if found is None else found[0]


def _number(turn: Turn | None) -> int | None:
    return None if turn is None or turn.number == UNNUMBERED else turn.number
