"""Turns what happens in a call into what users are told of it: the seven speech events, transcripts, tools and metrics.

It sees every event before the engine does, and every command before it is performed; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from patter_nb.agent import Agent
from patter_nb.records.log import CallLog, spoken_lines
from patter_nb.session.notices import Notices, timestamp_ms
from patter_nb.turns.commands import Command, RecordEvent, RecordTurn, RunTool, StartReply
from patter_nb.turns.events import (
    AudioHeard,
    DtmfReceived,
    Event,
    GuardrailHit,
    InjectRequested,
    InstantRecorded,
    MachineDetected,
    SegmentReady,
    SpeechStarted,
    SpeechStopped,
    ToolReturned,
)
from patter_nb.turns.facts import TurnFacts


class Narrator:
    """`agent()` is the agent that is live; `now()` the call's clock; `carrier` the name of the carrier."""

    def __init__(
        self,
        call_id: str,
        notices: Notices | None,
        log: CallLog,
        agent: Callable[[], Agent],
        now: Callable[[], float],
        *,
        carrier: str,
    ) -> None:
        self._call_id = call_id
        self._carrier = carrier
        self._notices = notices
        self._log = log
        self._agent = agent
        self._now = now
        self._turn = 0
        self._voice_since: float | None = None
        self._reply = self._token_reply = 0
        self._heard_reply = 0
        self._heard_since = 0.0
        self._heard_until = 0.0
        self._ended_reply = 0
        """The last reply whose end was told; what is still reported of it, or of one before it, begins nothing."""
        self._tools: dict[str, tuple[RunTool, int]] = {}
        """Tools that run, by id, each with the turn that asked for it."""
        self._lines: list[dict[str, str]] = []
        """What was said in the turns that have their row."""
        self._others = 0
        """Messages of the role "user" that are not the words of the turn that is open: of other turns, or injected."""

    def answered(self) -> None:
        self._tell("answered", {})

    # What the engine is told.

    def event(self, event: Event) -> None:
        match event:
            case SpeechStarted(at):
                self._voice_since = at
                self._speech("on_user_speech_started", at)
            case SpeechStopped(at):
                since, self._voice_since = self._voice_since, None
                self._speech("on_user_speech_ended", at, speech_duration_ms=(at - (at if since is None else since)) * 1000)
            case AudioHeard():
                self._heard(event)
            case InstantRecorded(reply, "llm_first_token_at", at) if reply == self._reply != self._token_reply:
                self._token_reply = reply
                llm = self._agent().llm
                names = ("on_message", "") if llm is None else (llm.provider, llm.model)
                self._speech("on_llm_token", at, llm_provider=names[0], model=names[1])
            case InstantRecorded(reply, "send_started_at", at) if reply == self._reply:
                self._speech("on_audio_out", at, tts_provider=self._voice())
            case SegmentReady(reply, _, text) if reply == self._reply:
                self._tell("segment", {"text": text, "reply": reply, "turn_idx": self._turn})
            case DtmfReceived(digit):
                self._tell("dtmf", {"digit": digit})
            case GuardrailHit():
                hit = {"name": event.guardrail, "matched": event.matched, "stage": event.stage}
                self._tell("guardrail", {**hit, "added_ms": event.added_ms})
            case ToolReturned():
                self._tool_returned(event)
            case MachineDetected(classification, raw, after_ms):
                verdict = {"carrier": self._carrier, "classification": classification, "raw": raw, "after_ms": after_ms}
                told = {**verdict, "detected_at": timestamp_ms() / 1000}
                self._tell("machine_detected", told, callback="on_machine_detection")
            case InjectRequested(_, "user"):
                self._others += 1
            case _:
                pass

    def transcribed(self, text: str, final: bool) -> None:
        """Words of the caller that passed."""
        data = {"role": "user", "text": text, "at": self._now()}
        if final:
            self._tell("transcript", {**data, "history": list(self._lines)}, callback="on_transcript")
        else:
            self._tell("interim", data)

    def tool_progress(self, identity: str, name: str, text: str) -> None:
        _, turn = self._tools.get(identity, (None, self._turn))
        self._tell("tool_progress", {"id": identity, "name": name, "text": text, "turn_idx": turn})

    def revision(self, number: int, note: str) -> None:
        self._tell("revision", {"revision": number, "note": note})

    def stalled(self, started_at: float, seconds: float, cell: int | None) -> None:
        """The loop of the call could not run."""
        self._tell("stall", {"started_at": started_at, "seconds": seconds, "cell": cell})

    # What the engine orders.

    def command(self, command: Command) -> None:
        match command:
            case StartReply():
                self._started(command)
            case RunTool(_, identity, name, arguments):
                self._tools[identity] = command, self._turn
                self._tell("tool_called", {"id": identity, "name": name, "arguments": arguments, "turn_idx": self._turn})
            case RecordEvent("muted" | "unmuted" as kind, _):
                self._tell(kind, {})
            case _:
                pass

    def turn_recorded(self, command: RecordTurn) -> None:
        """The row of a turn is in the log."""
        facts = command.facts
        self._ended_reply = max(self._ended_reply, facts.reply or 0)
        if facts.reply and facts.reply == self._heard_reply:
            self._speech(
                "on_agent_speech_ended",
                self._heard_until,
                turn=facts.turn,
                speech_duration_ms=(self._heard_until - self._heard_since) * 1000,
                interrupted=facts.interrupted,
            )
            self._heard_reply = 0
        self._lines += spoken_lines(facts)
        self._others += bool(facts.caller_text)
        if facts.heard_text:
            data = {"role": "assistant", "text": facts.heard_text, "at": self._now(), "turn_idx": facts.turn}
            self._tell("transcript", {**data, "history": list(self._lines)}, callback="on_transcript")
        self._metrics(facts)

    def _started(self, command: StartReply) -> None:
        self._turn, self._reply = command.turn, command.reply
        said = [message.content for message in command.messages if message.role == "user"]
        # Before an answer begins all other turns have their rows: one more message is of the caller's words that it answers.
        if command.kind != "answer" or len(said) <= self._others:
            return
        policy = self._agent().policy()
        ended_by = "provider" if policy.ends_turns == "provider" else "vad_silence"
        silence = policy.hangover_seconds * 1000 if ended_by == "vad_silence" else 0.0
        self._speech("on_user_speech_eos", self._now(), trigger=ended_by, trailing_silence_ms=silence, transcript_so_far=said[-1])

    def _heard(self, event: AudioHeard) -> None:
        if event.reply <= self._ended_reply:
            return
        if event.reply != self._heard_reply:
            self._heard_reply, self._heard_since = event.reply, event.at - event.seconds
            self._speech("on_agent_speech_started", self._heard_since, tts_provider=self._voice())
        self._heard_until = event.at

    def _tool_returned(self, event: ToolReturned) -> None:
        asked, turn = self._tools.pop(event.id, (None, 0))
        if asked is None:
            return
        result = event.error if event.error is not None else event.result or ""
        data = {"id": event.id, "name": asked.name, "arguments": asked.arguments, "result": event.result, "error": event.error}
        self._tell("tool_returned", {**data, "turn_idx": turn})
        named = {"tool_name": asked.name, "tool_args": asked.arguments, "tool_result": result}
        told = {"role": "tool", "text": result, "at": self._now(), "turn_idx": turn}
        self._tell("transcript", {**told, **named}, callback="on_transcript")

    def _metrics(self, facts: TurnFacts) -> None:
        if self._notices is None:
            return
        reading = self._log.reading(self._call_id)
        turn = reading.turns[-1].metrics
        cost = {"cost_so_far": reading.cost, "llm_ttft_ms": turn.latency.llm_ttft_ms}
        self._tell("metrics", {"turn": turn, "interrupted": facts.interrupted, **cost}, callback="on_metrics")

    def _voice(self) -> str:
        tts = self._agent().tts
        return "" if tts is None else tts.provider

    def _speech(self, callback: str, at: float, *, turn: int | None = None, **more: Any) -> None:
        # The clock of callbacks is the day's: what happened a moment ago, by the call's clock, is dated back by as much.
        happened = timestamp_ms() - (self._now() - at) * 1000
        data = {"turn_idx": self._turn if turn is None else turn, "timestamp_ms": happened, "at": at, **more}
        self._tell(callback.removeprefix("on_"), data, callback=callback)

    def _tell(self, kind: str, data: Mapping[str, Any], *, callback: str = "") -> None:
        if self._notices is None:
            return
        self._notices.tell(kind, float(data.get("at", self._now())), {"call_id": self._call_id, **data}, callback=callback)
