"""A machine that answered: the message that is left on it, when there is one and the machine records."""

from __future__ import annotations

from patter_nb.turns.events import MachineDetected
from patter_nb.turns.floor import Floor
from patter_nb.turns.reply import Reply
from patter_nb.turns.turn import Turn

RECORDS = "machine_end"
"""How the carrier's word begins for a machine that has said its greeting, and records what it hears from now on."""

REACHED = "reached a machine"
LEFT = "left a voicemail"
"""Why the call ended: the message was not heard to its end, or was."""

MESSAGE_SECONDS = 180.0
"""How long a message may take; machines record no longer."""


class Machine:
    """Takes the verdicts of one call. One that comes before the call's stream does is kept until then."""

    def __init__(self, floor: Floor) -> None:
        self.message = ""
        """What is left, once; empty: nothing."""
        self._floor = floor
        self._records = False
        self._turn: Turn | None = None
        """That in which the message is said."""

    @property
    def answered(self) -> bool:
        """Whether the message is due: nothing else needs to be said to a machine."""
        return self._records and bool(self.message)

    def detected(self, event: MachineDetected, _now: float) -> None:
        verdict = {"classification": event.classification, "raw": event.raw}
        self._floor.record("machine_detected", after_ms=event.after_ms, **verdict)
        if event.classification == "machine" and event.raw.startswith(RECORDS):
            self._records = True

    def leave_message(self, now: float) -> bool:
        """The rule of the message: at once, whatever is being said, and then the end."""
        floor = self._floor
        if not self.answered or floor.answered_at is None or floor.leaving is not None or floor.handed_on:
            return False
        floor.leave(REACHED, self.message, now, kind="said", seconds=MESSAGE_SECONDS)
        self._turn = floor.speaking
        if self._turn is None:  # it is muted
            floor.record("unsaid", text=self.message)
        return True

    def note_left(self, _now: float) -> bool:
        """What became of the message, once its turn is closed. Never applies as a rule."""
        if self._turn is not None and self._turn is not self._floor.speaking:
            self._note(self._turn.reply)
            self._turn = None
        return False

    def _note(self, reply: Reply) -> None:
        heard, floor = reply.heard_text(), self._floor
        if not heard:
            floor.record("unsaid", text=self.message)
        elif reply.complete and not reply.failed and floor.leaving is not None:
            floor.record("voicemail", text=heard)
            floor.leaving = LEFT, floor.leaving[1]
