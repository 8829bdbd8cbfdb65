"""The synthetic sounds: the same everywhere, loud enough, within their bands, and without a seam."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from patter_nb.audio.clips import CLIP_HZ, CLIP_SECONDS, BuiltinAudioClip, clip

ALL = list(BuiltinAudioClip)


def share(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    """How much of the energy lies between two frequencies."""
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / CLIP_HZ)
    return float(power[(frequency >= low_hz) & (frequency <= high_hz)].sum() / power.sum())


@pytest.mark.parametrize("which", ALL)
def test_each_is_eight_seconds_at_half_of_full_scale(which):
    samples = clip(which)
    assert (samples.dtype, samples.shape) == (np.int16, (CLIP_HZ * CLIP_SECONDS,))
    assert np.abs(samples.astype(int)).max() in {16_383, 16_384}


def test_no_two_are_alike():
    assert len({clip(which).tobytes() for which in ALL}) == len(ALL)


def test_each_is_made_once_and_nobody_can_change_it():
    samples = clip(BuiltinAudioClip.HOLD_MUSIC)
    assert clip(BuiltinAudioClip.HOLD_MUSIC) is samples
    with pytest.raises(ValueError, match="read-only"):
        samples[0] = 1


def test_another_process_makes_the_same():
    code = (
        "import hashlib; from patter_nb.audio.clips import *; "
        "print(hashlib.sha256(b''.join(clip(which).tobytes() for which in BuiltinAudioClip)).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == hashlib.sha256(b"".join(clip(which).tobytes() for which in ALL)).hexdigest()


@pytest.mark.parametrize("which", ALL)
def test_the_end_fits_the_beginning(which):
    """The step from the last sample to the first is no larger than steps within the sound."""
    samples = clip(which).astype(int)
    steps = np.abs(np.diff(samples))
    assert abs(samples[0] - samples[-1]) <= steps.max()
    if which not in (BuiltinAudioClip.KEYBOARD_TYPING, BuiltinAudioClip.KEYBOARD_TYPING2):
        assert abs(samples[0] - samples[-1]) <= 4 * np.sqrt(np.mean(steps**2))


@pytest.mark.parametrize(
    ("which", "low_hz", "high_hz"),
    [
        (BuiltinAudioClip.CITY_AMBIENCE, 59, 701),
        (BuiltinAudioClip.FOREST_AMBIENCE, 1199, 3601),
        (BuiltinAudioClip.OFFICE_AMBIENCE, 89, 401),
        (BuiltinAudioClip.CROWDED_ROOM, 199, 2401),
        (BuiltinAudioClip.HOLD_MUSIC, 170, 400),
    ],
)
def test_each_lies_in_its_band(which, low_hz, high_hz):
    assert share(clip(which), low_hz, high_hz) > 0.99


def test_typing_is_silence_between_clicks_and_one_types_faster():
    slow, fast = (
        np.mean(np.abs(clip(which)) < 20) for which in (BuiltinAudioClip.KEYBOARD_TYPING, BuiltinAudioClip.KEYBOARD_TYPING2)
    )
    assert slow > fast > 0.5
