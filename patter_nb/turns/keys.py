"""Keys of the telephone are words of the caller: pressed one soon after the other they are one utterance.

Over an agent that is heard a key is an interruption at once: nobody presses one by the way. It takes back an answer of which
nothing was heard, as words do. What is said last, and an agent that must not be interrupted, are not cut off by it.
"""

from __future__ import annotations

from patter_nb.turns.events import DtmfReceived
from patter_nb.turns.floor import Floor
from patter_nb.turns.turn import Turn

LAST_KEY = "#"
"""Ends what is being entered, as on any telephone."""


class Keys:
    """Takes the keys of one call."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._turn: Turn | None = None
        self._pressed = ""
        self._until = 0.0

    def pressed(self, event: DtmfReceived, now: float) -> None:
        """The caller pressed a key."""
        floor = self._floor
        floor.record("dtmf_received", digit=event.digit)
        if floor.policy.begins_replies == "provider":
            return  # whoever answers by itself must be told by itself
        if floor.speaking is not None and floor.speaking.last:
            floor.overlap(floor.speaking, _words(event.digit))
            return
        self._make_room(now)
        turn = floor.caller_turn(now)
        if turn is self._turn and now <= self._until and turn.words[-1:] == [_words(self._pressed)]:
            self._pressed += event.digit
            turn.words[-1] = _words(self._pressed)
        else:
            self._pressed = event.digit
            turn.words.append(_words(self._pressed))
        turn.deaf = False
        self._wait(turn, event.digit == LAST_KEY, now)

    def _wait(self, turn: Turn, done: bool, now: float) -> None:
        """Another key may follow, unless what is being entered is done."""
        self._turn, self._until = (None, now) if done else (turn, now + self._floor.policy.keys_seconds)
        turn.endpoint.not_before = self._until
        voice = self._floor.ear.voice
        if voice is None or voice.turn is not turn:
            turn.endpoint.grant(self._until)

    def _make_room(self, now: float) -> None:
        """The agent gives way to a key where it would to a voice."""
        floor, turn = self._floor, self._floor.speaking
        if turn is None:
            return
        if turn.can_go_on:
            floor.take_back(turn)
        elif turn.reply.is_heard and floor.policy.barge_in_seconds is not None:
            floor.interrupt(turn, now, now)


def _words(keys: str) -> str:
    return f"[DTMF: {keys}]"
