"""The turn engine: who has the floor in a call, and what follows from it.

It is told what happened (`events`) and answers what shall be done (`commands`). It knows no clock, no task and no socket: `now`
is an argument, and `next_timer` says when it wants to be asked again. An event is first noted where it belongs (`caller`,
`reply`, `orders`, `machine`, `late`); then the rules below are applied until none applies. They say when the floor changes
hands; `floor` says how.

**The floor.** There is at most one turn in which the caller is *listened* to and one in which the agent is *speaking*. Where
there are both, the caller began over the agent and their turn waits: the agent has one mouth, and never two replies at once.

**A caller's turn** opens with their voice, or with words of which no voice was noticed. It is over when the silence granted has
passed and the final transcript is in; then an answer to all their words is ordered. Voice before that takes the silence back,
and the turn goes on. A sound that turns out to hold no words was no turn: it is reported and leaves no row. A final that comes
even later than it is waited for is answered all the same.

**Going on.** While nothing of the answer was heard, voice of `resume_seconds`, or further words, take the turn back: the reply
is cancelled, and ordered again after the new silence with all words, also when the new sound held none. A shorter blip changes
nothing.

**Interrupting.** Once the agent is heard, voice of `barge_in_seconds` interrupts it: the reply is cancelled and cleared, its
turn is closed with what was heard, and the voice opens the next turn from its onset. Shorter voice is overlap: its words stand
in the row of the turn it overlaps, and nobody answers them. A voice that still goes on when the agent falls silent opens the
next turn. What the agent was told to say (a greeting, say) is interrupted like an answer, but is not taken back: voice that
ended before it was heard is no overlap, and is answered after it. What is said last, such as a goodbye, can not be interrupted.
Where strategies judge the caller's words (`confirm_seconds`), such voice interrupts only once one of them has confirmed it,
also just after it ended; one that waits for that in vain is a backchannel: overlap, whatever follows.

**Keys** of the telephone are words. Those pressed within `keys_seconds` of each other are one utterance; "#" ends it. Until it
has ended no turn is over, whatever silence was granted to a voice. A key takes an unheard answer back and interrupts a heard
agent at once, unless the agent must not be interrupted.

**Words.** Every transcribed word stands in exactly one `caller_text` or `overlap_text`: in the stretch of speech which its date
names, else in the one whose final was asked for last, else in that of whoever has the floor. A word whose row is already
written goes to the turn that is open, or opens the next.

**Replies** have numbers that are never used twice. What carries the number of a reply that is not live is dropped at the door,
except that what it consumed is paid for, a tool that finished has finished, and the carrier was told to clear when it was told.
A reply is complete when it is generated and all its audio was heard, as the carrier's marks prove. An answer that fails unheard
is replaced by the fallback line in the same turn, whose row says from when to when the caller waited for it; a reply that fails
while it is heard plays out what there is; an empty one just fails, unless it is silenced: the user's own stages left nothing of
it. So does one whose model brings nothing for `reply_timeout_seconds` after it was asked, or neither a segment nor a tool call
for as long again after its first token. After `max_failures` failures without a success between them the agent says goodbye.

**Providers** may decide instead: one that ends turns by itself replaces the silence granted, and one that begins replies by
itself has them adopted under a number of ours instead of ordered. All else holds for them too.

**Tools** run while their reply lives. When the model is done and all have returned, it is asked again within the reply, unless
one of them ends the reply and something was said in it. A tool that takes long is covered by its filler line, once, if nothing
else is to be heard. Those still running when the reply is cut off count as cancelled; results stay in the conversation in
either case.

**Orders** from outside are carried out one by one when the agent is silent; to say something or to answer what was injected,
also only when the caller is. `interrupt` cuts the agent off; an answer of which nothing was heard is given afterwards. A
transfer and a hang-up also wait until keys that were pressed have sounded. A polite hang-up or transfer, the agent's own, waits
for the caller too, and is withdrawn when they cut in, or say something that is answered, before it. A muted agent stops what it
says and begins nothing: the caller's turns close without a reply, what it was told to say, a greeting too, waits, and so a
goodbye ends the call at once. A reply that a provider begins by itself is cancelled.

**Transfers** are made one at a time. After a cold one, or a warm one that was answered, nothing new is said and nothing but a
hang-up carried out; until it is answered the call goes on as ever. The caller is released to whoever answered when the agent
has finished, at the latest after `RELEASE_SECONDS`. When a transfer fails the model is told, and answers to that.

**Machines.** A message for a machine that records is said at once and instead of a greeting, and the call ends after it.

**Edits.** `govern` puts other numbers in force at once. The session calls it when it begins a reply with another revision of
the agent, so that a reply and all that follows it are governed by the same numbers.

**The end.** A limit cuts the agent off for a goodbye; a hang-up waits until what is being said was heard. A goodbye is bounded
by `goodbye_seconds`. When the caller hangs up, the agent stops at once and nothing more is ordered; but a final that was asked
for (for a voice that went on it is asked for then) is waited for `last_words_seconds`: its words stand where they belong, in
the turn of the caller or as overlap. Until it is in, or the recogniser has failed, or the time is over, only words and late
facts are noted, and no sound is reported to hold none. `EndCall` is the last command: nothing is noted after it.

**Rows.** A turn is closed by `Floor.close` alone. Its row follows at once, or when the words of an overlap and the
instant of a clear are in: at the latest `final_timeout_seconds` later, before the next answer to the caller, and
before the end of the call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from patter_nb.turns import events as e
from patter_nb.turns.caller import Caller
from patter_nb.turns.commands import Command, ContinueReply, RunTool, SpeakFiller
from patter_nb.turns.floor import Floor
from patter_nb.turns.keys import Keys
from patter_nb.turns.late import Late
from patter_nb.turns.machine import Machine
from patter_nb.turns.messages import Message
from patter_nb.turns.notes import Notes
from patter_nb.turns.orders import Orders
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.reply import Reply
from patter_nb.turns.turn import Turn

DEFAULT_POLICY = TurnPolicy()

_OF_REPLY: dict[type, Callable[[Reply, Any, float], None]] = {
    e.ReplyStarted: Reply.started,
    e.InstantRecorded: Reply.instant_recorded,
    e.SegmentReady: Reply.segment_ready,
    e.SegmentSynthesized: Reply.segment_synthesized,
    e.SegmentAligned: Reply.segment_aligned,
    e.ReplyGenerated: Reply.text_generated,
    e.AudioHeard: Reply.audio_heard,
    e.ReplyFailed: Reply.provider_failed,
    e.ToolCalled: Reply.tool_called,
    e.ToolReturned: Reply.tool_returned,
}
"""The events that carry a reply's number: the live reply is told, and nobody else."""

_AFTER_HANG_UP = (
    e.FinalReceived, e.TranscriptionFailed, e.ProviderTurnEnded, e.UsageReported, e.StageFailed, e.GuardrailHit,
    e.MachineDetected,
)  # fmt: skip
"""What is still noted of a caller who hung up, beside late facts of replies."""


class TurnEngine:
    """Decides one call. `receive` and `handle_timer` return the commands to perform, in order; `now` never goes back."""

    def __init__(self, policy: TurnPolicy = DEFAULT_POLICY) -> None:
        self._floor = floor = Floor(policy)
        self._caller = caller = Caller(floor)
        self._orders = orders = Orders(floor)
        self._late = late = Late(floor)
        self._machine = machine = Machine(floor)
        notes, keys = Notes(floor), Keys(floor)
        self._of_call: dict[type, Callable[[Any, float], None]] = {
            e.CallAnswered: self._call_answered,
            e.CallerHungUp: self._caller_hung_up,
            e.SpeechStarted: caller.speech_started,
            e.SpeechContinued: caller.speech_continued,
            e.SpeechStopped: caller.speech_stopped,
            e.InterimReceived: caller.interim_received,
            e.FinalReceived: caller.final_received,
            e.TranscriptionFailed: caller.transcription_failed,
            e.BargeInConfirmed: caller.barge_in_confirmed,
            e.ProviderTurnStarted: caller.turn_started,
            e.ProviderTurnEnded: caller.turn_ended,
            e.ProviderReplyStarted: self._provider_reply_started,
            e.StageFailed: notes.stage_failed,
            e.GuardrailHit: notes.guardrail_hit,
            e.UsageReported: late.usage_reported,
            e.SayRequested: orders.say_requested,
            e.InjectRequested: orders.inject_requested,
            e.TransferRequested: orders.transfer_requested,
            e.TransferAnswered: orders.transfer_answered,
            e.TransferFailed: orders.transfer_failed,
            e.MachineDetected: machine.detected,
            e.HangUpRequested: orders.wait,
            e.LimitReached: orders.limit_reached,
            e.MuteRequested: orders.mute_requested,
            e.DtmfReceived: keys.pressed,
            e.DtmfRequested: orders.wait,
            e.KeysPlayed: orders.keys_played,
        }
        self._rules = (
            machine.note_left,
            self._leave_in_time,
            machine.leave_message,
            self._face_failure,
            self._close_complete,
            caller.heed_voice,
            caller.dismiss,
            self._give_up,
            orders.release,
            orders.carry_out,
            self._answer_caller,
        )

    def receive(self, event: e.Event, now: float) -> list[Command]:
        """Something happened at `now`. Raises ValueError for an event that makes no sense; the call is unharmed by it."""
        if self.ended:
            return []
        of_reply = _OF_REPLY.get(type(event))
        if of_reply is None:
            if self._floor.hung_up and not isinstance(event, _AFTER_HANG_UP):
                return []
            self._of_call[type(event)](event, now)
        else:
            self._tell_reply(of_reply, event, now)
        return self._settle(now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called if nothing happens before; None before the answer and after the end."""
        floor = self._floor
        if self.ended or floor.answered_at is None:
            return None
        policy, turn = floor.policy, floor.listening
        timers = [
            floor.answered_at + policy.max_duration_seconds if floor.leaving is None else floor.leaving[1],
            floor.rows.next_timer(),
        ]
        if floor.hung_up:
            return timers[0]
        if self._live is not None:
            timers += [self._live.next_timer(policy.reply_timeout_seconds), self._caller.next_timer()]
        timers.append(self._orders.next_timer())
        if turn is not None and turn.endpoint.reached_at is None:
            timers.append(turn.endpoint.deadline)
        elif turn is not None and floor.speaking is None:
            timers.append(self._answer_due_at(turn))
        return min(at for at in timers if at is not None)

    def handle_timer(self, now: float) -> list[Command]:
        """Time has passed, and nothing else happened."""
        return [] if self.ended else self._settle(now)

    def govern(self, policy: TurnPolicy) -> None:
        """Govern by these numbers from now on. Who ends turns and who begins replies stays as it was when the call began."""
        old = self._floor.policy
        self._floor.policy = replace(policy, ends_turns=old.ends_turns, begins_replies=old.begins_replies)

    @property
    def ended(self) -> bool:
        """Whether `EndCall` was ordered."""
        return self._floor.ended

    @property
    def state(self) -> str:
        """For display: "ringing", "waiting", "listening", "answering" (nothing heard yet), "speaking", "leaving" or "ended"."""
        floor = self._floor
        if self.ended or floor.answered_at is None:
            return "ended" if self.ended else "ringing"
        if floor.leaving is not None:
            return "leaving"
        if self._live is not None:
            return "speaking" if self._live.is_heard else "answering"
        return "waiting" if floor.listening is None else "listening"

    @property
    def transferring(self) -> bool:
        """Whether a transfer waits or is under way."""
        return self._orders.transferring

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far, as it was heard."""
        return self._floor.history.messages()

    @property
    def _live(self) -> Reply | None:
        return None if self._floor.speaking is None else self._floor.speaking.reply

    def _tell_reply(self, note: Callable[[Reply, Any, float], None], event: Any, now: float) -> None:
        """The door at which late events of old replies are dropped."""
        live = self._live
        if live is not None and live.number == event.reply:
            note(live, event, now)
        else:
            self._late.of_reply(event, now)

    def _settle(self, now: float) -> list[Command]:
        """Apply the rules, always the first that applies, until the floor has found its holder; then do what that asks for."""
        while not self.ended and any(rule(now) for rule in self._rules):
            pass
        self._carry_reply_on(now)
        self._floor.write_rows(now)
        commands, self._floor.commands = self._floor.commands, []
        return commands

    # What happened to the call as a whole.

    def _call_answered(self, event: e.CallAnswered, now: float) -> None:
        if self._floor.answered_at is None:
            self._floor.answered_at = now
            self._machine.message = event.voicemail
            if self._machine.answered or not event.greeting:
                return
            if self._floor.muted:
                self._orders.wait(e.SayRequested(event.greeting), now)
            else:
                self._floor.order(self._floor.open("greeting"), "greeting", now, event.greeting)

    def _caller_hung_up(self, _event: e.CallerHungUp, now: float) -> None:
        self._orders.drop()
        self._caller.line_closed(now)
        self._floor.hang_up(now)

    def _provider_reply_started(self, event: e.ProviderReplyStarted, now: float) -> None:
        floor = self._floor
        if floor.leaving is None:
            if floor.ear.voice is not None:
                # Whoever is speaking, the provider took the floor.
                self._caller.fall_silent(floor.ear.voice, floor.ear.voice.last, now)
            floor.yield_floor("the provider began another reply", now)
            floor.adopt(floor.listening or floor.open("said"), event.id, now)
            if floor.muted:
                floor.yield_floor("muted", now)

    # The rules, beside `Caller.heed_voice` and `Orders.carry_out`. Each returns whether it applied.

    def _leave_in_time(self, now: float) -> bool:
        floor, limit = self._floor, self._floor.policy.max_duration_seconds
        if floor.leaving is None and floor.answered_at is not None and now >= floor.answered_at + limit:
            self._orders.limit_reached(e.LimitReached(f"the call lasted {limit:g} s, its limit"), now)
        if floor.leaving is None:
            return False
        self._orders.drop()
        reason, cut_at = floor.leaving
        silent = floor.ear.awaited is None if floor.hung_up else floor.speaking is None or floor.muted
        if silent or now >= cut_at:
            floor.end(reason, now)
        return self.ended

    def _face_failure(self, now: float) -> bool:
        floor, turn = self._floor, self._floor.speaking
        if turn is None:
            return False
        reply, policy = turn.reply, floor.policy
        failure = reply.failure or reply.overdue(policy.reply_timeout_seconds, now)
        if failure is None:
            return False
        reply.failure = None
        if not reply.failed:
            self._note_failure(turn, failure.stage, failure.error)
        if reply.is_heard:
            reply.give_up(failure)
        elif reply.kind == "answer" and policy.fallback and floor.failures < policy.max_failures:
            floor.replace(turn, now)
        else:
            floor.withdraw(turn, now)
        return True

    def _close_complete(self, now: float) -> bool:
        turn = self._floor.speaking
        if turn is None or not turn.reply.complete:
            return False
        reply = turn.reply
        if not reply.segments and not reply.silenced:
            self._note_failure(turn, "llm", "the reply was empty")
        elif reply.heard_until is not None:
            turn.instants["finished_at"] = reply.heard_until
        if reply.failed:
            self._floor.stop(reply)
        self._floor.close(turn, now)
        return True

    def _give_up(self, now: float) -> bool:
        floor = self._floor
        if floor.failures < floor.policy.max_failures or floor.speaking is not None or floor.leaving is not None:
            return False
        floor.leave(f"{floor.failures} failures in a row", floor.policy.goodbye, now)
        return True

    def _answer_caller(self, now: float) -> bool:
        floor, turn = self._floor, self._floor.listening
        if turn is None or floor.hung_up or not turn.endpoint.is_reached(now):
            return False
        if floor.speaking is not None or now < self._answer_due_at(turn):
            return False
        policy = floor.policy
        if policy.begins_replies == "provider" and turn.words and not floor.muted:
            self._note_failure(turn, "llm", f"the provider did not begin its reply within {policy.reply_timeout_seconds:g} s")
            turn.deaf = True
        if (turn.words or turn.deaf) and not floor.keeps_silent:
            floor.cut_ins += 1
        if turn.deaf and policy.fallback and not floor.keeps_silent:
            floor.order(turn, "fallback", now, policy.fallback)
        elif turn.words and not turn.deaf and not floor.keeps_silent:
            self._orders.forget_injected()
            floor.order(turn, "answer", now)
        else:
            floor.close(turn, now)
        return True

    def _answer_due_at(self, turn: Turn) -> float:
        """Until when a turn whose silence has passed still waits: for its final, or for a provider to answer it."""
        policy, patience = self._floor.policy, 0.0
        if self._floor.ear.awaits(turn):
            patience = policy.final_timeout_seconds
        if policy.begins_replies == "provider":
            patience = max(patience, policy.reply_timeout_seconds)
        return turn.endpoint.later(patience)

    def _carry_reply_on(self, now: float) -> None:
        """Run the tools a reply asks for, ask its model again when they have returned, cover the time until then."""
        reply, commands = self._live, self._floor.commands
        if reply is None:
            return
        commands += [RunTool(reply.number, tool.id, tool.name, tool.arguments) for tool in reply.tools_to_run()]
        if reply.round_returned:
            reply.next_round(now)
            commands.append(ContinueReply(reply.number, self._floor.history.messages(in_progress=reply)))
        slow = reply.filler()
        if slow is not None and now >= slow.filler_at:
            reply.filled = True
            commands.append(SpeakFiller(reply.number, slow.filler))

    def _note_failure(self, turn: Turn, stage: str, error: str) -> None:
        self._floor.failures += 1
        self._floor.number(turn)
        turn.error = turn.error or error
        number = turn.reply.number if turn.replies else 0
        self._floor.record("reply_failed", turn=turn.number, reply=number, stage=stage, error=error)
