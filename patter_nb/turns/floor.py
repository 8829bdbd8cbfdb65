"""The floor of a call: who has it, and the ways in which it changes hands.

Here stands how a turn opens, is answered, taken back, cut off, closed and written; the rules of `engine` say when.
Nothing else changes `listening` and `speaking`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from patter_nb.turns.commands import (
    AdoptReply,
    CancelReply,
    ClearAudio,
    Command,
    EndCall,
    RecordEvent,
    RecordTurn,
    ReplyKind,
    StartReply,
)
from patter_nb.turns.ear import Ear
from patter_nb.turns.facts import TurnKind
from patter_nb.turns.history import History
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.reply import Reply
from patter_nb.turns.rows import Rows
from patter_nb.turns.turn import UNNUMBERED, Turn


class Floor:
    """The state of one conversation. Its methods are the transitions; each leaves the commands that perform it in `commands`."""

    def __init__(self, policy: TurnPolicy) -> None:
        self.policy = policy
        self.listening: Turn | None = None
        """The turn in which the caller speaks, or has spoken and was not answered yet."""
        self.speaking: Turn | None = None
        """The turn whose last reply is live."""
        self.leaving: tuple[str, float] | None = None
        """Why the call is about to end, and when the line is cut at the latest."""
        self.hung_up = False
        """The caller is gone: nothing is said any more, and only their last words are waited for."""
        self.muted = False
        """The agent must be silent: nothing it would say is begun."""
        self.handed_on = False
        """The carrier takes the caller to somebody else: nothing new is said to them."""
        self.cut_ins = 0
        """How often the caller took the floor from the agent, or was answered."""
        self.answered_at: float | None = None
        self.ended = False
        self.failures = 0
        """Replies that failed since one succeeded."""
        self.ear = Ear()
        self.rows = Rows()
        self.history = History()
        self.commands: list[Command] = []
        self._turns = 0
        self._replies = 0

    @property
    def keeps_silent(self) -> bool:
        """Whether the agent begins nothing."""
        return self.muted or self.handed_on

    def record(self, kind: str, **data: object) -> None:
        """Leave a line in the events of the call."""
        self.commands.append(RecordEvent(kind, data))

    # Turns open.

    def open(self, kind: TurnKind, onset: float | None = None) -> Turn:
        """A new turn."""
        turn = Turn(kind, onset)
        self.history.place(turn)
        return turn

    def caller_turn(self, onset: float) -> Turn:
        """The caller's open turn; one that opens at `onset` when there is none."""
        if self.listening is None:
            self.listening = self.open("caller", onset)
        return self.listening

    def hand_to_voice(self) -> None:
        """The voice that is heard has the floor: it goes on with the caller's turn, or opens it."""
        voice = self.ear.voice
        if voice is None:
            return
        turn = voice.turn = self.caller_turn(voice.onset)
        turn.instants.setdefault("speech_started_at", voice.onset)
        turn.endpoint.hold()
        turn.words += voice.words

    def reopen(self, turn: Turn) -> None:
        """Words came for a sound that was given up: it was a turn after all."""
        self.rows.reopen(turn)
        turn.silent_from, turn.written = None, False
        self.listening = turn

    def unwritten(self) -> Iterator[Turn]:
        """The turns that words may still be added to, the newest first."""
        yield from (turn for turn in (self.listening, self.speaking) if turn is not None)
        yield from self.rows

    # The agent takes the floor.

    def order(self, turn: Turn, kind: ReplyKind, now: float, text: str | None = None) -> None:
        """Order a reply: of `text`, or of the model."""
        if kind in {"answer", "fallback"}:
            self.write_rows(now, force=True)
        reply = self._begin(turn, kind, now)
        reply.instants["reply_ordered_at"] = now
        messages = self.history.messages() if text is None else ()
        self.commands.append(StartReply(reply.number, turn.number, kind, messages, text))

    def adopt(self, turn: Turn, identity: str, now: float) -> None:
        """A provider answers the turn by itself."""
        self.write_rows(now, force=True)
        if turn is self.listening and turn.endpoint.reached_at is None:
            turn.endpoint.deadline = turn.endpoint.reached_at = now
        reply = self._begin(turn, "answer", now)
        reply.adopted = True
        self.commands.append(AdoptReply(reply.number, turn.number, identity))

    def _begin(self, turn: Turn, kind: ReplyKind, now: float) -> Reply:
        self._replies += 1
        reply = Reply(self._replies, kind, begun_at=now)
        turn.replies.append(reply)
        if turn.endpoint.reached_at is not None:
            turn.instants["endpointed_at"] = turn.silence_passed_at(now)
        self.number(turn)
        self.rows.register(turn, reply)
        self.history.place(turn)
        self.speaking = turn
        if turn is self.listening:
            self.listening = None
        return reply

    def number(self, turn: Turn) -> None:
        """Give the turn its number; from now on it will have a row."""
        if turn.number != UNNUMBERED:
            return
        if turn.kind == "greeting":
            turn.number = 0
        else:
            self._turns += 1
            turn.number = self._turns

    # The agent loses it.

    def put_back(self, turn: Turn) -> None:
        """Nothing of the reply to the caller was heard: their turn is open again, and will be answered again."""
        self._silence(turn.reply)
        self.speaking, self.listening = None, turn

    def take_back(self, turn: Turn) -> None:
        """The caller goes on before anything of the reply was heard."""
        self.put_back(turn)
        self.cut_ins += 1
        turn.resumed += 1
        for name in ("failed_reply_ordered_at", "failed_reply_ended_at"):
            # The wait of the caller begins anew, so what failed before is no part of it.
            turn.instants.pop(name, None)
        self.record("resumed", turn=turn.number, reply=turn.reply.number)
        self.hand_to_voice()

    def interrupt(self, turn: Turn, onset: float, now: float) -> None:
        """The caller speaks over the agent and means it."""
        self._silence(turn.reply)
        self.cut_ins += 1
        turn.interrupted = True
        turn.instants |= {"barge_in_started_at": onset, "barge_in_at": now}
        heard = turn.reply.heard_seconds
        self.record("barge_in", turn=turn.number, reply=turn.reply.number, started_at=onset, heard_seconds=heard)
        self.close(turn, now)

    def cut_off(self, turn: Turn, reason: str, now: float) -> None:
        """Something other than the caller's voice ends what the agent is saying."""
        self._silence(turn.reply)
        self.record("cut_off", turn=turn.number, reply=turn.reply.number, reason=reason)
        self.close(turn, now)

    def yield_floor(self, reason: str, now: float) -> None:
        """The agent stops, whatever it says. An answer of which nothing was heard will be given later."""
        turn = self.speaking
        if turn is None or self.leaving is not None:
            return
        if turn.can_go_on:
            self.put_back(turn)
        else:
            self.cut_off(turn, reason, now)

    def replace(self, turn: Turn, now: float) -> None:
        """A reply of which nothing was heard failed: say the fallback line instead, in the same turn."""
        failed = turn.reply
        self.stop(failed)
        self.order(turn, "fallback", now, self.policy.fallback)
        turn.instants = {"failed_reply_ordered_at": failed.begun_at, "failed_reply_ended_at": now} | turn.instants

    def withdraw(self, turn: Turn, now: float) -> None:
        """A reply of which nothing was heard failed, and nothing takes its place."""
        self.stop(turn.reply)
        self.close(turn, now)

    def stop(self, reply: Reply) -> None:
        """Stop a reply that failed, with what the carrier may still have of it."""
        if reply.quiet and not reply.torn:
            self.commands.append(CancelReply(reply.number, reply.heard_seconds))
            reply.cancel_tools()
        else:
            self._silence(reply)

    def _silence(self, reply: Reply) -> None:
        self.commands += [CancelReply(reply.number, reply.heard_seconds), ClearAudio()]
        reply.cancel_tools()

    # Turns close.

    def close(self, turn: Turn, now: float) -> None:
        """The one way a turn ends. A voice that goes on takes the floor; the row follows when it waits for nothing."""
        turn.silent_from = now
        if turn is self.listening:
            self.listening = None
        else:
            self.speaking = None
            self._after_speaking(turn)
        unanswered_since = None if turn.replies else turn.endpoint.deadline
        turn.hold_until = (now if unanswered_since is None else unanswered_since) + self.policy.final_timeout_seconds
        if not turn.blank:
            self.number(turn)
        self.rows.hold(turn)
        self.write_rows(now)

    def _after_speaking(self, turn: Turn) -> None:
        reply = turn.reply
        reply.cancel_tools()
        if reply.is_heard and not reply.failed and reply.kind != "fallback":
            self.failures = 0
        voice = self.ear.undecided
        if voice is None:
            return
        if self.leaving is None:
            turn.silent_from = voice.onset
            self.hand_to_voice()
        else:
            for words in voice.words:
                self.overlap(turn, words)
            voice.words.clear()

    def overlap(self, turn: Turn, words: str) -> None:
        """Words spoken over the agent without interrupting it."""
        self.keep_overlap(turn, [words])
        self.settle_overlap(turn)

    def keep_overlap(self, turn: Turn, words: list[str]) -> None:
        """Words spoken over the agent which may still turn out to interrupt it; those kept before did not."""
        self.settle_overlap(turn)
        turn.undecided = list(words)

    def settle_overlap(self, turn: Turn) -> None:
        """What was spoken over the agent so far did not interrupt it."""
        for words in turn.undecided:
            turn.overlap.append(words)
            self.record("overlap", turn=turn.number, text=words)
        turn.undecided.clear()

    def write_rows(self, now: float, *, force: bool = False) -> None:
        """Write the rows that wait for nothing more; with `force`, all of them."""
        for turn in self.rows.ready(now, self.ear.awaits, force=force):
            turn.written = True
            self.settle_overlap(turn)
            if turn.blank:
                self._report_sound(turn)
            else:
                self.number(turn)
                self.commands.append(RecordTurn(turn.facts()))
            if not turn.blank or self.leaving is not None:
                self.ear.forget(turn)

    def _report_sound(self, turn: Turn) -> None:
        started_at, ended_at = (turn.instants.get(name) for name in ("speech_started_at", "speech_ended_at"))
        self.record("no_words", started_at=started_at, ended_at=ended_at)
        for usage in turn.usage:
            self.record("call_usage", usage=usage)
        turn.usage.clear()

    # The call ends.

    def leave(
        self, reason: str, text: str, now: float, *, kind: Literal["goodbye", "said"] = "goodbye", seconds: float | None = None
    ) -> None:
        """Say `text` as the last thing, whoever is speaking, within `seconds`; without any, the end follows at once."""
        self.leaving = reason, now + (self.policy.goodbye_seconds if seconds is None else seconds)
        if self.speaking is not None:
            self.cut_off(self.speaking, reason, now)
        if self.listening is not None:
            self.close(self.listening, now)
        if text and not self.muted:
            turn = self.open(kind)
            turn.last = True
            self.order(turn, kind, now, text)

    def hang_up(self, now: float) -> None:
        """The caller is gone: the agent stops at once. Their turn stays open for their last words."""
        self.hung_up = True
        self.leaving = "caller hung up", now + self.policy.last_words_seconds
        self._stop_speaking(now)

    def _stop_speaking(self, now: float) -> None:
        if self.speaking is None:
            return
        reply = self.speaking.reply
        if self.hung_up and self.ear.awaited is not None:
            # The line may stay open until the words are in.
            self.stop(reply)
        elif not reply.complete:
            self.commands.append(CancelReply(reply.number, reply.heard_seconds))
        self.close(self.speaking, now)

    def end(self, reason: str, now: float) -> None:
        """Close what is open and hang up."""
        self.leaving = reason, now
        self._stop_speaking(now)
        if self.listening is not None:
            self.close(self.listening, now)
        self.write_rows(now, force=True)
        self.commands.append(EndCall(reason))
        self.ended = True
