"""A telephone world in miniature, to hold random calls in: caller, voice activity, recogniser, model, voice and carrier.

Nothing in it knows the engine's rules. It performs commands as a session would, with the delays, splits and late events of real
services, and keeps its own record of what was said, transcribed, played and truly heard. Time is a number; chance is seeded.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import replace

from tests_of_turns_agent_side import Carrier, Job, Maker  # the conftest has loaded them by their path
from tests_of_turns_caller_side import Caller, Recogniser

from patter_nb.turns import commands as c
from patter_nb.turns import events as e
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.usage import Usage


class World:
    """One random call. `run` holds it to its end; then its record can be compared with what the engine made of it."""

    def __init__(self, seed: int) -> None:
        self.choice = choice = random.Random(seed)
        self.now = self._quiet_since = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._serial = itertools.count(1)
        self.mode = choice.choices(["session", "provider", "speech to speech"], [8, 1, 1])[0]
        self.policy = self._policy()
        self.engine = TurnEngine(self.policy)
        self.told: list[tuple[float, e.Event]] = []
        self.commands: list[tuple[float, c.Command]] = []
        self.orders: list[tuple[float, c.StartReply, str]] = []
        self.jobs: dict[int, Job] = {}
        self.transcribed: list[str] = []
        self.consumed: list[Usage] = []
        self.network_seconds = choice.choice([0.005, 0.03, 0.08])
        self.carrier = Carrier(self)
        self.recogniser = Recogniser(self)
        self.caller = Caller(self)
        self.fails = choice.choice([0.0, 0.0, 0.1, 0.4])
        self.uses_tools = choice.random() < 0.4
        self.revision = 1
        self.lag_seconds = choice.choice([0.0, 0.02, 0.3])

    def _policy(self) -> TurnPolicy:
        choice = self.choice
        return TurnPolicy(
            hangover_seconds=choice.choice([0.2, 0.32, 0.6]),
            final_timeout_seconds=choice.choice([0.5, 1.0, 3.0]),
            barge_in_seconds=choice.choice([0.1, 0.3, 0.3, 0.5, None]),
            resume_seconds=choice.choice([0.05, 0.1, 0.2]),
            reply_timeout_seconds=choice.choice([2.0, 4.0]),
            max_duration_seconds=choice.choice([15.0, 25.0, 40.0]),
            goodbye_seconds=choice.choice([0.5, 3.0]),
            max_failures=choice.choice([1, 2, 3]),
            keys_seconds=choice.choice([0.0, 1.0]),
            confirm_seconds=choice.choice([None, None, 0.3, 1.5]),
            fallback=choice.choice(["", "sorry please say that again"]),
            goodbye=choice.choice(["", "we have to end here goodbye"]),
            ends_turns="session" if self.mode == "session" else "provider",
            begins_replies="provider" if self.mode == "speech to speech" else "session",
        )

    # Time.

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), action))

    def between(self, low: float, high: float) -> float:
        return self.choice.uniform(low, high)

    def chance(self, probability: float) -> bool:
        return self.choice.random() < probability

    def serial(self) -> int:
        return next(self._serial)

    def run(self) -> None:
        greeting = "" if self.chance(0.3) else self.sentence("g", 4)
        self.voicemail = self.sentence("v", 5) if self.chance(0.1) else ""
        if self.voicemail:
            verdict = self.choice.choice([("machine", "machine_end_beep"), ("human", "human"), ("machine", "machine_start")])
            self.later_tell(self.between(-2.0, 6.0), e.MachineDetected(*verdict))
        self.after(0.0, lambda: self.tell(e.CallAnswered(greeting, self.voicemail)))
        self.after(0.01, self.caller.act)
        for _ in range(self.choice.choice([0, 0, 1, 3])):
            self.after(self.between(0.5, 25.0), self._meddle)
        for _ in range(self.choice.choice([0, 0, 0, 0, 1, 2])):
            self.after(self.between(0.5, 15.0), self._transfer)
        if self.chance(0.15):
            muted_at = self.between(0.0, 20.0)
            self.later_tell(muted_at, e.MuteRequested(True))
            self.later_tell(muted_at + self.between(0.0, 6.0), e.MuteRequested(False))
        for _ in range(100_000):
            due = self.engine.next_timer()
            if self.engine.ended:
                return
            self._listens_to_somebody()
            wake = None if due is None else due + self.choice.choice([0.0, 0.0, 0.004, 0.02])
            if wake is not None and (not self._agenda or wake < self._agenda[0][0]):
                self.now = max(self.now, wake)
                self._perform(self.engine.handle_timer(self.now))
                again = self.engine.next_timer()
                assert again is None or again > self.now, f"a timer at {again} would fire for ever at {self.now}"
            else:
                self.now, _, action = heapq.heappop(self._agenda)
                action()
        raise AssertionError("the call does not end")

    def _listens_to_somebody(self) -> None:
        """The engine waits for the caller's words no longer than it says."""
        if self.caller.reported or self.engine.state != "listening":
            self._quiet_since = self.now
        waits = max(self.policy.hangover_seconds, self.policy.keys_seconds)
        patience = waits + self.policy.final_timeout_seconds + 0.05
        assert self.mode != "session" or self.now - self._quiet_since <= patience, f"at {self.now} nobody is listened to"

    def tell(self, event: e.Event) -> None:
        """The mailbox: one event for the engine, and its commands performed."""
        if self.engine.ended:
            return
        self.told.append((self.now, event))
        if self.engine.state != "listening" or isinstance(event, e.FinalReceived | e.DtmfReceived):
            self._quiet_since = self.now
        self._note(event)
        self._perform(self.engine.receive(event, self.now))

    def _note(self, event: e.Event) -> None:
        match event:
            case e.FinalReceived(text):
                self.transcribed += text.split()
            case e.ProviderTurnEnded(_, str(text)):
                self.transcribed += text.split()
            case e.UsageReported(usage):
                self.consumed.append(usage)
            case e.AudioHeard(reply, segment, seconds) if self.jobs[reply].cancelled_at is None:
                spoken = self.jobs[reply].segments[segment]
                spoken.marked = max(spoken.marked, seconds)
            case e.SegmentSynthesized(reply, segment) if self.jobs[reply].cancelled_at is None:
                self.jobs[reply].segments[segment].reported_whole = True

    def _perform(self, commands: list[c.Command]) -> None:
        for command in commands:
            self.commands.append((self.now, command))
            match command:
                case c.FinalizeTranscript():
                    self.recogniser.finalize()
                case c.StartReply(reply, turn, kind, _, text):
                    self.orders.append((self.now, command, "voice" if self.caller.reported else "silence"))
                    self.jobs[reply] = Job(reply, turn, kind)
                    Maker(self, self.jobs[reply]).begin(text)
                case c.AdoptReply(reply, turn):
                    self.jobs[reply] = Job(reply, turn, "answer")
                    Maker(self, self.jobs[reply]).begin(None)
                case c.ContinueReply(reply):
                    Maker(self, self.jobs[reply]).answer(0)
                case c.SpeakFiller(reply, text):
                    Maker(self, self.jobs[reply]).say([text], generated=False)
                case c.CancelReply(reply):
                    if self.jobs[reply].cancelled_at is None:
                        self.jobs[reply].cancelled_at = self.now
                case c.ClearAudio():
                    self._clear()
                case c.RunTool(reply, identity):
                    self.jobs[reply].tools[identity] = "ran"
                    self.after(self.between(0.05, 2.5), lambda reply=reply, identity=identity: self._returns(reply, identity))
                case c.TransferCall() | c.ReleaseCaller():
                    self._hand_on(command)

    def _clear(self) -> None:
        self.after(self.network_seconds, self.carrier.clear)
        if self.chance(0.7):
            self.later_tell(0.001, e.InstantRecorded(max(self.jobs), "cleared_at", self.now))

    def _hand_on(self, command: c.TransferCall | c.ReleaseCaller) -> None:
        """A carrier takes the call, or refuses; for a warm transfer it calls somebody first, who may not answer."""
        refused = e.TransferFailed("refused")
        if isinstance(command, c.TransferCall) and command.mode == "warm":
            self.later_tell(self.between(0.1, 8.0), refused if self.chance(0.3) else e.TransferAnswered())
        else:
            self.later_tell(self.between(0.05, 2.0), refused if self.chance(0.5) else e.CallerHungUp())

    def edit(self) -> int:
        """Another revision of the agent, with numbers of its own; the caller never waits longer than at the beginning."""
        first = self.policy
        self.engine.govern(
            replace(
                first,
                hangover_seconds=min(first.hangover_seconds, self.choice.choice([0.2, 0.4])),
                keys_seconds=min(first.keys_seconds, self.choice.choice([0.3, 1.0])),
                resume_seconds=self.choice.choice([0.05, 0.2]),
                fallback=self.choice.choice([first.fallback, "once more please"]),
            )
        )
        self.revision += 1
        return self.revision

    def later_tell(self, seconds: float, event: e.Event) -> None:
        self.after(seconds, lambda: self.tell(event))

    def sentence(self, prefix: str, words: int) -> str:
        """Words that are spoken nowhere else, of different lengths."""
        return " ".join(f"{prefix}{self.serial()}{'o' * self.choice.randint(0, 6)}" for _ in range(words))

    def _returns(self, reply: int, identity: str) -> None:
        """A tool ends; some end the call, as far as the caller lets them."""
        ends = self.chance(0.2)
        if ends and self.jobs[reply].cancelled_at is None:
            self.tell(e.HangUpRequested("polite", polite=True))
        result = None if self.chance(0.2) else f"result of {identity}"
        self.tell(e.ToolReturned(reply, identity, result, attempts=self.choice.randint(1, 3), ends_reply=ends))

    def _transfer(self) -> None:
        if not self.engine.transferring:
            self.tell(e.TransferRequested("+1555", self.chance(0.3), self.choice.choice(["cold", "warm"])))

    def _meddle(self) -> None:
        """Somebody wants something of the agent."""
        text = self.sentence("s", 3)
        event = self.choice.choice(
            [
                e.SayRequested(text),
                e.SayRequested(text, interrupt=True),
                e.InjectRequested(self.sentence("i", 2), "system", reply=self.chance(0.5)),
                e.DtmfReceived("1"),
                e.DtmfReceived("#"),
                e.DtmfRequested("12"),
                e.KeysPlayed(),
                e.MuteRequested(True),
                e.MuteRequested(False),
                e.BargeInConfirmed(),
                e.BargeInConfirmed(self.now - self.between(0.0, 3.0), True),
                e.StageFailed(self.choice.choice([0, 1, 2, 99]), "hook", "it broke"),
                e.GuardrailHit(self.choice.choice([1, 2, 99]), "rail", "term", 1.0, "terms"),
                e.HangUpRequested("polite", "", polite=True),
                e.HangUpRequested("meddled", self.choice.choice(["", text])),
                e.LimitReached("meddled"),
                e.TranscriptionFailed("meddled"),
            ]
        )
        self.tell(event)
