"""A telephone world in miniature, to hold random calls in: caller, voice activity, recogniser, model, voice and carrier.

Nothing in it knows the engine's rules. It performs commands as a session would, with the delays, splits and late events of real
services, and keeps its own record of what was said, transcribed, played and truly heard. Time is a number; chance is seeded.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from patter_nb.turns import commands as c
from patter_nb.turns import events as e
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.policy import TurnPolicy
from patter_nb.turns.usage import Usage

MARK_SECONDS = 0.2
WINDOW_SECONDS = 0.032
VAD_SILENCE_SECONDS = 0.15


@dataclass
class Word:
    text: str
    start: float
    end: float


@dataclass
class SpokenSegment:
    """A segment as the voice makes it: the audio there is, what the marks said and what the ear got of it."""

    text: str
    seconds: float
    ordered: bool = False
    made: float = 0.0
    reported_whole: bool = False
    marked: float = 0.0
    """By marks that came while the reply was live."""
    heard: float = 0.0
    """Truly."""

    def words_within(self, seconds: float) -> list[str]:
        """The words whose audio ends by then: each character takes as long as any other."""
        words, at = [], 0
        for word in self.text.split(" "):
            at += len(word)
            if at / len(self.text) * self.seconds <= seconds + 0.001:
                words.append(word)
            at += 1
        return words


@dataclass
class Job:
    """A reply in the making, and all there is to know about it afterwards."""

    number: int
    turn: int
    kind: str
    segments: list[SpokenSegment] = field(default_factory=list)
    tools: dict[str, str] = field(default_factory=dict)
    cancelled_at: float | None = None
    last_heard_at: float = 0.0
    speaking: bool = False


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
            filler_seconds=choice.choice([0.3, 1.0]),
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
        self.after(0.0, lambda: self.tell(e.CallAnswered(greeting)))
        self.after(0.01, self.caller.act)
        for _ in range(self.choice.choice([0, 0, 1, 3])):
            self.after(self.between(0.5, 25.0), self._meddle)
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
        patience = self.policy.hangover_seconds + self.policy.final_timeout_seconds + 0.05
        assert self.mode != "session" or self.now - self._quiet_since <= patience, f"at {self.now} nobody is listened to"

    def tell(self, event: e.Event) -> None:
        """The mailbox: one event for the engine, and its commands performed."""
        if self.engine.ended:
            return
        self.told.append((self.now, event))
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
                    self.after(self.network_seconds, self.carrier.clear)
                    if self.chance(0.7):
                        self.later_tell(0.001, e.InstantRecorded(max(self.jobs), "cleared_at", self.now))
                case c.RunTool(reply, identity):
                    answer = None if self.chance(0.2) else f"result of {identity}"
                    self.jobs[reply].tools[identity] = "ran"
                    self.later_tell(self.between(0.05, 2.5), e.ToolReturned(reply, identity, answer))
                case _:
                    pass

    def later_tell(self, seconds: float, event: e.Event) -> None:
        self.after(seconds, lambda: self.tell(event))

    def sentence(self, prefix: str, words: int) -> str:
        """Words that are spoken nowhere else, of different lengths."""
        return " ".join(f"{prefix}{self.serial()}{'o' * self.choice.randint(0, 6)}" for _ in range(words))

    def _meddle(self) -> None:
        """Somebody wants something of the agent."""
        text = self.sentence("s", 3)
        event = self.choice.choice(
            [
                e.SayRequested(text),
                e.SayRequested(text, interrupt=True),
                e.InjectRequested(self.sentence("i", 2), "system", reply=self.chance(0.5)),
                e.DtmfReceived("1"),
                e.TransferRequested("+1555"),
                e.HangUpRequested("meddled", self.choice.choice(["", text])),
                e.LimitReached("meddled"),
                e.TranscriptionFailed("meddled"),
            ]
        )
        self.tell(event)


class Carrier:
    """Plays what it is sent in order, gives back marks, and drops everything when it is cleared. The ear hangs on it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._queue: list[tuple[Job, int, float, float]] = []
        self._playing: tuple[Job, int, float, float, float] | None = None
        self._generation = 0
        self.audible: list[tuple[float, float, int]] = []

    def send(self, job: Job, segment: int, start: float, end: float) -> None:
        if job.cancelled_at is None:
            self.world.after(self.world.network_seconds, lambda: self._take(job, segment, start, end))

    def _take(self, job: Job, segment: int, start: float, end: float) -> None:
        self._queue.append((job, segment, start, end))
        self._play()

    @property
    def silent(self) -> bool:
        return self._playing is None and not self._queue

    def _play(self) -> None:
        if self._playing is not None or not self._queue:
            return
        job, segment, start, end = self._queue.pop(0)
        self._playing = job, segment, start, end, self.world.now
        generation = self._generation
        self.world.after(end - start, lambda: self._played(generation))

    def _played(self, generation: int) -> None:
        if generation != self._generation or self._playing is None:
            return
        job, segment, _, end, since = self._playing
        self._playing = None
        self._hear(job, segment, end, since)
        self.world.after(self.world.network_seconds, lambda: self._mark(job, segment, end))
        self._play()

    def _mark(self, job: Job, segment: int, end: float) -> None:
        self.world.tell(e.AudioHeard(job.number, segment, end, self.world.now))

    def _hear(self, job: Job, segment: int, end: float, since: float) -> None:
        spoken = job.segments[segment]
        spoken.heard = max(spoken.heard, end)
        job.last_heard_at = self.world.now
        self.audible.append((since, self.world.now, job.number))

    def clear(self) -> None:
        """What plays is cut off; the marks of all that was dropped come back at once, as if it had played."""
        dropped = list(self._queue)
        if self._playing is not None:
            job, segment, start, end, since = self._playing
            self._hear(job, segment, min(end, start + self.world.now - since), since)
            dropped.insert(0, (job, segment, start, end))
        self._queue.clear()
        self._playing = None
        self._generation += 1
        for job, segment, _, end in dropped:
            if job.cancelled_at is not None and self.world.chance(0.5):
                self.world.later_tell(self.world.network_seconds, e.AudioHeard(job.number, segment, end, self.world.now))


class Maker:
    """Model and voice of one reply. After it is cancelled, events that are on their way still arrive for a while."""

    def __init__(self, world: World, job: Job) -> None:
        self.world = world
        self.job = job

    def begin(self, text: str | None) -> None:
        self._post(e.ReplyStarted(self.job.number, 1))
        if text is not None:
            self._after(0.01, lambda: self.say([text], generated=True))
            return
        self._after(self.world.between(0.05, 1.2), lambda: self.answer(2 if self.world.uses_tools else 0))

    def answer(self, tools: int) -> None:
        world, choice = self.world, self.world.choice
        if self._goes_wrong():
            return
        texts = [world.sentence(f"a{self.job.number}w", choice.randint(1, 6)) for _ in range(choice.randint(1, 3))]
        if choice.random() < tools / 4:
            self.say(texts[: choice.randint(0, 1)], generated=False)
            for _ in range(choice.randint(1, 2)):
                called = f"t{world.serial()}"
                self.job.tools[called] = "called"
                self._post(e.ToolCalled(self.job.number, called, "book", "{}", choice.choice(["", "one moment"])))
            self._after(world.between(0.0, 0.2), lambda: self._post(e.ReplyGenerated(self.job.number)))
        else:
            self.say(texts, generated=True)
        usage = Usage("llm", "p", "m", input_tokens=world.serial())
        world.later_tell(world.between(0.0, 6.0), e.UsageReported(usage, self.job.number))

    def _goes_wrong(self) -> bool:
        world, number = self.world, self.job.number
        if not world.chance(world.fails):
            return False
        match world.choice.randint(0, 3):
            case 0:
                pass  # it never answers
            case 1:
                self._post(e.ReplyGenerated(number))
            case 2:
                self._post(e.ReplyFailed(number, "llm", "out of quota"))
            case 3:
                self.say([world.sentence("f", 6)], generated=False, fails=True)
        return True

    def say(self, texts: list[str], *, generated: bool, fails: bool = False) -> None:
        """Order segments, one token apart, and have them synthesised one after the other."""
        job, delay = self.job, 0.0
        for text in texts:
            index = len(job.segments)
            job.segments.append(SpokenSegment(text, len(text) * 0.03))
            self._after(delay, lambda index=index: self._order(index))
            delay += self.world.between(0.0, 0.1)
        if generated:
            self._after(delay, lambda: self._post(e.ReplyGenerated(job.number)))
        if not job.speaking:
            job.speaking = True
            self._after(delay + self.world.between(0.02, 0.4), lambda: self._synthesise(0, fails))

    def _order(self, index: int) -> None:
        spoken = self.job.segments[index]
        spoken.ordered = True
        self._post(e.SegmentReady(self.job.number, index, spoken.text))

    def _synthesise(self, index: int, fails: bool) -> None:
        job = self.job
        if index == len(job.segments) or not job.segments[index].ordered:
            self._after(0.05, lambda: self._synthesise(index, fails))
            return
        spoken = job.segments[index]
        step = min(MARK_SECONDS, spoken.seconds - spoken.made)
        if fails and spoken.made >= 0.4:
            known = self.world.chance(0.5)
            self._post(e.ReplyFailed(job.number, "tts", "broke", index if known else None, spoken.made if known else 0.0))
            return
        if step <= 1e-9:
            self._post(e.SegmentSynthesized(job.number, index, spoken.seconds))
            self._after(0.0, lambda: self._synthesise(index + 1, fails))
            return
        self.world.carrier.send(job, index, spoken.made, spoken.made + step)
        spoken.made += step
        self._after(step / self.world.choice.choice([1.5, 4, 20]), lambda: self._synthesise(index, fails))

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        def act() -> None:
            cancelled_at = self.job.cancelled_at
            if cancelled_at is None or self.world.now <= cancelled_at + self.world.lag_seconds:
                action()

        self.world.after(seconds, act)

    def _post(self, event: e.Event) -> None:
        self.world.later_tell(0.0, event)


class Recogniser:
    """Transcribes the caller. Finals come late, split, put off or not at all; dated or not."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dated = world.chance(0.5)
        self.withholds = world.chance(0.5)
        self.latency = world.choice.choice([(0.02, 0.1), (0.1, 0.8), (0.5, 4.0)])
        self._pending: list[Word] = []
        self._asked = 0

    def hears(self, word: Word) -> None:
        """A word was spoken to its end."""
        self._pending.append(word)
        if self.world.chance(0.1):
            self.world.after(self.world.between(0.05, 0.3), lambda: self._deliver(len(self._pending)))

    def quiet(self) -> None:
        """Words that voice activity did not notice are found all the same."""
        self.world.after(self.world.between(0.2, 0.6), lambda: self._deliver(len(self._pending)))

    def speech_started(self) -> None:
        if self.withholds:
            self._asked += 1

    def finalize(self) -> None:
        self._asked += 1
        asked, count = self._asked, len(self._pending)
        usage = Usage("stt", "p", "m", audio_seconds=float(self.world.serial()))
        self.world.later_tell(self.world.between(0.0, 1.0), e.UsageReported(usage))
        if self.world.chance(0.03):
            return
        self.world.after(self.world.between(*self.latency), lambda: self._final(asked, count))

    def _final(self, asked: int, count: int) -> None:
        if asked != self._asked:
            return
        count = min(count, len(self._pending))
        if count > 1 and self.world.chance(0.3):
            self._deliver(count // 2)
            self.world.after(self.world.between(0.01, 0.4), lambda: self._deliver(count - count // 2))
        else:
            self._deliver(count, even_empty=True)

    def take(self) -> str:
        """All that is pending, for a provider that tells its words with the end of the turn."""
        words, self._pending = self._pending, []
        return " ".join(word.text for word in words)

    def _deliver(self, count: int, *, even_empty: bool = False) -> None:
        words, self._pending = self._pending[:count], self._pending[count:]
        if not words:
            if even_empty:
                self.world.tell(e.FinalReceived(""))
            return
        started, ended = (words[0].start, words[-1].end) if self.dated else (None, None)
        self.world.tell(e.FinalReceived(" ".join(word.text for word in words), started, ended))


class Caller:
    """Has a plan: questions, interruptions, backchannels, noises and words too quiet to notice; hangs up in the end, mostly."""

    def __init__(self, world: World) -> None:
        self.world = world
        kinds, weights = ["asks", "interrupts", "mhm", "noise", "quiet"], [6, 3, 2, 1, 1]
        self.plan = world.choice.choices(kinds, weights, k=world.choice.randint(2, 7))
        self.voiced: list[tuple[float, float]] = []
        self.reported = False
        self._waits = 0.0

    def act(self) -> None:
        """Do the next thing of the plan when its moment has come."""
        world = self.world
        if not self.plan:
            if world.chance(0.8):
                world.later_tell(world.between(0.5, 4.0), e.CallerHungUp())
            return
        over_agent = self.plan[0] in {"interrupts", "mhm"}
        if world.carrier.silent == over_agent and self._waits < 5.0:
            self._waits += 0.1
            world.after(0.1, self.act)
            return
        self._waits = 0.0
        kind = self.plan.pop(0)
        delay = world.between(0.0, 0.8)
        world.after(delay, lambda: self._speak(self._utterance(kind), noticed=kind != "quiet"))

    def _utterance(self, kind: str) -> list[tuple[str, float]]:
        """Words and sounds with their length in seconds; an empty one is a pause."""
        choice = self.world.choice
        if kind == "noise":
            return [("#", choice.choice([0.05, 0.15, 0.6]))]
        if kind == "mhm":
            return [(self.world.sentence("m", 1), choice.choice([0.08, 0.2, 0.28]))]
        utterance = []
        for _ in range(choice.randint(1, 5)):
            utterance.append((self.world.sentence("c", 1), choice.uniform(0.1, 0.4)))
            if choice.random() < 0.25:
                utterance.append(("", choice.choice([0.2, 0.5, 0.9, 1.6])))
        return utterance if utterance[-1][0] else utterance[:-1]

    def _speak(self, utterance: list[tuple[str, float]], *, noticed: bool) -> None:
        world, at, start = self.world, 0.0, 0.0
        for text, seconds in [*utterance, ("", 0.3)]:
            if text:
                word = Word(text, world.now + at, world.now + at + seconds)
                if text != "#":
                    world.after(at + seconds, lambda word=word: world.recogniser.hears(word))
            elif noticed:
                self._voice(start, at)
            at += seconds
            if not text:
                start = at
        if not noticed:
            world.after(at, world.recogniser.quiet)
        world.after(at, self.act)

    def _voice(self, start: float, end: float) -> None:
        """Voice activity: a window late at the beginning, its silence late at the end."""
        world, began, ended = self.world, self.world.now + start, self.world.now + end
        self.voiced.append((began, ended))
        tells = e.ProviderTurnStarted if world.mode == "speech to speech" else e.SpeechStarted
        world.after(start + min(WINDOW_SECONDS, end - start), lambda: self._reports(tells(began)))
        window = start + WINDOW_SECONDS * 2
        while window < end and world.mode != "speech to speech":
            world.later_tell(window, e.SpeechContinued(world.now + window))
            window += WINDOW_SECONDS
        world.after(end + VAD_SILENCE_SECONDS, lambda: self._stops(ended))

    def _reports(self, event: e.Event) -> None:
        self.reported = True
        self.world.recogniser.speech_started()
        self.world.tell(event)

    def _stops(self, ended: float) -> None:
        world = self.world
        self.reported = False
        if world.mode != "speech to speech":
            world.tell(e.SpeechStopped(ended))
        if world.mode == "provider":
            world.after(world.between(0.05, 0.3), lambda: self._provider_ends(ended, world.recogniser.take()))
        elif world.mode == "speech to speech":
            world.after(world.between(0.05, 0.3), lambda: self._provider_ends(ended, None))

    def _provider_ends(self, ended: float, text: str | None) -> None:
        world = self.world
        if self.reported:
            if text:
                world.tell(e.FinalReceived(text))
            return
        world.tell(e.ProviderTurnEnded(ended, text))
        if text is None:
            world.recogniser.finalize()
            if world.chance(0.9):
                world.later_tell(world.between(0.05, 0.5), e.ProviderReplyStarted(f"resp{world.serial()}"))
