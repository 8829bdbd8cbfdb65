"""The far end's ear against signals whose bounds are known, and against prompts whose bounds were marked by eye and ear."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.carriers.simulated.hearing import PAUSE, Ear, Talk, reply_to, speech_bounds

HZ = 8000


def _signal(*pieces: tuple[float, float], pitch: float = 440.0) -> np.ndarray:
    """Pieces of (seconds, amplitude), one after the other."""
    wave = np.concatenate([np.full(round(seconds * HZ), float(amplitude)) for seconds, amplitude in pieces])
    return (wave * np.cos(2 * np.pi * pitch * np.arange(len(wave)) / HZ)).astype(np.int16)


MARKED = [
    ([(0.237, 0), (1.113, 9000), (0.4, 0)], (0.237, 1.350)),
    ([(1.0, 300)], (0.0, 1.0)),
    ([(0.1234, 0), (0.02, 9000), (0.6, 0), (0.02, 9000), (0.3, 0)], (0.1234, 0.7634)),
    # 38 dB below the loudest belongs to the speech, 43 dB below does not
    ([(0.3, 113), (0.5, 9000), (0.3, 113), (0.3, 0)], (0.0, 1.1)),
    ([(0.3, 64), (0.5, 9000), (0.3, 64)], (0.3, 0.8)),
    ([(0.005, 9000), (0.5, 0)], (0.0, 0.005)),
]


@pytest.mark.parametrize(("pieces", "bounds"), MARKED)
def test_speech_is_found_where_it_was_put(pieces, bounds):
    first, last = speech_bounds(_signal(*pieces))
    assert (first / HZ, last / HZ) == pytest.approx(bounds, abs=0.0015)


# Bounds in seconds, read off plots of the waveforms before anything was measured. Where a voice fades, eyes differ by some 20 ms.
PROMPTS = Path("/usr/share/asterisk/sounds/en")
PROMPTS_MARKED = {
    "auth-thankyou": (0.115, 0.820),
    "conf-full": (0.040, 1.605),
    "cannot-complete-as-dialed": (0.025, 2.555),
    "agent-pass": (0.055, 3.205),
}


@pytest.mark.slow
@pytest.mark.skipif(not PROMPTS.is_dir(), reason="needs Debian's asterisk-core-sounds-en-wav")
@pytest.mark.parametrize(("name", "bounds"), PROMPTS_MARKED.items())
def test_speech_is_found_where_an_eye_sees_it(name, bounds):
    with wave.open(str(PROMPTS / f"{name}.wav")) as file:
        assert file.getframerate() == HZ
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    first, last = speech_bounds(samples)
    assert (first / HZ, last / HZ) == pytest.approx(bounds, abs=0.025)


@pytest.mark.parametrize("samples", [np.zeros(4000, np.int16), np.zeros(0, np.int16), _signal((1.0, 10))])
def test_silence_holds_no_speech(samples):
    assert speech_bounds(samples) is None


def _hear(samples: np.ndarray, step: int = 160) -> list[Talk]:
    ear = Ear()
    for until in range(step, len(samples) + step, step):
        ear.listen(samples, until)
    return ear.talks


def test_talk_starts_and_ends_at_the_audible_samples():
    (talk,) = _hear(_signal((0.2504, 0), (0.6, 3000), (1.0, 0)))
    assert (talk.start / HZ, talk.end / HZ) == pytest.approx((0.2504, 0.8504), abs=0.0015)


def test_minus_fifty_dbfs_is_the_bound_of_what_is_audible():
    amplitude = 32768 * 10 ** (-50 / 20) * np.sqrt(2)
    assert len(_hear(_signal((0.2, 0), (0.5, amplitude * 1.06)))) == 1
    assert _hear(_signal((0.2, 0), (0.5, amplitude * 0.94))) == []


def test_a_short_pause_does_not_part_two_stretches_of_talk():
    one = _hear(_signal((0.5, 5000), (0.38, 0), (0.5, 5000)))
    two = _hear(_signal((0.5, 5000), (0.42, 0), (0.5, 5000)))
    assert [len(one), len(two)] == [1, 2]


def test_after_a_clear_another_stretch_begins():
    samples = _signal((0.5, 5000), (0.05, 0), (0.5, 5000))
    ear = Ear()
    ear.listen(samples, 3840)
    ear.cut(samples, 4001)
    ear.listen(samples, len(samples))
    assert [(talk.start, talk.end, talk.cut) for talk in ear.talks] == [
        (0, pytest.approx(4000, abs=10), True),
        (pytest.approx(4400, abs=10), pytest.approx(8400, abs=10), False),
    ]


@given(st.lists(st.tuples(st.integers(1, 3000), st.sampled_from([0, 0, 90, 160, 5000])), min_size=1, max_size=8), st.data())
def test_what_is_heard_does_not_depend_on_when_the_ear_listens(pieces, data):
    samples = _signal(*((size / HZ, amplitude) for size, amplitude in pieces))
    whole = len(samples) // 160 * 160
    at_once, in_frames = Ear(), Ear()
    at_once.listen(samples, whole)
    frame = 0
    while frame < whole:
        frame = min(whole, frame + 160 * data.draw(st.integers(1, 5)))
        in_frames.listen(samples[: frame + data.draw(st.integers(0, 500))], frame)
    assert at_once.talks == in_frames.talks


REPLIES = [
    # a reply after the utterance
    ([Talk(9000, 12000)], 9000),
    # the greeting before it is none
    ([Talk(0, 500), Talk(9000, 12000)], 9000),
    # talk that goes on since before the onset is none
    ([Talk(0, 8500), Talk(9000, 12000)], 9000),
    # began too early, but it is the reply
    ([Talk(7000, 12000)], 7000),
    # began too early and was taken back
    ([Talk(7000, 8100, cut=True), Talk(9000, 12000)], 9000),
    # was over before the utterance was
    ([Talk(4000, 5000), Talk(9000, 12000)], 9000),
    # a reply that a later barge-in cleared
    ([Talk(9000, 12000, cut=True)], 9000),
    ([Talk(0, 500)], None),
    ([], None),
]


@pytest.mark.parametrize(("talks", "start"), REPLIES)
def test_the_reply_is_the_first_talk_that_answers(talks, start):
    reply = reply_to(talks, onset=1000, end=8000)
    assert (reply.start if reply else None) == start


def test_a_pause_is_what_a_caller_waits_by_default():
    assert PAUSE / HZ == 0.4
