"""`check_stt` passes recognisers that keep the protocol and names the rule that a broken one breaks."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from patter_nb.audio.formats import MULAW_8K, PCM_16K
from patter_nb.errors import ProviderError
from patter_nb.providers.base import TextDelta, Transcript, TurnEnded
from patter_nb.providers.scripted import ScriptedSTT
from patter_nb.testing import ConformanceError, check_stt
from patter_nb.turns.usage import Usage


class Recogniser:
    """A recogniser as a user may write one in a cell: it hears "yes" in whatever was spoken."""

    provider = "mine"
    model = "m"
    formats = (MULAW_8K, PCM_16K)
    ends_turns = "session"
    virtual_time = True
    price = None
    ear = None

    def ready(self):
        pass

    @asynccontextmanager
    async def open(self, call, audio):
        ear = self.ear(self, audio)
        try:
            yield ear
        finally:
            ear.close()


class Ear:
    """One call's stream of a `Recogniser`."""

    def __init__(self, recogniser, audio):
        self.recogniser = recogniser
        self.audio = audio
        self.queue = asyncio.Queue()
        self.seconds = 0.0
        self.spoken = False
        self.at = 0.0

    def push(self, audio, at):
        self.seconds += self.audio.seconds(len(audio))
        self.at = at

    def speech_started(self, at):
        self.spoken = True

    def finalize(self):
        self.say(Transcript("yes" if self.spoken else "", final=True))
        self.spoken = False

    def say(self, *events):
        for event in events:
            self.queue.put_nowait(event)

    def usage(self, seconds):
        return Usage("stt", self.recogniser.provider, self.recogniser.model, audio_seconds=seconds)

    def close(self):
        self.say(self.usage(self.seconds), None)

    async def __aiter__(self):
        while (event := await self.queue.get()) is not None:
            yield event


Recogniser.ear = Ear


def recogniser(ear=Ear, **members):
    """A `Recogniser` with another ear, or otherwise different."""
    return type("Recogniser", (Recogniser,), {"ear": ear, **members})()


def hearing(*events):
    """A recogniser that says these at each `finalize()`; functions are called with the ear."""

    class Other(Ear):
        def finalize(self):
            self.say(*(event(self) if callable(event) else event for event in events))

    return recogniser(Other)


class PushesAwaitably(Ear):
    async def push(self, audio, at):
        pass


class PushesBack(Ear):
    def push(self, audio, at):
        super().push(audio, at)
        return len(audio)


class RaisesAfterClose(Ear):
    closed = False

    def push(self, audio, at):
        if self.closed:
            raise ConnectionError("the socket is closed")
        super().push(audio, at)

    def close(self):
        self.closed = True
        super().close()


class NeverFinal(Ear):
    def finalize(self):
        self.say(Transcript("yes", final=False))


class TwoFinals(Ear):
    def finalize(self):
        super().finalize()
        self.say(Transcript("yes", final=True))


class HearsVoices(Ear):
    def finalize(self):
        self.say(Transcript("yes", final=True))


class ForgetsTheRest(Ear):
    """Drops the final that was asked for when the caller goes on, and never gives another."""

    went_on = 0

    def speech_started(self, at):
        super().speech_started(at)
        self.went_on += 1
        while not self.queue.empty():
            self.queue.get_nowait()
            self.lost = True

    def finalize(self):
        if not getattr(self, "lost", False):
            super().finalize()


class NeverEnds(Ear):
    def close(self):
        self.say(self.usage(self.seconds))


class EndsAtOnce(Ear):
    async def __aiter__(self):
        return
        yield


class NotIterable:
    def __init__(self, recogniser, audio):
        pass

    def push(self, audio, at):
        pass

    def speech_started(self, at):
        pass

    def close(self):
        pass


class Listed(Ear):
    def __aiter__(self):
        return iter([])


class Unmetered(Ear):
    def close(self):
        self.say(None)


class MeteredTwice(Ear):
    def finalize(self):
        super().finalize()
        self.say(self.usage(self.seconds), self.usage(self.seconds))


class LeavesATask(Ear):
    def close(self):
        super().close()
        self.kept = asyncio.ensure_future(asyncio.sleep(3600))


class Bursts(Ear):
    async def __aiter__(self):
        raise OSError("connection reset")
        yield


class FailsAsAnother(Ear):
    async def __aiter__(self):
        raise ProviderError("Acme is down.", provider="acme")
        yield


def heard(text, **bounds):
    return Transcript(text, final=True, **bounds)


NEEDS = "; a failure raises ProviderError(..., provider='mine')."

BROKEN = [
    (Recogniser, "Recogniser'> is a class; give an instance of it."),
    (object(), "object lacks provider, model, formats, ends_turns, virtual_time, price, ready, open; see patter_nb"),
    (recogniser(ends_turns="me"), "Recogniser.ends_turns is 'me'; it must be \"session\" or \"provider\"."),
    (recogniser(formats=None), "Recogniser.formats is None; it must be a tuple of at least one AudioFormat, best first."),
    (recogniser(PushesAwaitably), "push() returned a coroutine; it takes the audio and returns None."),
    (recogniser(PushesBack), "push() returned a int; it takes the audio and returns None."),
    (recogniser(RaisesAfterClose), "using the stream after it was closed raised ConnectionError (the socket is closed)" + NEEDS),
    (recogniser(NeverFinal), "listening in AudioFormat(encoding='mulaw', hz=8000) came to no end within 20 s."),
    (recogniser(TwoFinals), "one finalize() brought two finals; the second was Transcript(text='yes', final=True"),
    (recogniser(HearsVoices), "silence was finalised to 'yes'; a final without speech is empty."),
    (recogniser(ForgetsTheRest), "finalize() after the caller went on came to no end within 20 s."),
    (recogniser(NeverEnds), "came to no end within 20 s."),
    (recogniser(EndsAtOnce), "the stream's events ended while it was open."),
    (recogniser(NotIterable), "raised TypeError ('NotIterable' object is not an async iterable)" + NEEDS),
    (recogniser(Listed), "raised TypeError ("),
    (recogniser(Unmetered), "no usage was reported for "),
    (recogniser(MeteredTwice), " of audio; report each second once."),
    (recogniser(LeavesATask), "left a task running: sleep."),
    (recogniser(Bursts), "raised OSError (connection reset)" + NEEDS),
    (recogniser(FailsAsAnother), "raised a ProviderError of 'acme'; this provider's name is 'mine'."),
    (hearing("yes"), "the stream yielded a str; it yields Transcript, TurnEnded and Usage."),
    (hearing(TextDelta("yes")), "the stream yielded a TextDelta; it yields Transcript, TurnEnded and Usage."),
    (hearing(TurnEnded(1.0)), "the stream yielded TurnEnded although ends_turns is 'session'."),
    (hearing(heard(None)), "a Transcript holds a NoneType; it holds a string."),
    (hearing(heard("yes", started_at=-7.0)), " s pushed; its times are those of push()."),
    (hearing(heard("yes", ended_at=7000.0)), " s pushed; its times are those of push()."),
    (hearing(heard("yes", started_at=0.4, ended_at=0.2)), " s pushed; its times are those of push()."),
    (hearing(Usage("stt", "acme", "m")), "the stream reported the usage of ('stt', 'acme', 'm'); prices are looked up under"),
    (hearing(Usage("stt", "mine", "m", audio_seconds=-1.0)), "the stream reported a negative usage: Usage("),
]


@pytest.mark.parametrize(("broken", "sentence"), BROKEN, ids=[sentence for _, sentence in BROKEN])
def test_a_broken_recogniser_is_told_which_rule_it_breaks(broken, sentence):
    with pytest.raises(ConformanceError) as caught:
        asyncio.run(check_stt(broken))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


class Interim(Ear):
    """Also tells what it has understood so far, with the times of push()."""

    def finalize(self):
        self.say(Transcript("y", final=False, started_at=0.0, ended_at=self.at))
        super().finalize()


class EndsTurns(Ear):
    """Decides by itself, and may say more than it was asked for."""

    def finalize(self):
        if self.spoken:
            self.say(TurnEnded(self.at), Transcript("more", final=True))
        super().finalize()


class Withholds(Ear):
    """Holds a final back when the caller goes on."""

    timer = None

    def finalize(self):
        self.timer = asyncio.get_running_loop().call_later(0.05, super().finalize)

    def speech_started(self, at):
        super().speech_started(at)
        if self.timer is not None:
            self.timer.cancel()

    def close(self):
        if self.timer is not None:
            self.timer.cancel()
        super().close()


PASSING = [
    recogniser(),
    recogniser(virtual_time=False),
    recogniser(Interim),
    recogniser(Withholds),
    recogniser(EndsTurns, ends_turns="provider"),
    ScriptedSTT(["yes"]),
    ScriptedSTT(["yes please"] * 30, interims=True, ends_turns="provider"),
]


@pytest.mark.parametrize("stt", PASSING, ids=lambda stt: type(stt).__name__)
def test_a_recogniser_that_keeps_the_protocol_passes(stt):
    assert asyncio.run(check_stt(stt, failing=ScriptedSTT(["lost"], fails_at=0))) is None


def test_one_that_should_fail_and_hears_is_told_so():
    with pytest.raises(ConformanceError, match="failing= did not fail"):
        asyncio.run(check_stt(recogniser(), failing=recogniser()))
