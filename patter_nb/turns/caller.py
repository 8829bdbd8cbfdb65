"""The caller's side: voice and words are noted where they belong, and the voice is weighed against the agent's reply."""

from __future__ import annotations

from patter_nb.turns.barge_in import Voice, meaning
from patter_nb.turns.commands import FinalizeTranscript
from patter_nb.turns.ear import LATE_ONSET_SECONDS, Stretch, middle, stretch_at
from patter_nb.turns.events import (
    BargeInConfirmed,
    FinalReceived,
    InterimReceived,
    ProviderTurnEnded,
    ProviderTurnStarted,
    SpeechContinued,
    SpeechStarted,
    SpeechStopped,
    TranscriptionFailed,
)
from patter_nb.turns.floor import Floor
from patter_nb.turns.turn import Part, Turn


class Caller:
    """Takes the events of the caller's side."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._ear = floor.ear

    # Voice.

    def speech_started(self, event: SpeechStarted, _now: float) -> None:
        self._voice(event.at)

    def speech_continued(self, event: SpeechContinued, _now: float) -> None:
        self._voice(event.at)

    def turn_started(self, event: ProviderTurnStarted, _now: float) -> None:
        self._voice(event.at).certain = True

    def speech_stopped(self, event: SpeechStopped, now: float) -> None:
        if self._ear.voice is not None:
            self._voice(event.at)
            self.heed_voice(now)
            self.fall_silent(self._ear.voice, event.at, now)
            if self._floor.policy.ends_turns == "session":
                self._floor.commands.append(FinalizeTranscript())

    def turn_ended(self, event: ProviderTurnEnded, now: float) -> None:
        voice = self._ear.voice
        turn, part = self._holder(event.at) if voice is None else self.fall_silent(voice, event.at, now)
        words = (event.text or "").strip()
        if words:
            self._take(turn, part, words, now)
        if event.text is not None or (part == "caller" and turn.words):
            self._ear.forget(turn)
        elif self._ear.awaited is None:
            self._ear.awaited = Stretch(turn, part, event.at, now)
        if turn is self._floor.listening:
            turn.endpoint.grant(now)
            if "vad_stopped_at" not in turn.instants:
                turn.instants["speech_ended_at"] = event.at

    def line_closed(self, now: float) -> None:
        """The caller hung up: a voice that goes on ends with the line, and its words are asked for."""
        if self._ear.voice is not None:
            self.fall_silent(self._ear.voice, self._ear.voice.last, now)
            self._floor.commands.append(FinalizeTranscript())

    def heed_voice(self, now: float) -> bool:
        """The rule of the voice over the agent; True when the floor changed hands."""
        voice, turn = self._ear.voice, self._floor.speaking
        if voice is None or turn is None:
            return False
        means = meaning(voice, turn, self._floor.policy)
        if means == "goes on":
            self._floor.take_back(turn)
        elif means == "interrupts":
            self._floor.interrupt(turn, voice.onset, now)
        return means != "nothing yet"

    def _voice(self, at: float) -> Voice:
        """The voice that is heard at `at`, begun there if there was none."""
        voice = self._ear.voice
        if voice is None:
            voice = self._ear.voice = Voice(at, at)
            if self._floor.speaking is None:
                self._floor.hand_to_voice()
        voice.last = max(voice.last, at)
        return voice

    def fall_silent(self, voice: Voice, at: float, now: float) -> tuple[Turn, Part]:
        """The voice ended at `at`: settle whose it was, and wait for its words."""
        turn, part = self._whose_voice(voice)
        self._ear.voice = None
        stretch = self._ear.awaited = Stretch(turn, part, at, now, voice)
        if part == "overlap":
            self._floor.keep_overlap(turn, voice.words)
            if not self._confirmable(voice, turn, now):
                self._floor.settle_overlap(turn)
        elif turn is not self._floor.speaking:
            self._grant_silence(stretch)
        return turn, part

    def _whose_voice(self, voice: Voice) -> tuple[Turn, Part]:
        turn, part = self._holder(voice.onset)
        if voice.turn is None and turn is not self._floor.speaking:
            self._floor.hand_to_voice()
        return turn, part

    def _grant_silence(self, stretch: Stretch) -> None:
        turn, policy = stretch.turn, self._floor.policy
        turn.instants |= {"speech_ended_at": stretch.ended_at, "vad_stopped_at": stretch.reported_at}
        if policy.ends_turns == "session":
            turn.instants["stt_requested_at"] = stretch.reported_at
            turn.endpoint.grant(stretch.ended_at + policy.hangover_seconds)

    # Confirmation.

    def barge_in_confirmed(self, event: BargeInConfirmed, now: float) -> None:
        """A strategy judged words of a voice that goes on over the agent, or of one that has just ended."""
        voice, ended = self._ear.voice, self._ear.awaited
        if ended is not None and ended.part == "overlap" and ended.voice is not None and _is_of_earlier(event, voice):
            self._confirm_late(ended, ended.voice, now)
        elif voice is not None:
            voice.confirmed = True

    def dismiss(self, now: float) -> bool:
        """The rule of backchannels: a voice over the agent that nobody took for an interruption in time."""
        voice, turn = self._ear.undecided, self._floor.speaking
        if voice is None or turn is None or voice.dismissed or voice.confirmed or voice.certain:
            return False
        until = self._confirmable_until(voice, turn)
        if until is None or now < until:
            return False
        voice.dismissed = True
        self._backchannel(turn, voice)
        return True

    def next_timer(self) -> float | None:
        """When the voice over the agent can no longer be confirmed."""
        voice, turn = self._ear.undecided, self._floor.speaking
        if voice is None or turn is None or voice.dismissed or voice.confirmed or voice.certain:
            return None
        return self._confirmable_until(voice, turn)

    def _confirmable_until(self, voice: Voice, turn: Turn) -> float | None:
        """Until when a confirmation counts, for a voice that lasted long enough over an agent that is heard; else None."""
        threshold, patience = self._floor.policy.barge_in_seconds, self._floor.policy.confirm_seconds
        if threshold is None or patience is None or turn.last:
            return None
        heard_from = turn.reply.heard_from
        if heard_from is None or not voice.lasted(threshold):
            return None
        return max(voice.onset + threshold, heard_from) + patience

    def _confirmable(self, voice: Voice, turn: Turn, now: float) -> bool:
        """Whether a confirmation of this voice, which has just ended, would count."""
        until = self._confirmable_until(voice, turn)
        return until is not None and now <= until and not voice.dismissed

    def _confirm_late(self, stretch: Stretch, voice: Voice, now: float) -> None:
        """The words of a voice that has ended are its confirmation: it was an interruption, and they belong to the next turn."""
        floor, turn = self._floor, stretch.turn
        if turn is not floor.speaking or not self._confirmable(voice, turn, now):
            return
        words, turn.undecided = turn.undecided, []
        floor.interrupt(turn, voice.onset, now)
        turn.silent_from = voice.onset
        mine = floor.caller_turn(voice.onset)  # that of the voice that goes on, if there is one
        mine.instants["speech_started_at"] = voice.onset
        mine.words[:0] = words
        self._ear.awaited = Stretch(mine, "caller", stretch.ended_at, stretch.reported_at)
        if self._ear.voice is None:
            self._grant_silence(self._ear.awaited)

    def _backchannel(self, turn: Turn, voice: Voice) -> None:
        self._floor.record("backchannel", turn=turn.number, reply=turn.reply.number, started_at=voice.onset)

    # Words.

    def final_received(self, event: FinalReceived, now: float) -> None:
        words, awaited = event.text.strip(), self._ear.awaited
        if not words:
            if awaited is not None and awaited.turn is self._floor.listening:
                _note_final(awaited.turn, event, now)
            self._ear.awaited = None
            return
        spoken_at = middle(event)
        place = self._whose_words(spoken_at, now)
        if isinstance(place, Voice):
            place.words.append(words)
            return
        turn, part = place
        if awaited is not None and (spoken_at is None or awaited.turn is turn):
            self._ear.awaited = None
        if turn.given_up and (turn.written or self._floor.leaving is None):
            turn, part = self._revive(turn, now)
        self._note_backchannel(awaited, turn, part)
        self._take(turn, part, words, now, asked=awaited, final=event)

    def interim_received(self, _event: InterimReceived, _now: float) -> None:
        """It may still change: for display alone."""

    def transcription_failed(self, event: TranscriptionFailed, _now: float) -> None:
        self._floor.failures += 1
        self._floor.record("transcription_failed", error=event.error)
        self._ear.awaited = None
        turn = self._floor.listening
        if turn is not None:
            turn.error, turn.deaf = event.error, True

    def _whose_words(self, spoken_at: float | None, now: float) -> Voice | tuple[Turn, Part]:
        """Where words belong: by their date, else by the question they answer, else to whoever has the floor."""
        voice, awaited = self._ear.undecided, self._ear.awaited
        if spoken_at is None:
            if awaited is not None:
                return awaited.turn, awaited.part
        elif voice is None or spoken_at < voice.onset - LATE_ONSET_SECONDS:
            given_up = [] if awaited is None else [awaited.turn]
            dated = stretch_at(spoken_at, (*self._floor.unwritten(), *given_up))
            if dated is not None:
                return dated
        speaking = self._floor.speaking
        if voice is not None and speaking is not None and not speaking.can_go_on:
            return voice
        return self._holder(now)

    def _holder(self, at: float) -> tuple[Turn, Part]:
        """To whom a sound at `at` belongs of which nothing else is known; it opens a turn when nobody has the floor."""
        voice, speaking, awaited = self._ear.voice, self._floor.speaking, self._ear.awaited
        if self._floor.hung_up and awaited is not None:
            return awaited.turn, awaited.part
        if voice is not None and voice.turn is not None:
            return voice.turn, "caller"
        if speaking is not None and speaking.can_go_on:
            return speaking, "caller"
        if speaking is not None and (speaking.reply.is_heard or speaking.last):
            return speaking, "overlap"
        return self._floor.caller_turn(at), "caller"

    def _revive(self, turn: Turn, now: float) -> tuple[Turn, Part]:
        """Words came for a sound that was given up: it was a turn after all, unless somebody else has the floor by now."""
        floor = self._floor
        if floor.listening is not None or floor.speaking is not None:
            return self._holder(now)
        floor.reopen(turn)
        return turn, "caller"

    def _note_backchannel(self, awaited: Stretch | None, turn: Turn, part: Part) -> None:
        """The words of a voice over the agent are in, and nobody took them for an interruption."""
        if awaited is None or (awaited.turn, awaited.part) != (turn, "overlap") or part != "overlap":
            return
        voice = awaited.voice
        if voice is None or voice.dismissed or turn is not self._floor.speaking:
            return
        if self._confirmable_until(voice, turn) is not None:
            self._backchannel(turn, voice)

    def _take(
        self,
        turn: Turn,
        part: Part,
        words: str,
        now: float,
        *,
        asked: Stretch | None = None,
        final: FinalReceived | None = None,
    ) -> None:
        """Put words where they belong; they may take the turn back."""
        floor = self._floor
        if part == "overlap":
            floor.overlap(turn, words)
            return
        turn.words.append(words)
        turn.deaf = False
        if turn is floor.speaking and turn.can_go_on and not turn.reply.adopted:
            floor.take_back(turn)
            if asked is not None and asked.turn is turn and self._ear.voice is None:
                self._grant_silence(asked)
                if floor.policy.ends_turns == "provider":
                    turn.endpoint.grant(now)
        if turn is floor.listening:
            _note_final(turn, final, now)
            unnoticed = "vad_stopped_at" not in turn.instants and self._ear.voice is None
            if unnoticed and floor.policy.ends_turns == "session":
                turn.endpoint.grant(now + floor.policy.hangover_seconds)


def _is_of_earlier(event: BargeInConfirmed, voice: Voice | None) -> bool:
    """Whether the words that were judged are not those of this voice but of one that ended before it."""
    if voice is None:
        return True
    return event.final if event.spoken_at is None else event.spoken_at < voice.onset - LATE_ONSET_SECONDS


def _note_final(turn: Turn, final: FinalReceived | None, now: float) -> None:
    """When the final transcript came, and how long text stages then had it."""
    arrived_at = None if final is None else final.arrived_at
    turn.instants["stt_final_at"] = now if arrived_at is None else arrived_at
    if arrived_at is None:
        for name in ("transcript_hooks_started_at", "transcript_hooks_ended_at"):
            turn.instants.pop(name, None)  # those of an earlier final
    else:
        turn.instants |= {"transcript_hooks_started_at": arrived_at, "transcript_hooks_ended_at": now}
