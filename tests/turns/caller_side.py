"""The caller's side of the simulated world: a caller with a plan, voice activity detection and a recogniser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from patter_nb.turns import events as e
from patter_nb.turns.usage import Usage

World = Any  # the world of world.py, which is made of these parts
WINDOW_SECONDS = 0.032
VAD_SILENCE_SECONDS = 0.15


@dataclass
class Word:
    text: str
    start: float
    end: float


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
        world = self.world
        started, ended = (words[0].start, words[-1].end) if self.dated else (None, None)
        if world.policy.confirm_seconds is not None and not world.carrier.silent and world.chance(0.6):
            world.tell(e.BargeInConfirmed((started + ended) / 2 if self.dated else None, world.chance(0.7)))
        arrived = world.now - world.between(0.0, 0.01) if world.chance(0.3) else None
        world.tell(e.FinalReceived(" ".join(word.text for word in words), started, ended, arrived))


class Caller:
    """Has a plan: questions, interruptions, backchannels, noises and words too quiet to notice; hangs up in the end, mostly."""

    def __init__(self, world: World) -> None:
        self.world = world
        kinds, weights = ["asks", "interrupts", "mhm", "noise", "quiet", "keys"], [6, 3, 2, 1, 1, 1]
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
        if kind == "keys":
            world.after(delay, self._press)
            return
        world.after(delay, lambda: self._speak(self._utterance(kind), noticed=kind != "quiet"))

    def _press(self) -> None:
        """Keys, one soon after the other; or not so soon."""
        world, at = self.world, 0.0
        for digit in world.choice.sample("0123456789*#", world.choice.randint(1, 4)):
            world.later_tell(at, e.DtmfReceived(digit))
            at += world.between(0.05, 0.6) if world.chance(0.8) else 1.2
        world.after(at, self.act)

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
