from __future__ import annotations

import io
import wave

import numpy as np

from patter_nb.audio.wav import read_wav
from patter_nb.testing.twilio.recorder import CallRecording, Tape, silences

from .conftest import tone


def test_a_tape_holds_both_sides_at_the_same_time_and_fills_the_shorter_one():
    tape = Tape()
    tape.add(np.array([1, 2], np.int16), np.array([3], np.int16))
    tape.add(np.zeros(0, np.int16), np.array([4], np.int16))
    assert tape.stereo.tolist() == [[1, 3], [2, 0], [0, 4]]
    assert (tape.size, tape.heard.tolist()) == (3, [3, 0, 4])
    assert Tape().heard.tolist() == []


def finished(channels, start=0):
    tape = Tape()
    tape.add(np.full(800, 30000, np.int16), np.full(800, 10000, np.int16))
    recording = CallRecording("CA1", start, channels, "")
    recording.finish(tape)
    return recording


def test_a_dual_recording_has_the_person_left_and_what_they_heard_right():
    with wave.open(io.BytesIO(finished(2).wav())) as sound:
        frames = np.frombuffer(sound.readframes(-1), "<i2").reshape(-1, 2)
    assert frames[0].tolist() == [30000, 10000]


def test_a_mono_recording_is_mixed_and_clipped():
    samples, hz = read_wav(finished(1).wav())
    assert (samples[0], hz, len(samples)) == (32767, 8000, 800)


def test_a_recording_begins_where_it_was_started():
    recording = finished(2, start=500)
    assert (len(recording.samples), recording.seconds, recording.status) == (300, 1, "completed")


def test_silences_are_the_gaps_between_sounds_with_their_places():
    quiet = np.zeros(1600, np.int16)
    heard = np.concatenate((quiet, tone(0.1), np.zeros(4000, np.int16), tone(0.1), np.zeros(80, np.int16), tone(0.1), quiet))
    assert silences(heard) == [(300.0, 500.0)]
    assert silences(heard, least_ms=10) == [(300.0, 500.0), (900.0, 10.0)]
    assert silences(quiet) == []
    assert silences(np.zeros(0, np.int16)) == []
