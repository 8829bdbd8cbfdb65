"""The agent's side of the simulated world: model, voice and carrier, with the ear at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from patter_nb.turns import events as e
from patter_nb.turns.usage import Usage

World = Any  # the world of world.py, which is made of these parts
MARK_SECONDS = 0.2


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
        world = self.world
        revision = world.edit() if world.chance(0.1) else world.revision
        edited = (None, None) if revision == 1 else (world.now, self.job.turn)
        self._post(e.ReplyStarted(self.job.number, revision, *edited))
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
