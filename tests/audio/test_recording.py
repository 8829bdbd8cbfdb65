"""The stereo recording: both sides on the call's clock, joined by their samples, without what nobody heard."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.audio import g711
from patter_nb.audio.recording import Recording, StereoRecorder
from patter_nb.audio.wav import read_wav
from patter_nb.errors import ConfigError, ConfigTypeError

FRAME = 160


def ramp(count: int, start: int = 1) -> np.ndarray:
    return (np.arange(start, start + count) % 30000).astype(np.int16)


def test_the_caller_is_left_and_the_agent_right_each_at_its_instant():
    recorder = StereoRecorder()
    recorder.caller(ramp(80), 0.1)
    recorder.agent(ramp(40, 500), 0.2)
    recording = recorder.recording()
    assert recording.hz == 8000
    assert recording.samples.dtype == np.int16
    assert recording.samples.shape == (1640, 2)
    assert recording.seconds == 0.205
    assert not recording.caller[:800].any()
    assert np.array_equal(recording.caller[800:880], ramp(80))
    assert not recording.caller[880:].any()
    assert not recording.agent[:1600].any()
    assert np.array_equal(recording.agent[1600:], ramp(40, 500))


@given(st.lists(st.floats(-0.039, 0.039), min_size=2, max_size=60))
def test_jitter_below_40_ms_neither_tears_a_stream_nor_lays_it_over_itself(jitters):
    stream = ramp(FRAME * len(jitters))
    recorder = StereoRecorder()
    for number, jitter in enumerate(jitters):
        recorder.caller(stream[number * FRAME : (number + 1) * FRAME], 1.0 + number * 0.02 + (jitter if number else 0.0))
    assert np.array_equal(recorder.recording().caller[8000:], stream)


def test_jitter_does_not_add_up_over_a_long_call():
    rng = np.random.default_rng(4)
    recorder = StereoRecorder()
    for number in range(3000):
        recorder.caller(ramp(FRAME), number * 0.02 + rng.uniform(-0.03, 0.03))
    assert recorder.recording().seconds == pytest.approx(60.0, abs=0.04)


def test_a_real_gap_stays_open():
    recorder = StereoRecorder()
    recorder.agent(ramp(FRAME), 0.0)
    recorder.agent(ramp(FRAME), 0.06)
    recording = recorder.recording()
    assert len(recording.agent) == 640
    assert not recording.agent[160:480].any()
    assert np.array_equal(recording.agent[480:], ramp(FRAME))


def test_audio_for_a_time_already_filled_comes_after_what_is_there():
    recorder = StereoRecorder()
    recorder.agent(ramp(8000), 0.0)
    recorder.agent(ramp(100, 9000), 0.5)
    assert np.array_equal(recorder.recording().agent, np.concatenate((ramp(8000), ramp(100, 9000))))


def test_audio_from_before_the_answer_is_placed_at_the_answer():
    recorder = StereoRecorder()
    recorder.caller(ramp(80), -0.01)
    assert np.array_equal(recorder.recording().caller, ramp(80))


def test_an_empty_piece_moves_nothing():
    recorder = StereoRecorder()
    recorder.caller(np.zeros(0, np.int16), 3.0)
    assert recorder.recording().seconds == 0


def test_a_recording_is_a_copy_that_later_audio_does_not_change():
    recorder = StereoRecorder()
    recorder.caller(ramp(80), 0.0)
    first = recorder.recording()
    recorder.caller(ramp(80), 0.01)
    assert len(first.caller) == 80
    assert len(recorder.recording().caller) == 160


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1e9])
def test_an_instant_of_another_clock_is_refused(at):
    with pytest.raises(ConfigError, match="at must be seconds of the call's clock, at most 21600, not"):
        StereoRecorder().caller(ramp(80), at)


def test_floats_are_refused():
    with pytest.raises(ConfigTypeError, match="int16, not float64"):
        StereoRecorder().agent(np.zeros(80), 0.0)


def test_saving_writes_both_channels(tmp_path):
    recording = Recording(np.stack((ramp(100), -ramp(100)), axis=1), 8000)
    path = recording.save(tmp_path / "call.wav")
    assert path == tmp_path / "call.wav"
    data = path.read_bytes()
    assert np.array_equal(np.frombuffer(data[44:], "<i2").reshape(-1, 2), recording.samples)


def player_audio(html: str) -> bytes:
    return base64.b64decode(re.search(r'src="data:audio/wav;base64,([^"]+)"', html).group(1))


def test_the_player_holds_the_audio_as_mulaw():
    recording = Recording(np.stack((ramp(8000), ramp(8000, 5)), axis=1), 8000)
    html = recording._repr_html_()
    assert html.startswith("<audio controls")
    audio = player_audio(html)
    assert len(audio) == 58 + 16000
    assert audio[58:] == g711.encode(recording.samples.reshape(-1))
    assert read_wav(audio)[1] == 8000
    assert "save()" not in html


def test_a_long_recordings_player_holds_five_minutes_and_says_so():
    recording = Recording(np.zeros((8000 * 720, 2), np.int16), 8000)
    html = recording._repr_html_()
    assert len(player_audio(html)) == 58 + 300 * 16000
    assert "The first 5 of 12 minutes; save() writes all of it." in html


def test_its_text_form_is_one_line():
    assert repr(Recording(np.zeros((12000, 2), np.int16), 8000)) == "Recording(1.5 s, 8000 Hz, caller left, agent right)"


def test_an_empty_recording_still_has_a_player():
    html = StereoRecorder().recording()._repr_html_()
    assert player_audio(html)[-4:] == bytes(4)


STRETCHES = [
    (0.0, 0.5, 4000), (0.25, 0.5, 2000), (0.9, 1.5, 4800), (2.0, 3.0, 8000), (0.5, 0.5, 0), (0.5, 0.2, 0), (-1.0, 0.1, 800),
]  # fmt: skip


@pytest.mark.parametrize(("since", "until", "size"), STRETCHES)
def test_a_stretch_is_what_the_whole_holds_there_and_silence_after_it(since, until, size):
    recorder = StereoRecorder()
    recorder.caller(np.arange(1, 8001, dtype=np.int16), 0.0)
    recorder.agent(np.full(2000, 7, np.int16), 0.5)
    stretch = recorder.between(since, until).samples
    whole = np.zeros((32_000, 2), np.int16)
    whole[:8000] = recorder.recording().samples
    first = max(0, round(since * 8000))
    assert stretch.shape == (size, 2)
    assert (stretch == whole[first : first + size]).all()
