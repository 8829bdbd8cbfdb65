"""When inbound audio was really heard, and in which order a recogniser is told of it."""

import random

import pytest

from patter_nb.audio.formats import MULAW_8K
from patter_nb.audio.g711 import encode
from patter_nb.audio.samples import Samples
from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.audio.vad import EnergyModel, VoiceDetector
from patter_nb.session.chains import AudioChain
from patter_nb.session.inbound import Inbound, StreamClock
from patter_nb.turns.events import Event, SpeechContinued, SpeechStarted, SpeechStopped


class ByHand:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    async def sleep_until(self, at: float) -> None:
        raise AssertionError("inbound audio never waits")


class Told:
    """A recogniser that keeps what it is told, pushes as a count."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failed: list[str] = []

    def push(self, audio: bytes, at: float) -> None:
        if self.calls[-1:] != ["push"]:
            self.calls.append("push")

    def speech_started(self, at: float) -> None:
        self.calls.append("speech_started")

    def finalize(self) -> None:
        self.calls.append("finalize")


@pytest.fixture
def line() -> tuple[Inbound, ByHand, Told, list[Event]]:
    clock, told, posted = ByHand(), Told(), []
    inbound = Inbound(
        audio=MULAW_8K,
        clock=clock,
        detector=VoiceDetector(EnergyModel()),
        post=posted.append,
        stretch=lambda *_: None,
        recorder=None,
        chain=AudioChain(),
        failed=told.failed.append,
    )
    inbound.listen(told, MULAW_8K)
    return inbound, clock, told, posted


def frames(*parts: bytes) -> list[bytes]:
    audio = b"".join(parts)
    return [audio[at : at + 160] for at in range(0, len(audio) - 159, 160)]


class Broken(EnergyModel):
    """A detector of the user's that raises after half a second."""

    heard = 0

    def probability(self, samples: Samples) -> float:
        self.heard += 1
        if self.heard > 15:
            raise ValueError("out of memory")
        return super().probability(samples)


def test_a_detector_that_raises_is_told_by_name_and_gives_way_to_loudness() -> None:
    told, posted = Told(), []
    inbound = Inbound(
        audio=MULAW_8K,
        clock=ByHand(),
        detector=VoiceDetector(Broken()),
        post=posted.append,
        stretch=lambda *_: None,
        recorder=None,
        chain=AudioChain(),
        failed=told.failed.append,
    )
    for number, frame in enumerate(frames(SILENCE, SILENCE, WORDS, SILENCE)):
        inbound.frame(frame, number * 20.0)
    assert told.failed == ["vad (Broken) raised ValueError: out of memory"]
    assert [type(event) for event in posted if not isinstance(event, SpeechContinued)] == [SpeechStarted, SpeechStopped]


SILENCE = b"\xff" * 4000
WORDS = encode(synthetic_voice("hello there")[0])


def test_after_a_stall_the_recogniser_hears_of_speech_and_its_end_in_the_order_of_the_audio(line: tuple) -> None:
    inbound, clock, told, posted = line
    for number, frame in enumerate(frames(SILENCE, WORDS, SILENCE, WORDS, SILENCE)):
        clock.at = 10.0  # every frame waited in a busy loop, and nobody has read the events yet
        inbound.frame(frame, number * 20.0)
    assert told.calls == ["push", "speech_started", "push", "finalize", "push", "speech_started", "push", "finalize", "push"]
    edges = [type(event) for event in posted if isinstance(event, SpeechStarted | SpeechStopped)]
    assert edges == [SpeechStarted, SpeechStopped] * 2


def test_a_line_that_closes_while_somebody_speaks_has_heard_the_end_of_it(line: tuple) -> None:
    inbound, clock, told, _ = line
    for number, frame in enumerate(frames(SILENCE, WORDS)):
        clock.at = (number + 1) * 0.02
        inbound.frame(frame, number * 20.0)
    assert inbound.speaking
    inbound.end()
    inbound.end()
    assert not inbound.speaking
    assert told.calls[-1] == "finalize"
    assert told.calls.count("finalize") == 1


def test_what_is_read_late_is_dated_by_the_frame_that_was_read_before_it(line: tuple) -> None:
    inbound, clock, *_ = line
    clock.at = 3.0
    assert inbound.dated() == 3.0
    for number in range(50):
        clock.at = (number + 1) * 0.02
        inbound.frame(SILENCE[:160], number * 20.0)
    clock.at = 1.013
    assert inbound.dated() == 1.013
    clock.at = 2.5
    assert inbound.dated() == pytest.approx(1.02, abs=1e-4)


def test_a_frame_that_waited_in_a_busy_loop_is_dated_by_its_stamp() -> None:
    clock = StreamClock()
    assert clock.ends_at(0, 0.02, 5.02) == 5.02
    assert abs(clock.ends_at(20, 0.02, 7.0) - 5.04) < 1e-5
    assert abs(clock.ends_at(40, 0.02, 7.0) - 5.06) < 1e-5


def test_the_least_delayed_frame_sets_the_offset_whatever_the_jitter() -> None:
    random.seed(3)
    clock = StreamClock()
    errors = []
    for number in range(500):
        true_end = (number + 1) * 0.02
        ends_at = clock.ends_at(number * 20, 0.02, true_end + random.uniform(0, 0.08))
        errors.append(ends_at - true_end)
    assert all(error >= -1e-9 for error in errors)
    assert max(errors[100:]) < 0.005


def test_a_carriers_slow_clock_is_followed() -> None:
    clock = StreamClock()
    drift = 30e-6
    for number in range(200_000):
        true_end = (number + 1) * 0.02 * (1 + drift)
        ends_at = clock.ends_at(number * 20, 0.02, true_end)
    assert abs(ends_at - true_end) < 0.001
