"""The audio of one turn: where it lies, cut from memory and from disk, and why there may be none."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.recording import Recording
from patter_nb.audio.wav import read_wav
from patter_nb.notebook.studio import playback
from patter_nb.notebook.studio.playback import Clip, Silent, cut, cut_file, interval, peaks
from patter_nb.turns.facts import TurnFacts

HZ = 8000


@pytest.fixture
def ten_seconds() -> Recording:
    """Each sample tells its own second: the caller's rise, the agent's fall."""
    ramp = (np.arange(10 * HZ) // HZ * 1000).astype(np.int16)
    return Recording(np.stack([ramp, -ramp], axis=1), HZ)


def facts(**instants: float) -> TurnFacts:
    return TurnFacts(1, "caller", 1, instants=instants)


PLACES: list[tuple[str, dict[str, float], Any]] = [
    ("a whole turn", {"speech_started_at": 2.0, "speech_ended_at": 3.0, "played_at": 4.0, "finished_at": 6.0}, (1.7, 6.3)),
    ("a greeting", {"tts_requested_at": 0.0, "played_at": 1.0, "finished_at": 2.0}, (0.7, 2.3)),
    ("at the beginning", {"played_at": 0.1, "finished_at": 2.0}, (0.0, 2.3)),
    ("cut off", {"speech_started_at": 2.0, "played_at": 4.0, "barge_in_at": 5.0, "cleared_at": 5.1}, (1.7, 5.4)),
    ("no reply", {"speech_started_at": 2.0, "speech_ended_at": 3.0}, (1.7, 3.3)),
    ("nothing was timed", {}, None),
]


@pytest.mark.parametrize(("instants", "where"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_a_turn_lies_from_its_first_word_to_its_last_sound_with_a_little_around_it(instants, where):
    assert interval(facts(**instants)) == (where if where is None else pytest.approx(where))


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_a_piece_has_both_sides_of_that_time_and_no_more(ten_seconds, tmp_path, on_disk):
    path = ten_seconds.save(tmp_path / "call.wav")
    clip = cut_file(str(path), 3.0, 5.0) if on_disk else cut(ten_seconds, 3.0, 5.0)
    assert isinstance(clip, Clip)
    assert (clip.started_at, clip.hz, clip.samples.shape) == (3.0, HZ, (2 * HZ, 2))
    assert np.array_equal(clip.samples, ten_seconds.samples[3 * HZ : 5 * HZ])


def test_what_a_page_is_told_plays_and_can_be_drawn(ten_seconds):
    told = cut(ten_seconds, 3.0, 5.0).told()
    head, audio = told["url"].split(",")
    samples, hz = read_wav(base64.b64decode(audio))
    assert (head, hz, len(samples)) == ("data:audio/wav;base64", HZ, 2 * HZ)
    assert (told["seconds"], told["started_at"]) == (2.0, 3.0)
    assert (told["caller"][0], told["agent"][-1]) == (round(3000 / 32768, 3), round(4000 / 32768, 3))
    assert len(told["caller"]) == len(told["agent"]) <= playback.PEAKS


def test_a_very_long_turn_is_played_from_its_beginning(ten_seconds, monkeypatch):
    monkeypatch.setattr(playback, "LONGEST_SECONDS", 2.0)
    clip = cut(ten_seconds, 1.0, 9.0)
    assert isinstance(clip, Clip)
    assert (clip.started_at, len(clip.samples)) == (1.0, 2 * HZ)


def test_a_recording_that_ends_before_the_turn_says_so(ten_seconds, tmp_path):
    path = ten_seconds.save(tmp_path / "call.wav")
    for found in (cut(ten_seconds, 20.0, 22.0), cut_file(str(path), 20.0, 22.0)):
        assert found == Silent("not recorded", "The recording does not reach as far as this turn.")


def test_a_file_that_is_gone_or_no_recording_is_told_as_that(tmp_path):
    gone = cut_file(str(tmp_path / "call.wav"), 0.0, 1.0)
    assert gone == Silent("gone", f"The recording is gone: there is no file call.wav in {tmp_path} any more.")
    (tmp_path / "noise.wav").write_bytes(b"no sound at all")
    assert cut_file(str(tmp_path / "noise.wav"), 0.0, 1.0).state == "unreadable"
    (tmp_path / "empty.wav").write_bytes(b"")
    assert cut_file(str(tmp_path / "empty.wav"), 0.0, 1.0).state == "unreadable"


def test_the_peaks_are_the_loudest_of_equal_steps():
    samples = np.zeros(playback.PEAKS * 10, np.int16)
    samples[25] = -32768
    found = peaks(samples)
    assert (len(found), found[2], sum(found)) == (playback.PEAKS, 1.0, 1.0)
    assert peaks(np.zeros(0, np.int16)) == []
